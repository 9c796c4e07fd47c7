"""What coded media are: FLV bodies, decoder configurations and the units within frames, per codec; pure functions."""
