"""Measurements of the server beside nginx with its RTMP module; ``python bench/run.py --help``."""
