"""The commands together, and what becomes of errors."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Annotated

import typer

from jactrain.cli import (
    check,
    compare,
    describe,
    evaluate,
    explain,
    gradient,
    init,
    jacobian,
    list_kinds,
    predict,
    report,
    resume,
    run,
    schema,
    sweep,
    validate,
)
from jactrain.errors import ConfigurationError, JactrainError

app = typer.Typer(
    name="jactrain",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (
    init,
    validate,
    explain,
    check,
    compare,
    run,
    resume,
    sweep,
    evaluate,
    predict,
    report,
    gradient,
    jacobian,
    list_kinds,
    describe,
    schema,
):
    app.command(command.NAME)(command.command)


def _show_version(wanted: bool) -> None:
    if wanted:
        import jactrain

        typer.echo(f"jactrain {jactrain.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_show_version),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Train neural networks by any way of differentiating them, and know whether it is right.

    Example: jactrain run configs/digits.yaml

    Exit codes: 0 fine, 1 failed, 2 wrong usage or configuration, 3 diverged, 130 interrupted.
    """


def main() -> None:
    """Run the command line; a user's mistake ends in a message and an exit code, not a traceback."""
    try:
        try:
            app()
        finally:
            if sys.stdout is not None:  # closed by the shell, >&-
                sys.stdout.flush()  # what is still held back may not find room
    except JactrainError as error:
        if "--debug" in sys.argv:
            raise
        # Mistakes in a configuration begin with their own places, which editors and terminals follow.
        text = str(error) if isinstance(error, ConfigurationError) else f"error: {error}"
        typer.echo("\n".join(map(_escaped, text.split("\n"))), err=True)  # names from files may hold anything
        sys.exit(error.exit_code)
    except MemoryError as error:
        typer.echo(f"error: out of memory: {error}; take smaller layers, batches or data", err=True)
        sys.exit(1)
    except BrokenPipeError:  # the reader of a pipe has gone
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:  # a full disk, or one that is gone
        if "--debug" in sys.argv:
            raise
        place = f"{error.filename}: " if error.filename else "standard output cannot be written: "
        told = f"{place}{error.strerror or error}; look at its permissions and its disk"
        typer.echo(f"error: {told}", err=True)
        _forget_output()
        sys.exit(1)


def _escaped(line: str) -> str:
    from jactrain.config.wording import escaped

    return escaped(line)


def _forget_output() -> None:
    """Let what stdout still holds go nowhere, so that the interpreter does not fail on it when it ends."""
    with contextlib.suppress(OSError):  # no file, as in a test
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
