"""A run and its folder: what is written while training, and reading it back."""
