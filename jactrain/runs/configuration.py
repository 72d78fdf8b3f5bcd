"""The configuration of a run, read back."""

from __future__ import annotations

import sys

from jactrain.config.files import load_config
from jactrain.config.models import Config
from jactrain.errors import ConfigurationError, RunError
from jactrain.runs.directory import RunDirectory


def configuration_of(run: RunDirectory) -> Config:
    """Return the configuration that `run` was trained with.

    Raises RunError where a plug-in of the run is not loaded and so kinds are missing, ConfigurationError for
    any other mistake.
    """
    try:
        return load_config(run.resolved_config)
    except ConfigurationError:
        missing = [module for module in _plugins(run) if module not in sys.modules]
        if not missing:
            raise
        options = " ".join(f"--plugin {module}" for module in missing)
        raise RunError(
            f"{run.path} was trained with {options}, and its configuration cannot be read without; give "
            f"{options} again (from Python: import {', '.join(missing)})"
        ) from None


def _plugins(run: RunDirectory) -> list[str]:
    """Return the modules that the command line of `run` gave to `--plugin`."""
    given = run.read_meta().get("argv")
    arguments = [each for each in given if isinstance(each, str)] if isinstance(given, list) else []
    pairs = zip(arguments, [*arguments, ""][1:], strict=True)
    whole = (
        argument if argument.startswith("--plugin=") else f"{argument}={value}" for argument, value in pairs
    )
    return [text.removeprefix("--plugin=") for text in whole if text.startswith("--plugin=")]
