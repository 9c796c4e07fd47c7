"""Version 1: fields and methods may be added, none changes its number, type or meaning."""
