"""What the rules of layers take and return besides arrays, and what they cost and keep."""

from __future__ import annotations

from typing import NamedTuple

from jactrain.arrays import Array, Namespace, Shape, size_of


class Cost(NamedTuple):
    """Multiply-adds, per example and stacked vector, of `forward` and of the four products.

    A multiply-add is a multiplication with the addition that follows it, a division, or one value of
    an elementary function; additions alone are free, and so is what does not grow with the stack.
    """

    forward: int
    jvp: int
    vjp: int
    parameter_jvp: int = 0
    parameter_vjp: int = 0


class PerturbationCost(NamedTuple):
    """Multiply-adds per example of `perturbed_forward`: once a call, and for each perturbation."""

    once: int
    each: int


class MovedCost(NamedTuple):
    """Multiply-adds per example and network, or tangent, and whether one entry in gives one entry out."""

    each: int
    moved: bool


class Kept(NamedTuple):
    """What the residual of `forward` holds: input, output, and how many further entries an example."""

    input: bool
    output: bool
    further: int = 0


class Moved(NamedTuple):
    """Arrays `(K, N, *n)` of `K` networks that differ from a common one in a single entry an example.

    around: the common array `(1, N, *n)`; places `(K,)`: which entry of an example, flattened, network
    `t` has otherwise; values `(K, N)`: what it is there.
    """

    around: Array
    places: Array
    values: Array

    def dense(self, xp: Namespace) -> Array:
        """Return the arrays in full, `(K, N, *n)`."""
        shape = self.around.shape[2:]
        here = xp.arange(size_of(shape)) == self.places[:, None]
        around = self.around.reshape(1, -1, size_of(shape))
        stack = xp.where(here[:, None, :], self.values[:, :, None], around)
        return stack.reshape(*self.values.shape, *shape)


class SingleEntry(NamedTuple):
    """Tangents `(K, N, *n)` with one entry an example that is not 0, the same in each.

    shape: `*n`; places `(K,)`: which entry of an example, flattened; values `(K, N)`: what it is.
    """

    shape: Shape
    places: Array
    values: Array

    def dense(self, xp: Namespace) -> Array:
        """Return the tangents in full, `(K, N, *n)`."""
        here = xp.arange(size_of(self.shape)) == self.places[:, None]
        return (self.values[:, :, None] * here[:, None, :]).reshape((*self.values.shape, *self.shape))
