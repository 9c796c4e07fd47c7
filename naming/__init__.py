"""Naming services: turn a URL such as ``list://a:1,b:2`` into lists of servers. Useful without ``edge``."""
