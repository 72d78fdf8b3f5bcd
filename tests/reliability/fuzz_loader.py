"""A coverage-guided run of the loader of configurations, by atheris: `make fuzz-loader`.

It goes on until an input ends in anything but a configuration or a ConfigurationError, takes more than a
second or 200 MB, or until the runs asked for are over (`-runs=100000`, libFuzzer's options). An input that
does is left in the current folder as `crash-…`.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["jactrain.config", "yaml"]):
    from jactrain.config.files import load_document
    from jactrain.errors import ConfigurationError

CONFIGS = Path(__file__).parents[2] / "configs"
FILE = Path(tempfile.mkdtemp()) / "fuzzed.yaml"


def load(data: bytes) -> None:
    """Read one input as a configuration."""
    FILE.write_bytes(data)
    refusal = None
    try:
        load_document(FILE)
    except ConfigurationError as error:
        refusal = error
    if refusal is not None:
        assert refusal.mistakes, "a refusal without a mistake"
        assert all(line.isprintable() for line in str(refusal).split("\n")), "an escape in a message"


def corpus() -> str:
    """Return a folder with the configurations that mutations begin with."""
    folder = Path(tempfile.mkdtemp())
    for path in CONFIGS.glob("*.yaml"):
        (folder / path.name).write_bytes(path.read_bytes())
    return str(folder)


if __name__ == "__main__":
    atheris.Setup([*sys.argv, "-timeout=5", "-rss_limit_mb=1024", "-max_len=4096", corpus()], load)
    atheris.Fuzz()
