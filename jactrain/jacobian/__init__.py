"""Jacobians of a network: every way to multiply the chain, the cheapest of them, and the result."""

from jactrain.jacobian.operator import jacobian

__all__ = ["jacobian"]
