"""What the daemon tells of itself, as records, and what it may be told to do."""
