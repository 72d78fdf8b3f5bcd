"""What a user would type for `configs/digits.yaml` with a peer: one script each, run as a command."""
