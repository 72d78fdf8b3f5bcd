"""Tables and lines of figures for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rich.table import Table

from jactrain.cli.common import cell, small
from jactrain.config.wording import escaped

if TYPE_CHECKING:
    from jactrain.agreement.monitor import Measurement
    from jactrain.config.build import Blueprint
    from jactrain.runs.session import RunResult

_PERCENT = ("accuracy",)


def figure(name: str, value: Any) -> str:
    """Return a figure as people read it: accuracies in percent, others to four digits."""
    if value is None:
        return "–"
    if name.endswith(_PERCENT):
        return f"{100 * value:.2f} %"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def counted(number: int, noun: str) -> str:
    """Return `number` with `noun`, in the plural unless it is one."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def metrics_table(metrics: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return a table with a row for each part of the data and a column for each figure."""
    names = list(next(iter(metrics.values())))
    table = Table("part", box=None)
    for name in names:
        table.add_column(name, justify="right")
    for part, figures in metrics.items():
        table.add_row(part, *(figure(name, figures[name]) for name in names))
    return table


def agreement_heading(result: RunResult) -> str:
    """Return what the modes were compared with, at which step of how many, and on how many examples."""
    ((reference, examples),) = {
        (measurement.reference, measurement.examples) for measurement in result.agreement.values()
    }
    return (
        f"agreement with {reference} after {result.agreement_step:,} of "
        f"{counted(result.steps, 'step')}, on {counted(examples, 'example')}"
    )


def agreement_table(measurements: Iterable[Measurement]) -> Table:
    """Return a table with a row for each mode compared."""
    table = Table(box=None)
    table.add_column("mode", overflow="fold")
    for column in ("relative error", "allowed", "cosine"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("verdict")
    for measurement in measurements:
        whole = measurement.comparison.whole
        table.add_row(
            cell(measurement.mode),
            small(whole.relative_error),
            small(whole.allowed),
            "–" if whole.cosine is None else f"{whole.cosine:.9f}",
            f"{whole.verdict}" + (f", {whole.kinked:,} entries at kinks set apart" if whole.kinked else ""),
        )
    return table


def agreement_reasons(measurements: Iterable[Measurement]) -> str:
    """Return why this much is allowed, a line for the modes that share it; the worst entry where they err."""
    shared: dict[str, list[str]] = {}
    for measurement in measurements:
        comparison = measurement.comparison
        reason = comparison.reason
        if comparison.verdict == "disagree":
            worst = comparison.whole.worst
            index = ", ".join(map(str, worst.index))
            reason += (
                f"; {worst.parameter}[{index}] is {worst.value:.9g}, "
                f"by {measurement.reference} {worst.reference:.9g}"
            )
        shared.setdefault(reason, []).append(measurement.mode)
    return "\n ".join(escaped(f"{', '.join(names)}: {reason}") for reason, names in shared.items())


def disagreements(result: RunResult) -> list[str]:
    """Return for each mode that disagreed or failed before the last comparison when it did, in words."""
    found = {
        mode: before
        for mode, steps in result.disagreements.items()
        if (before := [step for step in steps if step != result.agreement_step])
    }
    return [
        f"{mode} disagreed or failed at {counted(len(steps), 'earlier comparison')}, "
        f"{'the first ' if len(steps) > 1 else ''}at step {steps[0]:,}; agreement.jsonl has them"
        for mode, steps in found.items()
    ]


def chain_table(blueprint: Blueprint) -> Table:
    """Return a table of the layers: sizes, parameters, multiply-adds per example."""
    table = Table("layer", "inputs", "outputs", box=None)
    table.add_column("parameters", justify="right")
    table.add_column("multiply-adds forward", justify="right")
    for link in blueprint.network.links:
        table.add_row(
            link.name,
            _shape(link.input_shape),
            _shape(link.output_shape),
            f"{link.layout.size:,}",
            f"{link.cost.forward:,}",
        )
    total = sum(link.cost.forward for link in blueprint.network.links)
    table.add_row("all", "", "", f"{blueprint.network.size:,}", f"{total:,}")
    return table


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
