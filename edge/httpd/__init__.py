"""HTTP outputs on aiohttp."""
