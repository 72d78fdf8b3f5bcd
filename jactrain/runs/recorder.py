"""What a run writes while it trains: a line an epoch, a line a comparison."""

from __future__ import annotations

from typing import NamedTuple, Self

from jactrain.agreement.monitor import Measurement
from jactrain.files import LineFile, as_json
from jactrain.runs.directory import RunDirectory
from jactrain.training.events import Listener
from jactrain.training.state import TrainingState


class Lengths(NamedTuple):
    """How many bytes of each file were written."""

    metrics: int = 0
    agreement: int = 0


_NOTHING = Lengths()


class Recorder(Listener):
    """Writes `metrics.jsonl` and `agreement.jsonl`, each line whole as soon as it is known."""

    def __init__(self, directory: RunDirectory, lengths: Lengths = _NOTHING) -> None:
        """Go on behind the first `lengths` bytes of both files; what stands behind them is forgotten."""
        self._metrics = LineFile(directory.metrics, lengths.metrics)
        self._agreement = LineFile(directory.agreement, lengths.agreement)

    def __enter__(self) -> Self:
        """Return the recorder."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close both files."""
        self._metrics.close()
        self._agreement.close()

    def on_epoch(self, state: TrainingState) -> None:
        """Write the epoch's figures."""
        line = {
            "step": state.step,
            "epoch": state.epoch,
            "seconds": round(state.seconds, 6),
            "multiply_adds": state.multiply_adds,
            **state.metrics,
        }
        self._metrics.append(as_json(line))

    def agreement(self, step: int, measurement: Measurement) -> None:
        """Write one comparison of modes."""
        self._agreement.append(as_json({"step": step, **measurement.as_json()}))

    def kept(self) -> Lengths:
        """Return the lengths of both files, which the operating system has now been told to keep."""
        self._metrics.sync()
        self._agreement.sync()
        return Lengths(self._metrics.size, self._agreement.size)
