"""The command line: one command a file, heavy imports inside the commands."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; Ctrl-C ends it with 130, even while its modules are still being imported."""
    try:
        from jactrain.cli import app

        app.main()
    except KeyboardInterrupt:
        sys.exit(130)
