"""From the shared logs to the players' sockets; which protocol the bytes are of is a form's affair."""
