"""Sockets: the listener, detection, and the shells around the protocol sessions."""
