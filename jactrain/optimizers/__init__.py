"""Optimizers, one kind a file, and the schedules of their learning rates."""

from jactrain.optimizers.base import optimizers
from jactrain.optimizers.schedules import schedules
from jactrain.registry import import_all

import_all(__name__, __path__)

__all__ = ["optimizers", "schedules"]
