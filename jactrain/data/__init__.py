"""Where examples come from (one source per file), and how they are split and scaled."""

from jactrain.data.base import sources
from jactrain.registry import import_all

import_all(__name__, __path__)

__all__ = ["sources"]
