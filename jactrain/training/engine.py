"""The contract of an engine: it takes a training through an epoch, and evaluates the network.

Engines compute the same steps. The state is NumPy's between epochs, whatever computed it, and all random
numbers come from its generators: what one engine began, another goes on with.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

from jactrain.arrays import Array
from jactrain.modes.base import Mode
from jactrain.modes.gradients import GradientFunction
from jactrain.objective import Objective
from jactrain.optimizers.base import Optimizer
from jactrain.registry import Component, Registry

if TYPE_CHECKING:
    from jactrain.training.events import Listener
    from jactrain.training.experiment import Experiment, Part
    from jactrain.training.state import TrainingState


# Whether a training is to stop, asked between steps.
Stop: TypeAlias = Callable[[], bool]


def never() -> bool:
    """Return False: nothing asks a training to stop."""
    return False


class Engine(Component, ABC):
    """Base of all engines.

    stopping: what people are told when a training is asked to stop.
    """

    stopping: ClassVar[str] = "stopping at the end of this step; Ctrl-C again to stop at once"

    @abstractmethod
    def require(
        self, mode: Mode, objective: Objective, optimizer: Optimizer, examples: int, dtype: object
    ) -> None:
        """Raise a UsageError, in words, if this machine or the engine cannot train so.

        By `mode` and `optimizer`, on batches of `examples` examples with parameters of `dtype`.
        """

    def join(self, experiment: Experiment) -> None:
        """Join the other processes of this training, before anything of it is written; most have none.

        Raises UsageError where that fails, or what `require` could not yet see is missing.
        """

    def is_resumable(self) -> bool:
        """Return whether a training can be gone on with from a checkpoint of this process alone."""
        return True

    def trains_together(self) -> bool:
        """Return whether trainings that are alike can be computed together; most engines cannot."""
        return False

    @abstractmethod
    def start(self, experiment: Experiment) -> Execution:
        """Return the execution of one training, to be entered as a context."""

    @abstractmethod
    def facts(self, experiment: Experiment) -> dict[str, Any]:
        """Return what a training's record says of what computes it: plain values, such as its threads."""

    def told(self, experiment: Experiment) -> str:
        """Return what people are told of it when a training starts: nothing, unless there is a choice."""
        return ""

    @abstractmethod
    def gradients(self, mode: Mode, objective: Objective) -> GradientFunction:
        """Return the gradient of `objective` by `mode`, computed as this engine does."""


class Execution(ABC):
    """One training on one engine: what was prepared for it, and is kept from epoch to epoch.

    lasting: contexts that last as long as the training; to be entered in `__enter__`.
    """

    def __init__(self) -> None:
        self.lasting = ExitStack()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the lasting contexts."""
        self.lasting.close()

    @abstractmethod
    def train_epoch(
        self, state: TrainingState, listening: Sequence[Listener] = (), stop: Stop = never
    ) -> None:
        """Take the steps of the state's epoch that are still to come.

        `state` is changed; its arrays are replaced and never written into. Where `stop()` is true it returns
        between two steps, and `state.order` says that the epoch is not over. Each of `listening` hears of a
        step whose number is a multiple of its `every`. Raises DivergedError before a loss or gradient that is
        not finite reaches the optimizer.
        """

    @abstractmethod
    def outputs_and_losses(self, parameters: Array, part: Part) -> tuple[Array, Array]:
        """Return the outputs `(N, m)` and the examples' losses `(N,)`, without noise."""


engines: Registry[Engine] = Registry("engine", "engines")
