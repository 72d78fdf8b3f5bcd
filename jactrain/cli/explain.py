"""`jactrain explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from jactrain.cli.common import (
    ConfigPath,
    Json,
    Overrides,
    Plugins,
    cell,
    echo_json,
    echo_notes,
    echo_table,
)
from jactrain.plugins import load_plugins

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from jactrain.explanation import Prediction

NAME = "explain"


def command(
    config_path: ConfigPath,
    overrides: Overrides = None,
    plugins: Plugins = None,
    json: Json = False,
) -> None:
    """Predict what every mode would cost for this network and batch.

    Example: jactrain explain configs/digits.yaml --set mode=forward

    Nothing is trained, and of the data only the shapes are read. A gradient is of the loss of one batch; a
    Jacobian is of the outputs, in the parameters or the inputs, in brackets as the plan multiplies.
    """
    import numpy as np

    from jactrain.cli.tables import chain_table
    from jactrain.config.build import check
    from jactrain.config.files import load_document, located
    from jactrain.explanation import explain, reason
    from jactrain.modes.memory import rounded

    load_plugins(plugins)
    config, document = load_document(config_path, overrides or ())
    with located(document):
        blueprint = check(config)
    objective, examples, dtype = blueprint.objective, config.training.batch_size, config.dtype
    explanation = explain(objective, examples, dtype, config.mode)
    notes = blueprint.agreement.notes
    if json:
        echo_json(
            {
                "chain": [
                    {
                        "layer": link.name,
                        "inputs": list(link.input_shape),
                        "outputs": list(link.output_shape),
                        "parameters": link.layout.size,
                        "multiply_adds": link.cost.forward,
                    }
                    for link in objective.links
                ],
                "examples": examples,
                "gradient": [way.as_json() for way in explanation.gradient],
                "jacobian_parameters": [way.as_json() for way in explanation.jacobian_parameters],
                "jacobian_inputs": [way.as_json() for way in explanation.jacobian_inputs],
                "recommended": explanation.recommended,
                "notes": notes,
            }
        )
        return
    echo_table(chain_table(blueprint))
    network = objective.network
    numbers = examples * network.output_shape[0] * network.size
    size = rounded(numbers * np.dtype(dtype).itemsize)
    headings = {
        f"gradient of the loss, {examples} examples": [w for w in explanation.gradient if not w.estimates],
        "estimates of it, which differ from it by about the error": [
            way for way in explanation.gradient if way.estimates
        ],
        "J_θ f, the outputs' Jacobian in the parameters, kept as factors; dense it has "
        f"{numbers:,} numbers, {size}": explanation.jacobian_parameters,
        "J_x f, the outputs' Jacobian in the inputs, dense": explanation.jacobian_inputs,
    }
    best = next((way.multiply_adds for way in explanation.gradient if way.multiply_adds), 1)
    for heading, ways in headings.items():
        typer.echo(f"\n{heading}")
        own = next((way.multiply_adds for way in ways if way.multiply_adds), 1)
        echo_table(_table(ways, best if ways[0] in explanation.gradient else own))
    typer.echo("\n" + "\n".join(reason(explanation, objective)))
    echo_notes(notes)


def _table(ways: Sequence[Prediction], best: int) -> Table:
    """Return a row for each way; `best` is what costs are divided by."""
    from rich.table import Table

    from jactrain.modes.memory import rounded

    table = Table("mode", box=None)
    for column in ("multiply-adds", "to the best", "peak memory"):
        table.add_column(column, justify="right")
    table.add_column("error" if ways[0].estimates else "order" if ways[0].brackets else "exactness")
    for way in ways:
        if way.multiply_adds is None or way.peak_bytes is None:
            table.add_row(cell(way.mode), "–", "–", "–", cell(way.refused))
            continue
        table.add_row(
            cell(way.mode),
            f"{way.multiply_adds:.3g}",
            f"{way.multiply_adds / best:.3g}",
            rounded(way.peak_bytes),
            cell(_last(way)),
        )
    return table


def _last(way: Prediction) -> str:
    """Return the error of an estimate, the order of a Jacobian, or how exact a gradient is."""
    if way.expected_error is not None:
        return f"{way.expected_error:.3g} times the gradient"
    if way.estimates:
        return "only the angle means anything" if way.exactness == "biased" else "less than random_forward's"
    pure = {"reverse": "rows pulled from the outputs", "forward": "columns pushed from the inputs"}
    return pure.get(way.mode, _shortened(way.brackets)) if way.brackets else way.exactness


def _shortened(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[: most // 2]} … {text[-most // 2 :]}"
