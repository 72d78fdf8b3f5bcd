"""Engines: what computes the steps of a training, from one set of rules, modes and optimizers."""

from jactrain.registry import import_all
from jactrain.training.engine import engines

import_all(__name__, __path__)

__all__ = ["engines"]
