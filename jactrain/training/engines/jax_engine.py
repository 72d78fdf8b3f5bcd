"""JAX: every epoch one compiled program, on one device or on several."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field, PositiveInt

from jactrain.errors import UnsupportedError
from jactrain.modes.base import Mode
from jactrain.modes.gradients import GradientFunction
from jactrain.objective import Objective
from jactrain.optimizers.base import Optimizer
from jactrain.training.engine import Engine, engines
from jactrain.training.experiment import Experiment
from jactrain.training.together import own_seat

if TYPE_CHECKING:
    from jactrain.training.compiled.devices import Placement
    from jactrain.training.compiled.execution import JaxExecution


@engines.register("jax")
class JaxEngine(Engine):
    """JAX: our own rules, compiled into one program for each epoch; it uses GPUs, and several devices.

    Needs `pip install jactrain[jax]`. Compiling takes from a fraction of a second on, once a training.
    """

    stopping: ClassVar[str] = "stopping at the end of this program, an epoch mostly"

    devices: PositiveInt | None = Field(
        None,
        description="Devices that a batch is divided among; if left out, as many as divide it evenly.",
    )
    distributed: bool = Field(
        False,
        description="Join the other processes of this training first: as Slurm or Kubernetes say, or the "
        "variables JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID.",
    )

    def require(
        self, mode: Mode, objective: Objective, optimizer: Optimizer, examples: int, dtype: Any
    ) -> None:
        """Raise UnsupportedError or OptionError where JAX, a device, or a rule that it traces is missing.

        Of several processes, only when these have joined: at the start of the training, by `join`.
        """
        if find_spec("jax") is None:
            raise UnsupportedError(
                "engine jax needs JAX, which is not installed: pip install 'jactrain[jax]', or choose "
                "engine: numpy"
            )
        from jactrain.training.compiled.checking import require_traceable
        from jactrain.training.compiled.devices import has_joined, placement_for, tracing

        if self.distributed and not has_joined():
            return  # nothing may be asked of JAX before
        with tracing():
            placement_for(examples, self.devices, self.distributed)
            require_traceable(mode, objective, optimizer, examples, np.dtype(dtype))

    def is_resumable(self) -> bool:
        """Return False for several processes: their checkpoints may be of different steps."""
        return not self.distributed

    def trains_together(self) -> bool:
        """Return True, unless a batch is to be divided among devices."""
        return not self.distributed and self.devices in (None, 1)

    def start(self, experiment: Experiment) -> JaxExecution:
        """Return an execution; nothing is compiled before its first epoch.

        At a seat among other trainings, one that computes with them what it can.
        """
        from jactrain.training.compiled.execution import JaxExecution

        seat = own_seat()
        if seat is not None and self.trains_together():
            from jactrain.training.compiled.together import execution_at

            return execution_at(seat, experiment, self.devices)
        return JaxExecution(experiment, self.devices, self.distributed)

    def join(self, experiment: Experiment) -> None:
        """Join the other processes, if `distributed`, and see whether all that is required is there."""
        if not self.distributed:
            return
        from jactrain.training.compiled.devices import join

        join()
        examples = experiment.settings.batch_size
        self.require(experiment.mode, experiment.objective, experiment.optimizer, examples, experiment.dtype)

    def facts(self, experiment: Experiment) -> dict[str, Any]:
        """Return JAX's version, the devices, and whether others are trained together with it."""
        together = own_seat() is not None and self.trains_together()
        return {"kind": self.kind, **self._placement(experiment).facts(), "together": together}

    def told(self, experiment: Experiment) -> str:
        """Return JAX's version, and on how many devices of which kind it computes."""
        return self._placement(experiment).told()

    def _placement(self, experiment: Experiment) -> Placement:
        from jactrain.training.compiled.devices import placement_for

        return placement_for(experiment.settings.batch_size, self.devices, self.distributed)

    def gradients(self, mode: Mode, objective: Objective) -> GradientFunction:
        """Return the gradient, compiled for each size of batch on one device."""
        from jactrain.training.compiled.programs import CompiledGradients

        return CompiledGradients(mode, objective)
