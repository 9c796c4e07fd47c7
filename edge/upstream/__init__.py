"""Pull and push: choose a server, connect, retry, share connections."""
