"""Arrays, their axes, and the namespaces that rules are written over.

Axis letters, used in every docstring::

    K   vectors in a stack (tangents, cotangents, or perturbed parameter sets)
    N   examples of a batch
    I, O   input and output size of a layer
    m   outputs of the network
    P   parameters of the network, p of one layer

A *namespace* `xp` is a module with NumPy's functions: `numpy` itself, or `jax.numpy` when a rule is
traced. Rules call operators and `xp.` functions only, never write into an array, and never branch on
an array's values. What the two namespaces lack in common is added here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Literal, TypeAlias

import numpy as np

# NumPy and JAX arrays share no static type; shapes and dtypes stand in the docstrings and are held by tests.
Array: TypeAlias = Any
Namespace: TypeAlias = Any
Shape: TypeAlias = tuple[int, ...]
DTypeName: TypeAlias = Literal["float32", "float64"]

# A leaf, or a mapping from names to trees; parameters, their tangents and the noise of a step are such trees.
Tree: TypeAlias = Any
Path: TypeAlias = tuple[str, ...]

# Axes that an array of examples may have; NumPy takes 64, and rules add some of their own.
MOST_AXES = 32


def logarithm(number: Any) -> Any:
    """Return the natural logarithm of a Python number, or of what stands for one while a rule is traced."""
    return math.log(number) if isinstance(number, float) else number.log()


def erf(xp: Namespace, x: Array) -> Array:
    """Return the error function of `x`, any shape, real or complex under NumPy, real under JAX."""
    if xp is np:
        import scipy.special as special  # heavy: only GELU needs it
    else:
        import jax.scipy.special as special
    return special.erf(x)


def erfc(xp: Namespace, x: Array) -> Array:
    """Return `1 - erf(x)` of `x`, any shape, with all its digits where that is small; types as of `erf`."""
    if xp is np:
        import scipy.special as special  # heavy: only GELU needs it
    else:
        import jax.scipy.special as special
    return special.erfc(x)


def logistic(xp: Namespace, x: Array) -> Array:
    """Return `1 / (1 + exp(-x))` of `x`, any shape, real or complex under NumPy, real under JAX.

    As `exp(min(x, 0)) / (1 + exp(-|x|))`: nothing overflows, and a small value keeps all its digits.
    """
    low = xp.minimum(x, 0)  # of complex numbers by the real part
    divisor = 1 + xp.exp(low - xp.maximum(x, 0))
    return xp.exp(low) / divisor


# What `in_pieces` hands its arguments to while a function is recorded.
recorded_loop: ContextVar[Callable[[Callable[[Array], Array], int, int, bool], Array] | None] = ContextVar(
    "recorded_loop", default=None
)


def in_pieces(
    xp: Namespace, function: Callable[[Array], Array], count: int, width: int, is_shared: bool = True
) -> Array:
    """Return `function` of the numbers 0 to `count - 1`, `width` at a time, its results one after another.

    Traced or recorded, it is one loop, and the program does not grow with `count`. is_shared: whether the
    pieces of a recorded one may be done at the same time, with memory for each.
    """
    if xp is np:
        recording = recorded_loop.get()
        if recording is not None:
            return recording(function, count, width, is_shared)
        pieces = [function(np.arange(start, stop)) for start, stop in ranges(count, width)]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
    import jax

    whole = count - count % width
    pieces = []
    if whole:
        looped = jax.lax.map(function, xp.arange(whole).reshape((-1, width)))
        pieces.append(looped.reshape((whole, *looped.shape[2:])))
    if whole < count:
        pieces.append(function(xp.arange(whole, count)))
    return pieces[0] if len(pieces) == 1 else xp.concatenate(pieces)


def leaves(tree: Tree, prefix: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield `(path, leaf)` for every leaf of `tree`, in the order of its mappings."""
    if isinstance(tree, Mapping):
        for name, branch in tree.items():
            yield from leaves(branch, (*prefix, name))
    else:
        yield prefix, tree


def leaf_at(tree: Tree, path: Path) -> Any:
    """Return the leaf at `path` of `tree`, or the branch that begins there."""
    for name in path:
        tree = tree[name]
    return tree


def tree_of(leaves_by_path: Mapping[Path, Any]) -> Tree:
    """Return the tree with these leaves: the inverse of `leaves`."""
    tree: Tree = {}
    for path, leaf in leaves_by_path.items():
        *outer, name = path
        branch = tree
        for step in outer:
            branch = branch.setdefault(step, {})
        branch[name] = leaf
    return tree


def size_of(shape: Shape) -> int:
    """Return the number of entries of an array of `shape`: 1 for `()`."""
    size = 1
    for length in shape:
        size *= length
    return size


def map_tree(function: Callable[[Any], Any], tree: Tree) -> Tree:
    """Return `tree` with `function` applied to every leaf; None stays None."""
    if isinstance(tree, Mapping):
        return {name: map_tree(function, branch) for name, branch in tree.items()}
    return None if tree is None else function(tree)


def ranges(count: int, width: int) -> Iterator[tuple[int, int]]:
    """Yield `(start, stop)` of the pieces of `count` things, `width` at a time."""
    for start in range(0, count, width):
        yield start, min(start + width, count)
