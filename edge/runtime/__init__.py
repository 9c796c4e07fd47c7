"""The composition root: build, start, signals, drain."""
