"""`jactrain explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from jactrain.cli.common import (
    ConfigPath,
    Json,
    Overrides,
    Plugins,
    echo_json,
    echo_notes,
    echo_table,
    load_plugins,
)

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
    from jactrain.cli.tables import chain_table
    from jactrain.config.build import check
    from jactrain.config.files import load_document, located
    from jactrain.explanation import explain, notes_on, reason

    load_plugins(plugins)
    config, document = load_document(config_path, overrides or ())
    with located(document):
        blueprint = check(config)
    objective, examples, dtype = blueprint.objective, config.training.batch_size, config.dtype
    explanation = explain(objective, examples, dtype, config.mode)
    notes = notes_on(config.mode, objective, examples, dtype)
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
    headings = {
        f"gradient of the loss, {examples} examples": explanation.gradient,
        "J_θ f, the outputs' Jacobian in the parameters": explanation.jacobian_parameters,
        "J_x f, the outputs' Jacobian in the inputs": explanation.jacobian_inputs,
    }
    for heading, ways in headings.items():
        typer.echo(f"\n{heading}")
        echo_table(_table(ways))
    typer.echo(
        "\nIn brackets, A1 is the first layer for J_x f, and for J_θ f all between the first two with "
        "parameters.\n" + "\n".join(reason(explanation, objective))
    )
    echo_notes(notes)


def _table(ways: Sequence[Prediction]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    from jactrain.modes.memory import rounded

    table = Table("mode", box=None)
    for column in ("multiply-adds", "to the best", "peak memory"):
        table.add_column(column, justify="right")
    brackets = any(way.brackets for way in ways)
    table.add_column("brackets" if brackets else "exactness")
    best = next((way.multiply_adds for way in ways if way.exactness == "exact" and way.multiply_adds), 1)
    for way in ways:
        last = way.refused or (_shortened(way.brackets) if brackets else way.exactness)
        if way.multiply_adds is None or way.peak_bytes is None:
            table.add_row(escape(way.mode), "–", "–", "–", escape(last))
            continue
        table.add_row(
            escape(way.mode),
            f"{way.multiply_adds:.3g}",
            f"{way.multiply_adds / best:.3g}",
            rounded(way.peak_bytes),
            escape(last),
        )
    return table


def _shortened(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[: most // 2]} … {text[-most // 2 :]}"
