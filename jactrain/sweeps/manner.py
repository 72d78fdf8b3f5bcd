"""How the cells of a sweep are trained, whatever they are."""

from __future__ import annotations

from dataclasses import dataclass

from jactrain.sweeps.folder import Status


@dataclass(frozen=True)
class Manner:
    """How the cells are trained, whatever they are.

    retry: train those anew that diverged or failed. update: go on in a folder made from another file.
    threads: of each training; results depend on them, and on nothing else here. brought_back: workers have
    file systems of their own, and folders are sent there and back. plugins: modules that workers import.
    """

    retry: bool = False
    update: bool = False
    threads: int = 1
    brought_back: bool = False
    plugins: tuple[str, ...] = ()

    def takes(self, status: Status) -> bool:
        """Return whether a cell of which this became is trained, anew or on."""
        return status.is_to_do or (self.retry and status.is_failure)
