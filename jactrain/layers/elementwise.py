"""The base of layers that map every entry by one function."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Literal

from jactrain.arrays import Array, Namespace, Shape, Tree, size_of
from jactrain.layers.base import Layer
from jactrain.layers.forms import Cost, Kept, Moved, MovedCost, SingleEntry


class Elementwise(Layer):
    """A layer that maps every entry by one function: state value and slope once, inherit the rest.

    `keeps` says which of the two the slope is written in, so that only that one is stored.
    """

    keeps: ClassVar[Literal["input", "output"]]

    @abstractmethod
    def value(self, xp: Namespace, x: Array) -> Array:
        """Return the function's value at every entry of `x`."""

    @abstractmethod
    def slope(self, xp: Namespace, kept: Array) -> Array:
        """Return the derivative at every entry, from the kept input or output."""

    def kinks(self) -> tuple[float, ...]:
        """Return where the slope jumps, in order; nowhere unless overridden."""
        return ()

    def cost(self, input_shape: Shape) -> Cost:
        """One multiply-add an entry for each product, one elementary function for the value."""
        size = size_of(input_shape)
        return Cost(forward=size, jvp=size, vjp=size)

    def kept(self, input_shape: Shape) -> Kept:
        """Return the one of the two that the slope is written in."""
        return Kept(input=self.keeps == "input", output=self.keeps == "output")

    def forward(self, xp: Namespace, params: Tree, x: Array, noise: Tree = None) -> tuple[Array, Array]:
        """Return the values, and what the slope is written in."""
        y = self.value(xp, x)
        return y, (x if self.keeps == "input" else y)

    def moved_forward(
        self, xp: Namespace, params: Tree, x: Moved, y: Array, noise: Tree = None
    ) -> Array | Moved:
        """Return `y` with the value at the moved entry, which stays the only one.

        A subclass with a `forward` of its own may do more than the value, and is asked for it in full.
        """
        if not self._is_value_alone:
            return super().moved_forward(xp, params, x, y, noise)
        return Moved(y, x.places, self.value(xp, x.values))

    def moved_cost(self, input_shape: Shape) -> MovedCost:
        """Return one value, or a whole `forward` for a subclass with one of its own."""
        return MovedCost(1, moved=True) if self._is_value_alone else super().moved_cost(input_shape)

    def pieces(self, xp: Namespace, params: Tree, x: Array, noise: Tree = None) -> Array | None:
        """Return how many kinks lie below every entry; None without kinks."""
        kinks = self.kinks()
        return xp.stack([x.real > kink for kink in kinks]).sum(0) if kinks else None

    @property
    def _is_value_alone(self) -> bool:
        return type(self).forward is Elementwise.forward

    def jvp(self, xp: Namespace, params: Tree, residual: Array, x_dot: Array) -> Array:
        """Return `slope · ẋ`."""
        return x_dot * self.slope(xp, residual)

    def single_jvp(
        self, xp: Namespace, params: Tree, residual: Any, x_dot: SingleEntry
    ) -> Array | SingleEntry:
        """Return the entry times its slope, which stays the only one."""
        if type(self).jvp is not Elementwise.jvp:
            return super().single_jvp(xp, params, residual, x_dot)
        slopes = self.slope(xp, residual)[0]
        slopes = slopes.reshape((slopes.shape[0], -1)).T[x_dot.places]
        return SingleEntry(x_dot.shape, x_dot.places, x_dot.values * slopes)

    def single_jvp_cost(self, input_shape: Shape) -> MovedCost:
        """Return one product."""
        if type(self).jvp is not Elementwise.jvp:
            return super().single_jvp_cost(input_shape)
        return MovedCost(1, moved=True)

    def vjp(self, xp: Namespace, params: Tree, residual: Array, y_bar: Array) -> Array:
        """Return `ȳ · slope`."""
        return y_bar * self.slope(xp, residual)
