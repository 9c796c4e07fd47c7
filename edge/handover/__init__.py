"""How one process gives its sockets, and what it knows of them, to the next."""
