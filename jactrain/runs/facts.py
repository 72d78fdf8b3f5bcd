"""What a model's file says besides its parameters, with every array's type and length looked at."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from jactrain.arrays import MOST_AXES, Array, Shape
from jactrain.data.archive import no_character, read_arrays, without_advice
from jactrain.data.base import Classification, Regression, Task
from jactrain.data.preparation import Scaling
from jactrain.errors import DataError, RunError

_NAMES = ("classes", "targets", "features")
_SCALINGS = ("inputs", "targets")


class Facts(NamedTuple):
    """The shape of an input, the task, the names of the features, and how inputs and targets are scaled."""

    input_shape: Shape
    task: Task
    features: tuple[str, ...]
    input_scaling: Scaling
    target_scaling: Scaling

    def as_arrays(self) -> dict[str, Array]:
        """Return what `read_facts` reads back."""
        task = self.task
        names = {
            "classes": task.classes if isinstance(task, Classification) else (),
            "targets": task.targets if isinstance(task, Regression) else (),
            "features": self.features,
        }
        scalings = zip(_SCALINGS, (self.input_scaling, self.target_scaling), strict=True)
        return {
            "input_shape": np.array(self.input_shape, dtype=np.int64),
            **{name: np.array(texts, dtype=np.str_) for name, texts in names.items()},
            **{
                f"scaling/{word}/{part}": getattr(scaling, part)
                for word, scaling in scalings
                for part in ("offset", "scale")
            },
        }


def read_facts(path: Path) -> Facts:
    """Return the facts in the file at `path`; RunError where they are damaged."""
    scalings = [f"scaling/{word}/{part}" for word in _SCALINGS for part in ("offset", "scale")]
    arrays = read(path, ["input_shape", *_NAMES, *scalings])
    input_shape = _shape(path, arrays["input_shape"])
    classes, targets, features = (_texts(path, name, arrays[name]) for name in _NAMES)
    if bool(classes) == bool(targets):
        raise _damaged(path, "classes and targets", "one of them empty", f"{len(classes)} and {len(targets)}")
    if features and input_shape != (len(features),):
        raise _damaged(path, "features", f"none, or a name for each entry of {input_shape}", len(features))
    outputs = arrays["scaling/targets/offset"].shape
    inputs, outs = (
        _scaling(path, word, arrays, shape)
        for word, shape in zip(_SCALINGS, (input_shape, outputs), strict=True)
    )
    task = Classification(classes) if classes else Regression(targets)
    return Facts(input_shape, task, features, inputs, outs)


def read(path: Path, names: list[str]) -> dict[str, Array]:
    """Return the arrays `names` of a model's file; RunError where they cannot be read."""
    try:
        return read_arrays(path, names)
    except DataError as error:
        raise RunError(
            f"the trained parameters cannot be read: {without_advice(path, error)}; resume the run, which "
            "writes them again from its last checkpoint, or train it anew"
        ) from None


def require_numbers(path: Path, name: str, array: Array, shape: Shape) -> Array:
    """Return `array`; RunError unless it is finite floating-point numbers of `shape`."""
    if array.dtype not in (np.float32, np.float64) or array.shape != shape:
        raise _damaged(path, name, f"float32 or float64 of shape {shape}", f"{array.dtype} of {array.shape}")
    if not np.isfinite(array).all():
        raise _damaged(path, name, "finite numbers", "some that are not")
    return array


def _shape(path: Path, array: Array) -> Shape:
    whole = array.dtype.kind in "iu" and array.ndim == 1 and 1 <= len(array) <= MOST_AXES
    if not whole or not (array > 0).all():
        came = f"{array.dtype} of shape {array.shape}"
        raise _damaged(path, "input_shape", f"1 to {MOST_AXES} whole numbers above 0", came)
    return tuple(array.tolist())


def _texts(path: Path, name: str, array: Array) -> tuple[str, ...]:
    if array.dtype.kind != "U" or array.ndim != 1:
        raise _damaged(path, name, "a list of texts", f"{array.dtype} of shape {array.shape}")
    if (point := no_character(array)) is not None:
        raise _damaged(path, name, "text", f"with U+{point:04X}, which is no character")
    return tuple(array.tolist())


def _scaling(path: Path, word: str, arrays: dict[str, Array], shape: Shape) -> Scaling:
    name = f"scaling/{word}"
    offset, scale = (
        require_numbers(path, f"{name}/{part}", arrays[f"{name}/{part}"], shape)
        for part in ("offset", "scale")
    )
    if not (scale > 0).all():
        raise _damaged(path, f"{name}/scale", "numbers above 0", "some that are not")
    return Scaling(offset, scale)


def _damaged(path: Path, name: str, expected: str, came: object) -> RunError:
    return RunError(f"{path} is damaged: {name} is {expected}, not {came}; train the run anew")
