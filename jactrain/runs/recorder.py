"""What a run writes while it trains: a line an epoch, a line a comparison, its log."""

from __future__ import annotations

from types import TracebackType
from typing import IO, Self

from jactrain.agreement.monitor import Measurement
from jactrain.files import as_json
from jactrain.runs.directory import RunDirectory
from jactrain.training.events import Listener
from jactrain.training.state import TrainingState


class Recorder(Listener):
    """Writes `metrics.jsonl` and `agreement.jsonl`, each line whole as soon as it is known."""

    def __init__(self, directory: RunDirectory) -> None:
        self._metrics: IO[str] = directory.metrics.open("w", encoding="utf-8", buffering=1)
        self._agreement: IO[str] = directory.agreement.open("w", encoding="utf-8", buffering=1)

    def __enter__(self) -> Self:
        """Return the recorder."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
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
        self._metrics.write(as_json(line) + "\n")

    def agreement(self, step: int, measurement: Measurement) -> None:
        """Write one comparison of modes."""
        self._agreement.write(as_json({"step": step, **measurement.as_json()}) + "\n")
