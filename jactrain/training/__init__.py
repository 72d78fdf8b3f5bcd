"""Training: the loop over built objects, its settings, its state, and what listens to it."""
