"""Which peers are installed: a smoke run leaves out the others, a complete one refuses to start."""

from __future__ import annotations

from importlib.util import find_spec

# How it is imported: how it is called.
PEERS = {"sklearn": "scikit-learn", "torch": "PyTorch", "jax": "JAX", "scipy": "scipy"}


def has(module: str) -> bool:
    """Tell whether `module` can be imported, without importing it."""
    return find_spec(module) is not None


def missing() -> list[str]:
    """Return the names of the peers that are not installed."""
    return [name for module, name in PEERS.items() if not has(module)]
