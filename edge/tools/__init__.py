"""Command-line tools that exercise a server."""
