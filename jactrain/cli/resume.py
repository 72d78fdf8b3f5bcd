"""`jactrain resume`."""

from __future__ import annotations

from jactrain.cli.common import Json, Overrides, Plugins, RunPath
from jactrain.cli.training import echo_result, trained
from jactrain.plugins import load_plugins

NAME = "resume"


def command(
    run_path: RunPath,
    overrides: Overrides = None,
    plugins: Plugins = None,
    json: Json = False,
) -> None:
    """Go on with a run that was interrupted, killed or diverged, or train one for longer.

    Example: jactrain resume runs/20261101T120000Z-digits-1a2b --set training.epochs=60

    It goes on from the newest checkpoint that is whole, and on the same machine ends with the same bits as if
    nothing had happened. What --set changes is recorded.
    """
    from jactrain.runs.resume import resume

    load_plugins(plugins)
    result = trained(lambda progress: resume(run_path, overrides or (), listeners=[progress]), json)
    echo_result(result, json)
