"""Devices: which there are, how arrays get there and back, and how JAX is to compute."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jactrain.arrays import Array
from jactrain.errors import OptionError, UnsupportedError

# The axis of the mesh that the examples of a batch are divided along.
AXIS = "examples"


@contextmanager
def tracing() -> Iterator[None]:
    """Compute in the dtypes that are given, float64 too, and in float32 by no shorter products on GPUs."""
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        yield


class Placement:
    """The devices of a training, and how arrays get there and back."""

    def __init__(self, devices: Sequence[Any]) -> None:
        self.devices = tuple(devices)

    def facts(self) -> dict[str, Any]:
        """Return JAX's version, the devices' names and the number of processes, as plain values."""
        names = [f"{device.device_kind} {device.id}" for device in self.devices]
        return {"jax": jax.__version__, "devices": names, "processes": jax.process_count()}

    def told(self) -> str:
        """Return the same in words, for people."""
        there = len(jax.devices())
        of_them = f"{len(self.devices)} of {there} devices" if there > 1 else "one device"
        return f"jax {jax.__version__} on {of_them} ({self.devices[0].platform})"

    @property
    def own(self) -> Any:
        """The first device of this process."""
        return next(device for device in self.devices if device.process_index == jax.process_index())

    @property
    def is_divided(self) -> bool:
        """Whether there are several."""
        return len(self.devices) > 1

    def sharding(self, *axes: str | None) -> NamedSharding:
        """Return the sharding over the devices in a row, divided along what `axes` calls the mesh's axis."""
        return NamedSharding(Mesh(np.array(self.devices), (AXIS,)), PartitionSpec(*axes))

    def put(self, array: Array, *axes: str | None) -> Any:
        """Return `array` on the devices: divided along the axis that `axes` names, or whole on each."""
        if not self.is_divided:
            return jax.device_put(array, self.devices[0])
        array = np.asarray(array)
        sharding = self.sharding(*axes)
        return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])


def placement_for(examples: int, devices: int | None, distributed: bool) -> Placement:
    """Return the devices that batches of `examples` examples are divided among.

    devices: how many; None for as many as divide the batch. distributed: whether other processes train too.
    Raises OptionError if there are fewer than asked for, or these do not divide the batch.
    """
    if distributed:
        join()
    there = _there()
    if devices is None:
        count = max(n for n in range(1, len(there) + 1) if examples % n == 0)
        if distributed and count < len(there):
            raise OptionError(_undivided(examples, len(there)), "distributed")
        return Placement(there[:count])
    if devices > len(there):
        raise OptionError(
            f"{devices} devices are asked for, but JAX finds {len(there)} ({there[0].platform}); "
            f"set devices: {len(there)}, or leave it out",
            "devices",
        )
    if examples % devices:
        raise OptionError(_undivided(examples, devices), "devices")
    chosen = there[:devices]
    if {device.process_index for device in chosen} != {device.process_index for device in there}:
        raise OptionError(
            f"the first {devices} of {len(there)} devices leave one of the {jax.process_count()} processes "
            f"without any; set devices: {len(there)}, or start fewer processes",
            "devices",
        )
    return Placement(chosen)


def _there() -> list[Any]:
    """Return the devices that JAX finds; UnsupportedError where it cannot begin to use any."""
    try:
        return list(jax.devices())
    except Exception as error:  # a backend that is not there raises what it likes
        raise UnsupportedError(
            f"JAX finds no device: {first_line(error) or type(error).__name__}; unset JAX_PLATFORMS if that "
            "asks for one which is not there, or choose engine: numpy"
        ) from None


def on_host(array: Any) -> Array:
    """Return an array that is whole on every device, or NumPy's own, to be read."""
    return np.asarray(array)


def has_joined() -> bool:
    """Return whether this process has joined others."""
    return bool(jax.distributed.is_initialized())


def join() -> None:
    """Join the other processes, unless that was done; OptionError where it fails."""
    if has_joined():
        return
    variables = os.environ
    count, number = variables.get("JAX_NUM_PROCESSES"), variables.get("JAX_PROCESS_ID")
    try:
        jax.distributed.initialize(
            coordinator_address=variables.get("JAX_COORDINATOR_ADDRESS"),
            num_processes=int(count) if count else None,
            process_id=int(number) if number else None,
        )
    except (ValueError, RuntimeError) as error:
        raise OptionError(
            f"this process cannot join the others: {first_line(error)}; start it by Slurm or Kubernetes, or "
            "set JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID",
            "distributed",
        ) from None


def _undivided(examples: int, devices: int) -> str:
    return (
        f"a batch of {examples} examples cannot be divided evenly among {devices} devices; take a batch_size "
        f"that is a multiple of {devices}, or other devices"
    )


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, without its full stop, or its name."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
