"""What `comparison.json` holds, checked as it is read: nothing beyond it has to fear a wrong type."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from jactrain.config.yaml import dotted, shown
from jactrain.errors import RunError
from jactrain.files import reachable

COMPARISON_VERSION = 1
_MAXIMUM_BYTES = 256 * 2**20
_MOST_MISTAKES = 3

Model = TypeVar("Model", bound=BaseModel)

Number: TypeAlias = float | None
Numbers: TypeAlias = list[float | None]
Size = Annotated[float, Field(ge=0)]  # seconds, bytes, counts; whole or not
Count = Annotated[int, Field(ge=0, le=10**18)]  # what can be converted to a float


class Recorded(BaseModel):
    """Base of all that is read: exact types, finite numbers; keys that came later are passed over."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, allow_inf_nan=False)


class Entry(Recorded):
    """One entry of a gradient, with both values."""

    parameter: str
    index: list[int] = []
    value: Number = None
    reference: Number = None

    @property
    def place(self) -> str:
        """The entry as `linear_1/weight[20, 8]`."""
        return f"{self.parameter}[{', '.join(map(str, self.index))}]" if self.index else self.parameter


class Judged(Recorded):
    """How one vector compares with the reference's."""

    relative_error: Number = None
    cosine: Number = None
    norm_ratio: Number = None
    allowed: Number = None
    verdict: str = ""
    reason: str = ""
    kinked: Count | None = None
    worst: Entry | None = None


class Block(Judged):
    """The same for one parameter."""

    parameter: str


class Spread(Recorded):
    """Repeated measurements."""

    median: Size
    iqr: Size | None = None
    repeats: Count | None = None


class MultiplyAdds(Recorded):
    """Multiply-adds of one gradient."""

    predicted: Size | None = None
    counted: Size | None = None


class ModeRecord(Judged):
    """One mode's gradient: how right it is and what it took."""

    mode: str
    exactness: str = ""
    seconds: Spread | None = None
    times_fastest: Size | None = None
    peak_bytes: Size | None = None
    predicted_peak_bytes: Size | None = None
    work: dict[str, Size] | None = None
    multiply_adds: MultiplyAdds = MultiplyAdds()
    blocks: list[Block] = []


class Range(Recorded):
    """A figure over seeds."""

    median: Number = None
    low: Number = None
    high: Number = None


class TrainingRun(Recorded):
    """One training by one mode from one seed: series with one point an epoch, and the start."""

    seed: int
    status: str = "finished"
    reason: str = ""
    step: list[float] = []
    seconds: Numbers = []
    multiply_adds: Numbers = []
    train_loss: Numbers = []
    validation_loss: Numbers = []
    metric: Numbers = []
    divergence: Numbers = []

    @model_validator(mode="after")
    def _lengths(self) -> TrainingRun:
        for name in (
            "seconds", "multiply_adds", "train_loss", "validation_loss", "metric", "divergence"
        ):  # fmt: skip
            _require_length(name, getattr(self, name), self.step)
        return self


class Estimator(Recorded):
    """Bias and variance of an estimator along the reference's trajectory."""

    step: list[float] = []
    relative_bias: Numbers = []
    bias_standard_error: Numbers = []
    relative_variance: Numbers = []
    cosine: Numbers = []

    @model_validator(mode="after")
    def _lengths(self) -> Estimator:
        for name in ("relative_bias", "bias_standard_error", "relative_variance", "cosine"):
            _require_length(name, getattr(self, name), self.step)
        return self


class TrainingMode(Recorded):
    """All trainings by one mode."""

    mode: str
    status: str = "finished"
    reason: str = ""
    runs: list[TrainingRun] = []
    final: dict[str, Range | None] = {}
    estimator: Estimator | None = None
    loss_drop_per_multiply_add: Number = None
    loss_drop_per_second: Number = None
    cosine_at_start: Number = None


class Training(Recorded):
    """Every mode trained from the same start with the same batches."""

    reference: str
    seeds: list[int] = []
    epochs: Count | None = None
    metric: str = ""
    modes: list[TrainingMode] = []


class ScalingPoint(Recorded):
    """One mode at one size."""

    size: float
    parameters: Size | None = None
    seconds: Spread | None = None
    multiply_adds: Size | None = None
    peak_bytes: Size | None = None
    reason: str = ""


class Exponent(Recorded):
    """The slope of cost over size, both in logarithms."""

    measured: Number = None
    predicted: Number = None


class ScalingMode(Recorded):
    """One mode over growing networks."""

    mode: str
    exponent: Exponent = Exponent()
    points: list[ScalingPoint] = []


class Crossover(Recorded):
    """The size at which one of two modes becomes the cheaper one."""

    modes: list[str] = []
    measured_at: Number = None
    predicted_at: Number = None
    sentence: str = ""


class Scaling(Recorded):
    """The comparison repeated over growing networks."""

    along: str
    sizes: list[float] = []
    examples: Count | None = None
    modes: list[ScalingMode] = []
    crossovers: list[Crossover] = []


class ComparisonRecord(Recorded):
    """A comparison of modes as `jactrain compare` recorded it."""

    kind: Literal["comparison"]
    schema_version: int
    name: str
    command: str = ""
    created: str = ""
    headline: str = ""
    configuration: str = ""
    environment: dict[str, Any] = {}
    examples: Count | None = None
    dtype: str = ""
    parameters: Count | None = None
    outputs: Count | None = None
    reference: str = ""
    modes: list[ModeRecord]
    training: Training | None = None
    scaling: Scaling | None = None


def read_comparison(path: Path) -> dict[str, Any]:
    """Return the comparison recorded in the file at `path`; RunError, with its name, where it is none."""
    value = read_json(path)
    try:
        checked(value)
    except RunError as error:
        raise RunError(f"{path}: {error}") from None
    return dict(value)


def read_json(path: Path) -> Any:
    """Return the JSON value in the file at `path`; RunError where there is none."""
    with reachable(path, "read"):
        if not path.is_file():
            raise RunError(f"there is no file {path}")
        if path.stat().st_size > _MAXIMUM_BYTES:
            raise RunError(f"{path} has more than {_MAXIMUM_BYTES:,} bytes; is it the right file?")
        data = path.read_bytes()
    return parse_json(data, str(path))


def parse_json(data: bytes | str, origin: str) -> Any:
    """Return the JSON value in `data`; RunError, with `origin`, where it is not JSON, NaN among it."""
    try:
        return json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        why = error.msg if isinstance(error, json.JSONDecodeError) else str(error) or "too deep"
        where = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise RunError(f"{origin}{where} is not JSON: {why}; it may have been cut off or edited") from None


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


def validated(model: type[Model], value: Any) -> Model:
    """Return `value` as a `model`; RunError naming the fields that are wrong."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        mistakes = error.errors(include_url=False)
    except RecursionError:
        raise RunError("the record nests too deep") from None
    texts = [
        f"{dotted(mistake['loc']) or 'the record'}: {_message(mistake)}"
        for mistake in mistakes[:_MOST_MISTAKES]
    ]
    more = f" and {len(mistakes) - _MOST_MISTAKES} more" if len(mistakes) > _MOST_MISTAKES else ""
    raise RunError(f"the record is damaged: {'; '.join(texts)}{more}")


def _message(mistake: Any) -> str:
    message = str(mistake["msg"]).removeprefix("Value error, ")
    message = f"{message[:1].lower()}{message[1:]}"
    return (
        message
        if mistake["type"] in ("missing", "value_error")
        else f"{message}, not {shown(mistake['input'])}"
    )


def _require_length(name: str, values: Sequence[Any], steps: Sequence[Any]) -> None:
    if len(values) not in (0, len(steps)):
        raise ValueError(f"{name} has {len(values)} entries, but step has {len(steps)}")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")
