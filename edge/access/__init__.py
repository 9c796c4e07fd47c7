"""Who may publish and play: addresses, pages, secret stream keys, signed URLs, users, and nodes that prove themselves.

Pure: times, files and threads come from whoever makes it (``edge.runtime.access``).
"""
