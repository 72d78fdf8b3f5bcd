"""`jactrain jacobian`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from jactrain.cli.common import (
    ConfigPath,
    Json,
    Overrides,
    Plugins,
    echo_json,
    require_folder,
)
from jactrain.errors import UsageError
from jactrain.plugins import load_plugins

if TYPE_CHECKING:
    from jactrain.jacobian.operator import Jacobian

NAME = "jacobian"

_MOST_BYTES = 2 * 2**30


def command(
    config_path: ConfigPath,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.npz", help="The npz file to write.")
    ] = None,
    wrt: Annotated[
        Literal["parameters", "inputs"], typer.Option("--wrt", help="What to differentiate in.")
    ] = "parameters",
    mode: Annotated[
        Literal["reverse", "forward", "mixed", "auto"],
        typer.Option("--mode", help="How the product of local Jacobians is bracketed."),
    ] = "auto",
    summary: Annotated[
        bool, typer.Option("--summary", help="Print spectrum, rank and condition of J Jᵀ instead.")
    ] = False,
    overrides: Overrides = None,
    plugins: Plugins = None,
    json: Json = False,
) -> None:
    """Write the Jacobian of one batch's outputs, or print its spectrum.

    Example: jactrain jacobian configs/iris.yaml --out jacobian.npz

    The batch is the first of the training data, the parameters are the initial ones, and noise (dropout) is
    off. The file holds jacobian/<layer>/<name>, (examples, outputs, *shape), or jacobian/inputs; x,
    outputs, parameters/<layer>/<name>, and config, the resolved configuration as JSON.
    """
    from jactrain.config.build import build
    from jactrain.config.files import load_document, located
    from jactrain.jacobian.operator import jacobian

    load_plugins(plugins)
    if out is None and not summary:
        raise UsageError("say where to write with --out FILE.npz, or ask for --summary")
    if out is not None:
        require_folder(out)
    config, document = load_document(config_path, overrides or ())
    with located(document):
        experiment = build(config)
    x, parameters = experiment.training.x[: config.training.batch_size], experiment.initial_parameters
    network = experiment.network
    columns = network.size if wrt == "parameters" else network.links[0].input_size
    outputs = network.output_shape[0]
    kernel = (len(x) * outputs) ** 2 if wrt == "parameters" else len(x) * outputs**2
    numbers = [len(x) * outputs * columns] if out is not None or wrt == "inputs" else []
    _require_size(max([*numbers, *([kernel] if summary else [])]) * parameters.itemsize, len(x))
    made = jacobian(network, parameters, x, wrt, mode)
    facts: dict[str, Any] = {
        "shape": list(made.shape),
        "wrt": wrt,
        "mode": made.mode,
        "brackets": made.brackets,
    }
    if summary:
        facts |= _spectrum(made)
    if out is not None:
        _write(out, made, x, parameters, config)
        facts["out"] = str(out)
    facts["multiply_adds"] = made.work.multiply_adds
    if json:
        echo_json(facts)
        return
    typer.echo(
        f"{made.mode}: {' × '.join(map(str, made.shape))} (examples, outputs, {wrt}), "
        f"{facts['multiply_adds']:.3g} multiply-adds, {made.brackets}",
        err=True,
    )
    if summary:
        typer.echo(_summary_text(facts))
    if out is not None:
        typer.echo(str(out))


def _require_size(size: int, examples: int) -> None:
    if size > _MOST_BYTES:
        raise UsageError(
            f"this takes {size / 2**30:.3g} GiB, but at most {_MOST_BYTES // 2**30} GiB are written or "
            f"decomposed; take fewer than {examples} examples: --set training.batch_size=…"
        )


def _write(out: Path, made: Jacobian, x: Any, parameters: Any, config: Any) -> None:
    import numpy as np

    from jactrain.config.resolved import resolved
    from jactrain.files import as_json, write_atomically
    from jactrain.jacobian.operator import ParametersJacobian
    from jactrain.runs.model import named_parameters

    network = made.network
    if isinstance(made, ParametersJacobian):
        blocks = {f"jacobian/{name}": made.block(name) for name in network.layout.names}
    else:
        blocks = {"jacobian/inputs": made.dense().reshape((*made.shape[:2], *network.input_shape))}
    arrays = {
        "x": x,
        "outputs": made.outputs,
        "config": np.asarray(as_json(resolved(config))),
        **named_parameters(network, parameters),
        **blocks,
    }
    write_atomically(out, lambda file: np.savez(file, **arrays))


def _spectrum(made: Jacobian) -> dict[str, Any]:
    """Return the eigenvalues of `J Jᵀ`, largest first, its numerical rank and condition."""
    import numpy as np

    values = np.sort(made.spectrum())[::-1]
    largest = float(values[0])
    # An eigenvalue below this is rounding of the largest (Golub & Van Loan 2013, §5.4.1).
    floor = largest * len(values) * float(np.finfo(made.dtype).eps)
    rank = int((values > floor).sum())
    condition = largest / float(values[rank - 1]) if rank else None
    return {"eigenvalues": values.tolist(), "rank": rank, "rows": len(values), "condition": condition}


def _summary_text(facts: dict[str, Any]) -> str:
    values, rank = facts["eigenvalues"], facts["rank"]
    shown = sorted(
        {0, *(len(values) * share // 100 for share in (1, 10, 50)), max(rank - 1, 0), len(values) - 1}
    )
    lines = [
        f"J Jᵀ: {facts['rows']} rows, rank {rank}, condition "
        + ("of no value: it is zero" if facts["condition"] is None else f"{facts['condition']:.3g}"),
        "eigenvalue        value    share of the sum so far",
    ]
    total, running = sum(values) or 1.0, 0.0
    for index, value in enumerate(values):
        running += value
        if index in shown:
            lines.append(f"{index + 1:>10}  {value:>11.4g}    {100 * running / total:.1f} %")
    return "\n".join(lines)
