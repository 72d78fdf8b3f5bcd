"""Modes beside each other: what a gradient takes by each, how each trains, and how cost grows."""
