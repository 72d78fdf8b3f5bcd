"""Layers, one kind a file: its options, its rules and their cost."""

from jactrain.layers.base import layers
from jactrain.registry import import_all

import_all(__name__, __path__)

__all__ = ["layers"]
