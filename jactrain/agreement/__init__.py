"""Whether derivatives are right: laws of products, derived tolerances, gradients side by side, verdicts."""
