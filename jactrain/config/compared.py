"""The modes that a configuration asks for: which are compared, and whether they can do what is asked."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jactrain.config.models import Config
from jactrain.config.noting import noting
from jactrain.config.wording import set_option
from jactrain.errors import ConfigurationError, KeyPath, Mistake, UnsupportedError
from jactrain.modes import modes
from jactrain.modes.base import Mode
from jactrain.objective import Objective


class Compared(NamedTuple):
    """The modes that are compared with the one that trains, and what is to be said of the choice."""

    modes: tuple[Mode, ...] = ()
    notes: tuple[str, ...] = ()


def compared(config: Config, objective: Objective, mistakes: list[Mistake]) -> Compared:
    """Return the modes to compare with the training mode, after noting what cannot be done.

    The training mode itself, which `--set mode=` may have taken from the list, gives its place to reverse.
    """
    with noting(mistakes, ("mode",)):
        config.mode.require_products(objective)
    listed = config.agreement.modes if config.agreement else []
    for index, mode in enumerate(listed):
        path = ("agreement", "modes", index)
        if mode != config.mode:
            with noting(mistakes, path):
                mode.require_products(objective)
        if mode in listed[:index]:
            mistakes.append(Mistake(path, f"{mode.label} is listed twice", "leave one out"))
    if config.mode not in listed:
        return Compared(tuple(listed))
    reverse = modes.resolve("reverse")
    place = [] if reverse in (config.mode, *listed) or not _serves(reverse, objective) else [reverse]
    index = listed.index(config.mode)
    kept = [*listed[:index], *place, *listed[index + 1 :]]
    if not kept:
        mistakes.append(_nothing_to_compare(config, objective))
    instead = "reverse is compared with it instead" if place else "it is left out"
    note = f"agreement.modes lists {config.mode.label}, which is the training mode: {instead}"
    return Compared(tuple(kept), (note,))


def every_mode(config: Config) -> list[Mode]:
    """Return all modes, each once: reverse, those that `config` names, the others' defaults, the recursion.

    The recursion is forward seeded by parameters, as it is first written. `auto` is left out, as it is one
    of the others.
    """
    listed = config.agreement.modes if config.agreement else []
    others = [modes.resolve(name) for name in modes.names()]
    literal = modes.resolve({"forward": {"seeds": "parameters"}})
    chosen: list[Mode] = []
    for mode in [modes.resolve("reverse"), config.mode, *listed, *others, literal]:
        if mode not in chosen and mode.kind != "auto":
            chosen.append(mode)
    return chosen


def check_plans(config: Config, objective: Objective, agreement: Compared, examples: int) -> None:
    """Raise ConfigurationError where a mode refuses a batch that it will get of the training `examples`.

    The plans are made again while training. Made here, for next to nothing, they tell of a bound on memory
    that cannot be kept before anything is written.
    """
    mistakes: list[Mistake] = []
    batch = config.training.batch_size
    sizes = {batch, examples % batch} - {0}
    listed = config.agreement.modes if config.agreement else []
    most = config.agreement.examples if config.agreement else 0
    asked: list[tuple[Mode, KeyPath, int]] = [(config.mode, ("mode",), batch)]
    for mode in agreement.modes:
        place = (listed.index(mode),) if mode in listed else ()
        asked.append((mode, ("agreement", "modes", *place), most))
    for mode, path, largest in asked:
        with noting(mistakes, path, mode.kind):
            for size in sorted({min(size, largest) for size in sizes}, reverse=True):
                mode.prepare(objective, size, np.dtype(config.dtype))
    with noting(mistakes, ("optimizer",), config.optimizer.kind):
        config.optimizer.require_form(config.dtype)
    if not mistakes:
        with noting(mistakes, ("engine",), config.engine.kind):
            config.engine.require(config.mode, objective, config.optimizer, batch, config.dtype)
    if mistakes:
        raise ConfigurationError(mistakes)


def _nothing_to_compare(config: Config, objective: Objective) -> Mistake:
    others = ["forward", "finite_difference", {"finite_difference": {"scheme": "five_point"}}]
    other = next(
        other
        for other, mode in zip(others, map(modes.resolve, others), strict=True)
        if mode != config.mode and _serves(mode, objective)
    )
    line = set_option(("agreement", "modes"), [other])
    return Mistake(
        ("agreement", "modes", 0),
        f"{config.mode.label} is the training mode, and nothing is checked by comparing it with itself",
        f"compare with another: {line}\nor with none: --set agreement=null",
    )


def _serves(mode: Mode, objective: Objective) -> bool:
    """Tell whether the network has the products that `mode` uses."""
    try:
        mode.require_products(objective)
    except UnsupportedError:
        return False
    return True
