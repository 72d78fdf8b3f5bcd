"""The command line: one command a file, heavy imports inside the commands."""

import sys
from io import TextIOWrapper

__all__ = ["main"]


def main() -> None:
    """Run the command line; Ctrl-C ends it with 130, even while its modules are still being imported."""
    for stream in (sys.stdout, sys.stderr):  # what the encoding lacks is shown as `?`, and ends nothing
        if isinstance(stream, TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")
    try:
        from jactrain.cli import app

        app.main()
    except KeyboardInterrupt:
        sys.exit(130)
