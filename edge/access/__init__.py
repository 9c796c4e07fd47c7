"""Who may publish and play: addresses, pages, stream keys, signed URLs, users, tokens, and nodes that prove themselves.

Pure: times, files and threads come from whoever makes it (``edge.runtime.access``).
"""
