"""Settings by vhost: SRS's configuration files, read as they are, as text and values without I/O."""
