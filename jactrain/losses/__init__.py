"""Losses, one kind a file: its value, its slope and the targets it takes."""

from jactrain.losses.base import losses
from jactrain.registry import import_all

import_all(__name__, __path__)

__all__ = ["losses"]
