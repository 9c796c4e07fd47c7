"""What flows: frames, codec headers and containers; pure functions and muxers."""
