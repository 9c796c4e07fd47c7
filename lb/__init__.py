"""Load balancers: choose one server out of a list. Useful without ``edge``."""
