"""Live streams of this process: who publishes, who plays, what is cached."""
