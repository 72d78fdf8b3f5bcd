"""`jactrain check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from jactrain.cli.common import (
    ConfigPath,
    Json,
    Overrides,
    Plugins,
    cell,
    echo_engine,
    echo_json,
    echo_table,
    small,
)
from jactrain.plugins import load_plugins

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
    from jactrain.config.build import build
    from jactrain.config.compared import every_mode
    from jactrain.config.files import load_document, located
    from jactrain.objective import Batch

    load_plugins(plugins)
    config, document = load_document(config_path, overrides or ())
    echo_engine(config)
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
    if found.verdict.is_wrong:
        raise typer.Exit(1)


def _show(found: Check, show_all: bool, heading: str) -> None:
    from jactrain.config.wording import escaped

    typer.echo(f"{heading}: {_sentence(found)}")
    for finding in found.layers:
        if finding.verdict == "disagree":
            typer.echo(f"  {escaped(_told(finding))}")
    for pair in found.modes:
        if pair.verdict.is_wrong:
            against = f" and {pair.reference}" if pair.reference else ""
            typer.echo(f"  {escaped(f'{pair.mode}{against}: {pair.reason}')}")
    typer.echo(_guarded(found.sensitivity))
    worst = "" if show_all else "; of those that agree, the worst"
    typer.echo(f"\nproducts of layers and loss, against the derivative of their values{worst}")
    layers = found.layers if show_all else _worst_laws(found.layers)
    echo_table(_layers(layers))
    first = next((finding for finding in layers if finding.verdict == "agree"), None)
    if first is not None:
        typer.echo(f" allowed for {first.layer}: {first.reason}")
    typer.echo(f"\nmodes, each against the others{worst}")
    pairs = found.modes if show_all else _worst_pairs(found.modes)
    echo_table(_modes(pairs))
    why: dict[str, list[str]] = {}
    for pair in pairs:
        if pair.mode not in why.setdefault(pair.reason, []):
            why[pair.reason].append(pair.mode)
    for reason, names in why.items():
        typer.echo(f" {escaped(', '.join(names))}: {escaped(reason)}")
    typer.echo("\nthe smallest relative error of a whole product that would have been called wrong")
    echo_table(_sensitivity(found.sensitivity))


def _sentence(found: Check) -> str:
    """Return how many comparisons came to which verdict."""
    from jactrain.cli.tables import counted

    counts = {
        verdict: sum(finding.verdict == verdict for finding in found.layers)
        + sum(pair.verdict == verdict for pair in found.modes)
        for verdict in ("disagree", "failed", "agree", "undecided", "not comparable", "skipped")
    }
    words = {"disagree": "disagrees", "agree": "agrees"}
    parts: list[str] = []
    for verdict, count in counts.items():
        if count:
            noun = counted(count, "comparison") if not parts else f"{count:,}"
            parts.append(f"{noun} {words.get(verdict, verdict) if count == 1 else verdict}")
    return ", ".join(parts)


def _guarded(sensitivities: Sequence[Sensitivity]) -> str:
    """Return how small an error in any product would have been noticed, in a sentence."""
    known = [each for each in sensitivities if each.smallest_caught is not None]
    blind = [each for each in sensitivities if each.smallest_caught is None]
    told = "nothing could be tried"
    if known:
        worst = max(known, key=lambda each: each.smallest_caught or 0)
        told = (
            f"a relative error above {small(worst.smallest_caught)} in any product would have been noticed "
            f"(the least in {worst.layer}, {worst.product})"
        )
    if blind:
        told += f"; but none in {', '.join(f'{each.layer}, {each.product}' for each in blind[:3])}"
        told += f" and {len(blind) - 3} more" if len(blind) > 3 else ""
        told += ", wrong as they are or zero wherever they were tried"
    return told


def _told(finding: Finding) -> str:
    """Return what is wrong, and where, with both values to as many digits as tell them apart."""
    of = f" of {finding.part}" if finding.part else ""
    text = f"{finding.layer}: {finding.product}{of} is wrong: "
    if finding.value is None or finding.reference is None:
        return text + finding.reason
    digits = 9 if f"{finding.value:.9g}" != f"{finding.reference:.9g}" else 17
    text += f"by the law {finding.law} off by {small(finding.error)}, allowed {small(finding.allowed)}; "
    text += f"the worst entry is {finding.value:.{digits}g}, not {finding.reference:.{digits}g}"
    return text + (f". {finding.advice}" if finding.advice else "")


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
    from rich.table import Table

    table = Table("layer", "product", "law", box=None)
    for column in ("error", "allowed"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("verdict")
    for finding in findings:
        told = finding.verdict.value if finding.verdict != "undecided" else f"undecided: {finding.reason}"
        table.add_row(
            cell(finding.layer),
            f"{finding.product} {finding.part}".rstrip(),
            finding.law,
            small(finding.error),
            small(finding.allowed),
            cell(told),
        )
    return table


def _modes(pairs: Sequence[Pair]) -> Table:
    from rich.table import Table

    table = Table(box=None)
    for column in ("mode", "against"):
        table.add_column(column, overflow="fold")
    for column in ("error", "allowed"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("verdict")
    for pair in pairs:
        figures: tuple[float | None, float | None] = (None, None)
        kinked = 0
        if pair.comparison is not None and pair.verdict != "not comparable":
            whole = pair.comparison.whole
            figures, kinked = (whole.relative_error, whole.allowed), whole.kinked
        apart = f", {kinked:,} entries at kinks apart" if kinked else ""
        table.add_row(
            cell(pair.mode), cell(pair.reference), *map(small, figures), f"{pair.verdict.value}{apart}"
        )
    return table


# Rules that are not of the four products, of which the table shows the one that is guarded least.
_PRODUCTS = ("jvp", "vjp", "parameter_jvp", "parameter_vjp")


def _sensitivity(sensitivities: Sequence[Sensitivity]) -> Table:
    from rich.table import Table

    table = Table("layer", box=None)
    for product in (*_PRODUCTS, "other rules"):
        table.add_column(product.replace("_", " "), justify="right")
    by_layer: dict[str, dict[str, float | None]] = {}
    for each in sensitivities:
        by_layer.setdefault(each.layer, {})[each.product] = each.smallest_caught
    for layer, own in by_layer.items():
        others = [own[product] for product in own if product not in _PRODUCTS]
        cells = [small(own[product]) if product in own else "" for product in _PRODUCTS]
        least = max((size for size in others if size is not None), default=None)
        table.add_row(cell(layer), *cells, small(least) if others else "")
    return table
