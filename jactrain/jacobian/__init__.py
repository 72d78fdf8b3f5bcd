"""Jacobians of a network: every way to multiply the chain, the cheapest of them, and the result."""
