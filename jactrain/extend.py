"""All that a third-party layer, loss, mode, optimizer, schedule or data source may import."""

from jactrain.arrays import Array, Namespace, Path, Shape, Tree, erf, size_of
from jactrain.data.base import Classification, Dataset, Outline, Regression, Source, Task, sources
from jactrain.errors import DataError, ShapeError, UnsupportedError
from jactrain.layers.base import Layer, Placed, Product, layers, require_one_axis
from jactrain.layers.elementwise import Elementwise
from jactrain.layers.forms import Cost, Kept, Moved, MovedCost, PerturbationCost, SingleEntry
from jactrain.linearization import Work
from jactrain.losses.base import Loss, LossCost, RegressionLoss, as_columns, losses
from jactrain.modes.base import Decision, Exactness, GradientResult, Mode, Plan, modes
from jactrain.objective import Batch, Objective
from jactrain.optimizers.base import Optimizer, State, optimizers
from jactrain.optimizers.schedules import Schedule, schedules

__all__ = [
    "Array",
    "Batch",
    "Classification",
    "Cost",
    "DataError",
    "Dataset",
    "Decision",
    "Elementwise",
    "Exactness",
    "GradientResult",
    "Kept",
    "Layer",
    "Loss",
    "LossCost",
    "Mode",
    "Moved",
    "MovedCost",
    "Namespace",
    "Objective",
    "Optimizer",
    "Outline",
    "Path",
    "PerturbationCost",
    "Placed",
    "Plan",
    "Product",
    "Regression",
    "RegressionLoss",
    "Schedule",
    "Shape",
    "ShapeError",
    "SingleEntry",
    "Source",
    "State",
    "Task",
    "Tree",
    "UnsupportedError",
    "Work",
    "as_columns",
    "erf",
    "layers",
    "losses",
    "modes",
    "optimizers",
    "require_one_axis",
    "schedules",
    "size_of",
    "sources",
]
