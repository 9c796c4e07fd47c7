"""What the log tells of streams, plays and publishes at intervals: data in, text out; no I/O and no clock."""
