"""Who may publish and play what: requests come in, grants and refusals go out."""
