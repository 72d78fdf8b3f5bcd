"""The page of a comparison of modes, from its record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jactrain.report.gradients import gradient_sections
from jactrain.report.page import Page
from jactrain.report.record import ComparisonRecord, checked
from jactrain.report.scaling import scaling_section
from jactrain.report.texts import counted
from jactrain.report.training import training_section


def comparison_page(comparison: Mapping[str, Any]) -> Page:
    """Return the page of `comparison`, the JSON value that `jactrain compare` records.

    Raises RunError, saying which fields are wrong, for a value that is not such a record.
    """
    record = checked(comparison)
    styles = _styles(record)
    first, _, rest = record.headline.partition(". ")
    sections = [*gradient_sections(record, styles)]
    if record.training is not None:
        sections.append(training_section(record.training, styles))
    if record.scaling is not None:
        sections.append(scaling_section(record.scaling, styles))
    return Page(
        title=f"Comparison of modes: {record.name}",
        headline=(f"{first}." if rest else first)
        or f"{counted(len(record.modes), 'mode')} compared on {record.name}",
        lead=rest,
        facts=_facts(record),
        sections=sections,
        configurations={"Configuration": record.configuration} if record.configuration else {},
        environments={"Environment": record.environment} if record.environment else {},
    )


def _styles(record: ComparisonRecord) -> dict[str, int]:
    """Return a number for each mode, which gives it the same colour and marker in every figure."""
    names = [mode.mode for mode in record.modes]
    names += [mode.mode for mode in record.training.modes] if record.training else []
    names += [mode.mode for mode in record.scaling.modes] if record.scaling else []
    return {name: index for index, name in enumerate(dict.fromkeys(names))}


def _facts(record: ComparisonRecord) -> dict[str, str]:
    facts = {
        "Reference": record.reference,
        "Batch": "" if record.examples is None else counted(record.examples, "example"),
        "Parameters": "" if record.parameters is None else f"{record.parameters:,}",
        "Outputs": "" if record.outputs is None else f"{record.outputs:,}",
        "Precision": record.dtype,
        "Recorded": record.created.replace("T", " ").replace("Z", " UTC"),
        "Command": record.command,
    }
    return {name: fact for name, fact in facts.items() if fact}
