"""HLS as files: each segment and playlist written into a directory, for other servers to give out."""
