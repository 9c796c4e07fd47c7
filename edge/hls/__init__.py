"""HLS without I/O: frames become segments and parts, segments become playlists (RFC 8216, RFC 8216bis)."""
