"""`jactrain check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from jactrain.cli.common import (
    ConfigPath,
    Json,
    Overrides,
    Plugins,
    echo_json,
    echo_table,
    load_plugins,
    small,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from jactrain.agreement.check import Check
    from jactrain.agreement.finding import Finding, Sensitivity
    from jactrain.agreement.pairs import Pair

NAME = "check"


def command(
    config_path: ConfigPath,
    examples: Annotated[
        int, typer.Option("--examples", metavar="N", min=1, help="How many examples of the data are used.")
    ] = 32,
    budget: Annotated[
        float, typer.Option("--budget", metavar="SECONDS", min=0, help="Modes that take longer are skipped.")
    ] = 5.0,
    show_all: Annotated[
        bool, typer.Option("--all", help="Show every law and pair, not the worst alone.")
    ] = False,
    overrides: Overrides = None,
    plugins: Plugins = None,
    json: Json = False,
) -> None:
    """Check every product of every layer, and every mode against every other.

    Example: jactrain check configs/digits.yaml

    The differences allowed are derived, and shown with their reason. Last comes what the check could have
    caught: the smallest relative error planted in a product. Exit code 1 if anything disagrees.
    """
    import numpy as np

    from jactrain.agreement.check import check
    from jactrain.agreement.compare import Verdict
    from jactrain.config.build import build
    from jactrain.config.compared import every_mode
    from jactrain.config.files import load_document, located
    from jactrain.objective import Batch

    load_plugins(plugins)
    config, document = load_document(config_path, overrides or ())
    with located(document):
        experiment = build(config)
    part = experiment.training
    rng = np.random.default_rng(config.seed)
    count = min(examples, len(part.x))
    noise = experiment.network.draw_noise(rng, count, experiment.dtype)
    batch = Batch(part.x[:count], part.targets[:count], noise)
    found = check(experiment.objective, experiment.initial_parameters, batch, every_mode(config), rng, budget)
    if json:
        echo_json({"examples": count, "dtype": str(experiment.dtype), **found.as_json()})
    else:
        _show(found, show_all, f"{config.name}, {count} examples, {experiment.dtype}")
    if found.verdict in (Verdict.DISAGREE, Verdict.FAILED):
        raise typer.Exit(1)


def _show(found: Check, show_all: bool, heading: str) -> None:
    typer.echo(f"{heading}: {_sentence(found)}")
    wrong = [finding for finding in found.layers if finding.verdict == "disagree"]
    for finding in wrong:
        typer.echo(f"  {_told(finding)}")
    layers = found.layers if show_all else _worst_laws(found.layers)
    typer.echo(
        "\nproducts of the layers and the loss, against the derivative of their values"
        + ("" if show_all else "; of those that agree, the worst")
    )
    echo_table(_layers(layers))
    typer.echo(f"\nallowed, as for the first row: {layers[0].reason}")
    typer.echo("\nmodes, each against the others" + ("" if show_all else "; of those that agree, the worst"))
    pairs = found.modes if show_all else _worst_pairs(found.modes)
    echo_table(_modes(pairs))
    typer.echo("\nthe smallest relative error that is caught, planted in one product at a time")
    echo_table(_sensitivity(found.sensitivity))


def _sentence(found: Check) -> str:
    """Return what was found, in a sentence."""
    counts = {
        verdict: sum(finding.verdict == verdict for finding in found.layers)
        + sum(pair.verdict == verdict for pair in found.modes)
        for verdict in ("agree", "disagree", "failed", "undecided")
    }
    parts = [f"{count} comparisons {verdict}" for verdict, count in counts.items() if count]
    return (
        ", ".join(parts)
        .replace(" comparisons undecided", " undecided")
        .replace(" comparisons failed", " failed")
    )


def _told(finding: Finding) -> str:
    """Return what is wrong, and where, with both values."""
    of = f" of {finding.part}" if finding.part else ""
    text = f"{finding.layer}: {finding.product}{of} is wrong, by the law {finding.law}: "
    if finding.value is None or finding.reference is None:
        return text + finding.reason
    return text + f"the worst entry is {finding.value:.9g}, not {finding.reference:.9g}"


def _worst_laws(findings: Sequence[Finding]) -> list[Finding]:
    """Return all findings that do not agree, and of those that do the first for each layer: the worst."""
    first: dict[str, Finding] = {}
    for finding in findings:
        if finding.verdict == "agree":
            first.setdefault(finding.layer, finding)
    return [each for each in findings if each.verdict != "agree" or first[each.layer] is each]


def _worst_pairs(pairs: Sequence[Pair]) -> list[Pair]:
    """Return all pairs that do not agree, and for each mode the one that agrees worst."""
    worst: dict[str, Pair] = {}
    for pair in pairs:
        if pair.verdict == "agree" and pair.excess >= worst.get(pair.mode, pair).excess:
            worst[pair.mode] = pair
    return [pair for pair in pairs if pair.verdict != "agree" or worst[pair.mode] is pair]


def _layers(findings: Sequence[Finding]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table("layer", "product", "law", box=None)
    for column in ("error", "allowed"):
        table.add_column(column, justify="right")
    table.add_column("verdict")
    for finding in findings:
        told = finding.verdict.value if finding.verdict != "undecided" else f"undecided: {finding.reason}"
        table.add_row(
            escape(finding.layer),
            f"{finding.product} {finding.part}".rstrip(),
            finding.law,
            small(finding.error),
            small(finding.allowed),
            escape(told),
        )
    return table


def _modes(pairs: Sequence[Pair]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table("mode", "against", box=None)
    for column in ("error", "allowed"):
        table.add_column(column, justify="right")
    for column in ("verdict", "why this much is allowed"):
        table.add_column(column)
    for pair in pairs:
        figures: tuple[float | None, float | None] = (None, None)
        if pair.comparison is not None and pair.verdict != "not comparable":
            figures = pair.comparison.whole.relative_error, pair.comparison.whole.allowed
        table.add_row(
            escape(pair.mode),
            escape(pair.reference),
            *map(small, figures),
            pair.verdict.value,
            escape(pair.reason),
        )
    return table


def _sensitivity(sensitivities: Sequence[Sensitivity]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    products = list(dict.fromkeys(each.product for each in sensitivities))
    by_layer: dict[str, dict[str, str]] = {}
    for each in sensitivities:
        caught = "none" if each.smallest_caught is None else small(each.smallest_caught)
        by_layer.setdefault(each.layer, {})[each.product] = caught
    table = Table("layer", box=None)
    for product in products:
        table.add_column(product, justify="right")
    for layer, own in by_layer.items():
        table.add_row(escape(layer), *(own.get(product, "") for product in products))
    return table
