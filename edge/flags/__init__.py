"""Every command-line flag, by area; each module ends in a builder of a frozen config."""
