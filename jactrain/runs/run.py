"""A new run: build, make the folder, train."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jactrain.config.build import build
from jactrain.config.files import load_document, located
from jactrain.config.models import Config
from jactrain.config.noting import located_at
from jactrain.config.resolved import resolved, resolved_yaml
from jactrain.files import require_unicode, write_bytes, write_text
from jactrain.runs.data_record import data_record
from jactrain.runs.directory import RunDirectory
from jactrain.runs.lock import locked
from jactrain.runs.provenance import provenance
from jactrain.runs.recorder import Lengths
from jactrain.runs.session import (
    Point,
    RunListener,
    RunResult,
    Session,
    now,
    write_meta,
)
from jactrain.training.state import TrainingState


def run(
    config: Config | Path | str,
    runs: Path | str = "runs",
    *,
    given: bytes | None = None,
    folder: Path | None = None,
    listeners: Sequence[RunListener] = (),
) -> RunResult:
    """Train what `config` describes, writing a new folder below `runs`.

    config: a configuration, or the path of its file
    given: the configuration file as it was written, kept beside the resolved one.
    folder: the new folder itself, where its name is settled; RunError if there is something already.

    Nothing is written unless everything could be built. Raises ConfigurationError before that,
    DivergedError and KeyboardInterrupt after the folder was brought to a readable end. In the main thread,
    SIGINT and SIGTERM let the step end first; the second of them does not wait.
    """
    require_unicode(Path(runs) if folder is None else folder)
    if not isinstance(config, Config):
        config, document = load_document(config)
        with located(document):
            return run(config, runs, given=document.data, folder=folder, listeners=listeners)
    experiment = build(config, to_train=True)
    config = config.model_copy(update={"mode": experiment.mode})  # as bounded: the run is repeated by it
    with located_at(("engine",), config.engine.kind):
        experiment.engine.join(experiment)
        engine = experiment.engine.facts(experiment)
    meta = {
        "name": config.name,
        "started": now(),
        "engine": engine,
        **data_record(experiment),
        **provenance(config.seed, Path.cwd()),
    }
    text = resolved_yaml(config)

    def fill(directory: RunDirectory) -> None:
        write_text(directory.resolved_config, text)
        write_bytes(directory.config, text.encode() if given is None else given)
        write_meta(directory, meta, "running")

    directory = (
        RunDirectory.create(Path(runs), config.name, fill)
        if folder is None
        else RunDirectory.create_at(folder, fill)
    )
    with locked(directory):
        for listener in listeners:
            listener.on_folder(directory.path)
        session = Session(directory, experiment, meta, resolved(config), listeners)
        return session.train(Point(TrainingState.start(experiment), Lengths()))
