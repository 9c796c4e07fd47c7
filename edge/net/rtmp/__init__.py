"""RTMP on sockets: the shells of its sessions, its wire form, and what its players and publishers are told."""
