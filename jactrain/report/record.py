"""What `comparison.json` holds, checked as it is read: nothing beyond it has to fear a wrong type."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from jactrain.config.wording import shown
from jactrain.errors import RunError
from jactrain.report.json_files import read_json, validated

COMPARISON_VERSION = 1

Number: TypeAlias = float | None
Numbers: TypeAlias = list[float | None]
Size = Annotated[float, Field(ge=0)]  # seconds, bytes, counts; whole or not
Count = Annotated[int, Field(ge=0, le=10**18)]  # what can be converted to a float


class Recorded(BaseModel):
    """Base of all that is read: exact types, finite numbers; keys that came later are passed over."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, allow_inf_nan=False)


class Whole(Recorded):
    """Base of what `comparison.json` holds, where every key is known: another or none is damage."""

    model_config = ConfigDict(extra="forbid")


class Entry(Recorded):
    """One entry of a gradient, with both values."""

    parameter: str
    index: list[int]
    value: Number
    reference: Number

    @property
    def place(self) -> str:
        """The entry as `linear_1/weight[20, 8]`."""
        return f"{self.parameter}[{', '.join(map(str, self.index))}]" if self.index else self.parameter


class Judged(Recorded):
    """How one vector compares with the reference's."""

    relative_error: Number
    cosine: Number
    norm_ratio: Number
    allowed: Number
    verdict: str | None
    kinked: Count
    worst: Entry | None


class Block(Judged, Whole):
    """The same for one parameter."""

    parameter: str


class Spread(Whole):
    """Repeated measurements."""

    median: Size
    iqr: Size
    repeats: Count
    least: Size | None = None  # records made earlier lack it


class MultiplyAdds(Whole):
    """Multiply-adds of one gradient."""

    predicted: Size | None
    counted: Size | None


class ModeRecord(Judged, Whole):
    """One mode's gradient: how right it is and what it took."""

    mode: str
    exactness: str
    verdict: str
    reason: str
    seconds: Spread | None
    times_fastest: Size | None
    peak_bytes: Size | None
    predicted_peak_bytes: Size | None
    work: dict[str, Size] | None
    multiply_adds: MultiplyAdds
    blocks: list[Block]

    @property
    def draws(self) -> bool:
        """Whether what was compared is the mean of draws."""
        return self.exactness == "unbiased"


class Range(Whole):
    """A figure over seeds."""

    median: Number
    low: Number
    high: Number


class Finals(Whole):
    """The figures at the end of all epochs; None where there are none."""

    train_loss: Range | None
    validation_loss: Range | None
    metric: Range | None


class TrainingRun(Whole):
    """One training by one mode from one seed: series with one point an epoch, and the start."""

    seed: int
    status: str
    reason: str
    step: list[float]
    seconds: Numbers
    multiply_adds: Numbers
    train_loss: Numbers
    validation_loss: Numbers
    metric: Numbers
    divergence: Numbers

    @model_validator(mode="after")
    def _lengths(self) -> TrainingRun:
        for name in (
            "seconds", "multiply_adds", "train_loss", "validation_loss", "metric", "divergence"
        ):  # fmt: skip
            _require_length(name, getattr(self, name), self.step)
        return self


class Estimator(Whole):
    """Bias, variance and mean angle of an estimator's draws along the reference's trajectory."""

    step: list[float]
    relative_bias: Numbers
    bias_standard_error: Numbers
    relative_variance: Numbers
    cosine: Numbers

    @model_validator(mode="after")
    def _lengths(self) -> Estimator:
        for name in ("relative_bias", "bias_standard_error", "relative_variance", "cosine"):
            _require_length(name, getattr(self, name), self.step)
        return self

    @property
    def draws(self) -> bool:
        """Whether draws differ at all: some modes are biased without drawing anything."""
        return any(self.relative_variance) or any(self.bias_standard_error)


class TrainingMode(Whole):
    """All trainings by one mode."""

    mode: str
    status: str
    reason: str
    runs: list[TrainingRun]
    final: Finals
    estimator: Estimator | None
    loss_drop_per_multiply_add: Number
    loss_drop_per_second: Number
    cosine_at_start: Number


class Training(Whole):
    """Every mode trained from the same start with the same batches."""

    reference: str
    seeds: list[int]
    epochs: Count
    metric: str
    modes: list[TrainingMode]


class ScalingPoint(Whole):
    """One mode at one size."""

    size: float
    parameters: Size
    seconds: Spread | None
    multiply_adds: Size | None
    peak_bytes: Size | None
    reason: str


class Exponent(Whole):
    """The slope of cost over size, both in logarithms."""

    measured: Number
    predicted: Number


class ScalingMode(Whole):
    """One mode over growing networks."""

    mode: str
    exponent: Exponent
    points: list[ScalingPoint]


class Crossover(Whole):
    """The size at which one of two modes becomes the cheaper one."""

    modes: list[str]
    measured_at: Number
    predicted_at: Number
    sentence: str


class Scaling(Whole):
    """The comparison repeated over growing networks; `fitted` sizes were chosen for the time there is."""

    along: str
    sizes: list[float]
    examples: Count
    fitted: bool
    modes: list[ScalingMode]
    crossovers: list[Crossover]


class ComparisonRecord(Whole):
    """A comparison of modes as `jactrain compare` recorded it."""

    kind: Literal["comparison"]
    schema_version: Literal[1]
    name: str
    command: str
    created: str
    headline: str
    configuration: str
    environment: dict[str, Any]
    examples: Count
    dtype: str
    parameters: Count
    outputs: Count
    reference: str
    modes: list[ModeRecord]
    training: Training | None
    scaling: Scaling | None


def read_comparison(path: Path) -> dict[str, Any]:
    """Return the comparison recorded in the file at `path`; RunError, with its name, where it is none."""
    value = read_json(path)
    try:
        checked(value)
    except RunError as error:
        raise RunError(f"{path}: {error}") from None
    return dict(value)


def checked(comparison: Any) -> ComparisonRecord:
    """Return `comparison` as a record; RunError that says which fields are wrong, expected and given."""
    if not isinstance(comparison, dict):
        raise RunError(f"expected the JSON object of a comparison, not {shown(comparison)}")
    if comparison.get("kind") != "comparison":
        raise RunError(
            f"expected a record of kind 'comparison', not {shown(comparison.get('kind'))}; give a file that "
            "`jactrain compare` wrote"
        )
    version = comparison.get("schema_version")
    if isinstance(version, int) and version > COMPARISON_VERSION:
        raise RunError(
            f"this comparison has schema_version {shown(version)}, and this jactrain reads up to "
            f"{COMPARISON_VERSION}; update jactrain"
        )
    return validated(ComparisonRecord, comparison)


def _require_length(name: str, values: Sequence[Any], steps: Sequence[Any]) -> None:
    if len(values) not in (0, len(steps)):
        raise ValueError(f"{name} has {len(values)} entries, but step has {len(steps)}")
