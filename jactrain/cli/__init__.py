"""The command line: one command a file, heavy imports inside the commands."""

from jactrain.cli.app import main

__all__ = ["main"]
