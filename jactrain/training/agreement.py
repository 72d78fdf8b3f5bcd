"""Agreement between modes, measured while training."""

from __future__ import annotations

from collections.abc import Callable

from jactrain.agreement.monitor import AgreementMonitor, Measurement
from jactrain.modes.base import GradientResult
from jactrain.objective import Batch
from jactrain.training.events import Listener
from jactrain.training.experiment import Experiment
from jactrain.training.state import TrainingState


class AgreementListener(Listener):
    """Measures agreement every so many steps and hands each measurement, with its step, to `report`."""

    def __init__(self, report: Callable[[int, Measurement], None]) -> None:
        self._report = report
        self._monitor: AgreementMonitor | None = None

    def on_start(self, experiment: Experiment, state: TrainingState) -> None:
        """Build the monitor, if the experiment asks for one."""
        if experiment.agreement_modes:
            self.every = experiment.agreement_every
            self._monitor = AgreementMonitor(
                experiment.objective,
                experiment.mode,
                experiment.agreement_modes,
                experiment.agreement_examples,
                state.random.agreement,
                experiment.engine.gradients(experiment.mode, experiment.objective),
            )

    def on_step(self, state: TrainingState, batch: Batch, result: GradientResult) -> None:
        """Measure at the parameters, on the examples and with the noise of this step."""
        if self._monitor is not None:
            for measurement in self._monitor.measure(state.parameters, batch):
                self._report(state.step, measurement)
