"""Modes of differentiation, one a file: each an order in which the chain is multiplied."""

from jactrain.modes.base import modes
from jactrain.registry import import_all

import_all(__name__, __path__)

__all__ = ["modes"]
