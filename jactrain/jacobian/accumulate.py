"""Carrying out a plan: the matrices that it forms, for every example."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np

from jactrain.arrays import Array, Shape, ranges
from jactrain.jacobian.chain import Factor
from jactrain.jacobian.product_plan import Bracket
from jactrain.jacobian.suffix_plan import Suffixes
from jactrain.linearization import Work

# One matrix `M(i, j)` an example, (N, n_j, n_i); several of them are a product left undone, leftmost first.
Matrices: TypeAlias = tuple[Array, ...]


class Point(Protocol):
    """What carrying out a plan needs of a linearization."""

    inputs: Array
    examples: int
    work: Work

    def shape_in_front(self, position: int) -> Shape:
        """Return the shape of one example in front of a link, or behind the last one."""
        ...

    def jvp(self, position: int, x_dot: Array) -> Array:
        """Return `A ẋ` of one link."""
        ...

    def vjp(self, position: int, y_bar: Array) -> Array:
        """Return `ȳ A` of one link."""
        ...


_PIECE = 2**19  # bytes, of the second-level cache


def accumulate_product(point: Point, factors: Sequence[Factor], bracket: Bracket) -> Array:
    """Return `M(0, l)` of all examples, `(N, n_l, n_0)`, as `bracket` says; the links have been run."""
    return _Accumulation(point, factors).product(bracket)


def accumulate_suffixes(
    point: Point, factors: Sequence[Factor], suffixes: Suffixes | None
) -> dict[int, Matrices]:
    """Return `M(k, l)` of all examples, by position k of the chain; all links have been run."""
    return {} if suffixes is None else _Accumulation(point, factors).suffixes(suffixes)


class _Accumulation:
    def __init__(self, point: Point, factors: Sequence[Factor]) -> None:
        self._point = point
        self._factors = factors
        self._dtype = point.inputs.dtype

    def product(self, bracket: Bracket) -> Array:
        """Return the matrix that `bracket` forms."""
        start, split, stop = bracket.start, bracket.split, bracket.stop
        if bracket.left is not None and bracket.right is not None:
            return self._multiply(self.product(bracket.left), self.product(bracket.right))
        if bracket.pushes:
            matrix = self._identity(split) if bracket.right is None else self.product(bracket.right)
            return self._push(matrix, split, stop)
        matrix = self._identity(split) if bracket.left is None else self.product(bracket.left)
        return self._pull(matrix, start, split)

    def suffixes(self, suffixes: Suffixes) -> dict[int, Matrices]:
        """Return the matrices that `suffixes` forms, by where they start."""
        start, split, stop = suffixes.start, suffixes.split, suffixes.stop
        found = {} if suffixes.inner is None else self.suffixes(suffixes.inner)
        if suffixes.kind == "pull":
            matrix = found[split][0] if split < stop else self._identity(split)
            for position in range(split - 1, start - 1, -1):
                matrix = self._pull(matrix, position, position + 1)
                found[position] = (matrix,)
            return found
        if suffixes.kind == "push":
            for position in range(split, stop):
                found = {k: (self._push(matrix, position, position + 1),) for k, (matrix,) in found.items()}
                found[position] = (self._formed(position, suffixes.by_tangents),)
            return found
        behind = {} if suffixes.behind is None else self.suffixes(suffixes.behind)
        (joining,) = behind[split]
        for k, matrices in found.items():
            if k in suffixes.factored:
                behind[k] = (joining, *matrices)
            else:
                behind[k] = (self._multiply(joining, matrices[0]),)
        return behind

    def _formed(self, position: int, by_tangents: bool) -> Array:
        """Return one factor itself, from tangents or from whichever side is cheaper."""
        if by_tangents or self._factors[position].by_jvp:
            return self._push(self._identity(position), position, position + 1)
        return self._pull(self._identity(position + 1), position, position + 1)

    def _identity(self, position: int) -> Array:
        """Return the identity at a position, `(N, n, n)`."""
        factors = self._factors
        size = factors[position].inputs if position < len(factors) else factors[-1].outputs
        eye = np.eye(size, dtype=self._dtype)
        return np.broadcast_to(eye, (self._point.examples, size, size))

    def _push(self, matrix: Array, start: int, stop: int) -> Array:
        """Return `M(start, stop)` times `matrix`, whose columns are pushed through the links."""
        links = range(self._factors[start].start, self._factors[stop - 1].stop)
        columns = matrix.transpose(2, 0, 1)
        stack = columns.reshape((*columns.shape[:2], *self._point.shape_in_front(links[0])))
        for position in links:
            stack = self._point.jvp(position, stack)
        return stack.reshape((*stack.shape[:2], -1)).transpose(1, 2, 0)

    def _pull(self, matrix: Array, start: int, stop: int) -> Array:
        """Return `matrix` times `M(start, stop)`, through which its rows are pulled."""
        links = range(self._factors[start].start, self._factors[stop - 1].stop)
        rows = matrix.transpose(1, 0, 2)
        stack = rows.reshape((*rows.shape[:2], *self._point.shape_in_front(links[-1] + 1)))
        for position in reversed(links):
            stack = self._point.vjp(position, stack)
        return stack.reshape((*stack.shape[:2], -1)).transpose(1, 0, 2)

    def _multiply(self, left: Array, right: Array) -> Array:
        """Return the product of two matrices an example."""
        examples, rows, inner = left.shape
        columns = right.shape[2]
        self._point.work.multiply_adds += examples * rows * inner * columns
        if not isinstance(left, np.ndarray):  # traced, and the compiler's to divide
            return left @ right
        # A slice of rows of the product at a time, so that it stays in the cache until it is whole.
        width = max(1, _PIECE // (columns * left.dtype.itemsize))
        product = np.empty((examples, rows, columns), left.dtype)
        for start, stop in ranges(rows, width):
            np.matmul(left[:, start:stop], right, out=product[:, start:stop])
        return product
