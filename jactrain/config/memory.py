"""Whether a training fits into memory, told before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jactrain.available import Available, available_memory
from jactrain.config.models import Config
from jactrain.data.base import Outline
from jactrain.errors import ConfigurationError, Mistake, OptionError, UnsupportedError
from jactrain.modes.base import Mode
from jactrain.modes.memory import rounded, text_of
from jactrain.objective import Objective

# Vectors as long as the parameters, besides the gradient's own and the optimizer's: parameters, the best of
# them, the last step's, and a checkpoint's copy.
_VECTORS = 4


class Need(NamedTuple):
    """Bytes that a training is predicted to take: for its data, its parameters, and one gradient."""

    data: int
    parameters: int
    gradient: int

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self)

    def __str__(self) -> str:
        return (
            f"about {rounded(self.total)} of memory (data {rounded(self.data)}, parameters and optimizer "
            f"{rounded(self.parameters)}, a gradient {rounded(self.gradient)})"
        )


def fitted(
    config: Config, objective: Objective, outline: Outline, compared: Sequence[Mode]
) -> tuple[Mode, tuple[str, ...]]:
    """Return the mode to train by, bounded so that the training fits, and what is to be told of that.

    compared: modes that the agreement computes besides, one at a time.

    Raises ConfigurationError, with the figures and ways out, where it cannot fit.
    """
    mode, there = config.mode, available_memory()
    batch = config.training.batch_size
    few = min(batch, config.agreement.examples) if config.agreement else 0
    others = [(other, few) for other in compared]
    need = _need(config, objective, outline, [(mode, batch), *others])
    if there is None or need.total <= there.size:
        return mode, ()
    left = there.size - need.data - need.parameters
    bounded = _bounded(config, objective, left)
    if bounded is None or _need(config, objective, outline, others).total > there.size:
        raise ConfigurationError([_too_large(config, need, there)])
    note = (
        f"mode {mode.kind} is bounded to memory: {text_of(left)}, since the training takes {need}, and "
        f"{rounded(there.size)} are available {there.whose}"
    )
    return bounded, (note,)


def _need(config: Config, objective: Objective, outline: Outline, modes: Sequence[tuple[Mode, int]]) -> Need:
    """Return what training takes, with the largest gradient by `modes`, each on so many examples."""
    dtype = np.dtype(config.dtype)
    inputs, outputs = (int(np.prod(shape)) for shape in (outline.input_shape, objective.network.output_shape))
    # As loaded and split, in float64, and as trained with.
    each = (inputs + outputs) * (2 * np.dtype(np.float64).itemsize + dtype.itemsize)
    state = config.optimizer.initial_state(np, np.zeros(2, dtype))
    vectors = _VECTORS + sum(array.shape == (2,) for array in state.values())
    return Need(
        outline.examples * each,
        objective.network.size * vectors * dtype.itemsize,
        max(
            (_peak(mode, objective, min(count, outline.examples), dtype) for mode, count in modes), default=0
        ),
    )


def _peak(mode: Mode, objective: Objective, batch: int, dtype: np.dtype[np.generic]) -> int:
    """Return the bytes of a gradient; 0 for a mode that refuses, which is told where plans are checked."""
    try:
        return mode.prepare(objective, batch, dtype).peak_bytes
    except (OptionError, UnsupportedError):
        return 0


def _bounded(config: Config, objective: Objective, left: int) -> Mode | None:
    """Return the mode under the bound of `left` bytes; None where it keeps none."""
    mode = config.mode
    if left <= 0 or "memory" not in type(mode).model_fields:
        return None
    bounded = mode.model_copy(update={"memory": left})
    peak = _peak(bounded, objective, config.training.batch_size, np.dtype(config.dtype))
    return bounded if 0 < peak <= left else None


def _too_large(config: Config, need: Need, there: Available) -> Mistake:
    dtype = "" if config.dtype == "float32" else ", dtype: float32"
    return Mistake(
        ("training", "batch_size"),
        f"this training takes {need}, and {rounded(there.size)} are available {there.whose}",
        f"take a batch_size below {config.training.batch_size}{dtype} or fewer examples; or a smaller "
        "network, or a machine with more memory",
    )
