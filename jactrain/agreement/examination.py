"""One layer at one place, with all that its laws compare: tangents, derivatives of `forward`, spreads."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import numpy as np

from jactrain.agreement.derivative import Derivative, derivative_of, norm_of
from jactrain.agreement.rounding import OPERATIONS, allowed, reason, spread
from jactrain.agreement.shaken import Shaker
from jactrain.arrays import Array, Path, Shape, Tree, leaf_at, leaves, map_tree, size_of, tree_of
from jactrain.errors import ShapeError
from jactrain.layers.base import Layer, Placed, Product

STACK = 3


class Examination:
    """The laws of one layer at one place, with tangents and cotangents drawn from `rng`."""

    def __init__(self, place: Placed, rng: np.random.Generator) -> None:
        self.place = place
        self.layer = place.layer
        self.dtype = place.x.dtype
        self.examples = place.x.shape[1]
        self.input_shape: Shape = place.x.shape[2:]
        self.output_shape = self.layer.output_shape(self.input_shape)
        self.shapes = self.layer.parameter_shapes(self.input_shape)
        self.paths: list[Path] = [path for path, _ in leaves(self.shapes)]
        self._rng = rng
        self._levels: dict[Any, Array] = {}
        self._derivatives: dict[Path | None, Derivative] = {}
        self._extensions: list[tuple[Derivative, Derivative, str]] = []
        stack = (STACK, self.examples)
        self.x_dot = self._drawn((*stack, *self.input_shape))
        self.y_bar = self._drawn((*stack, *self.output_shape))
        self.dots = map_tree(lambda shape: self._drawn((STACK, *shape)), self.shapes)
        for tree in (place.params, place.x, place.noise, self.x_dot, self.y_bar, self.dots):
            frozen(tree)
        cost = self.layer.cost(self.input_shape)
        size = max(1, min(size_of(self.input_shape), size_of(self.output_shape)))
        self.terms = OPERATIONS + math.ceil(max(cost[:3]) / size)

    def residual(self, layer: Layer) -> Any:
        """Return the residual of `forward` in the place's dtype."""
        return frozen(layer.forward(np, self.place.params, self.place.x, self.place.noise)[1])

    def alone(self, path: Path, stack: Tree) -> Tree:
        """Return tangents with the leaf at `path` of `stack` alone, the others zero."""
        return tree_of({other: leaf if other == path else 0 * leaf for other, leaf in leaves(stack)})

    def lead(self, per_example: bool) -> Shape:
        """Return the axes in front of a parameter's in what `parameter_vjp` gives."""
        return (STACK, self.examples) if per_example else (STACK,)

    def some(self, size: int) -> Array:
        """Return the places of some of `size` entries, `(K,)`."""
        return np.linspace(0, size - 1, STACK).round().astype(int)

    def formed(self, array: Array, *shape: int) -> Array:
        """Return `array`; ShapeError unless it has this shape and the place's dtype."""
        if np.shape(array) != shape or array.dtype != self.dtype:
            raise ShapeError(f"gives {array.dtype} {np.shape(array)}, not {self.dtype} {shape}")
        return array

    def moved(self, change: Array) -> float:
        """Return how far rounding moves K values of `forward`, of which each has moved by `change`."""
        own = math.sqrt(STACK) * self.rounded(self.level(Product.FORWARD))
        return 2 * (own + self.rounded(change, self.terms))

    def parts(self) -> list[Path | None]:
        """Return the leaves, each to be moved alone; for layers made of layers, None: all at once."""
        nested = next(iter(self.layer.within(np, self.place.params, self.place.x, self.place.noise)), None)
        return [None] if nested is not None else list(self.paths)

    def tangents(self, path: Path | None) -> Tree:
        """Return the tangents of the parameters for one of `parts`."""
        return self.dots if path is None else self.alone(path, self.dots)

    def rounded(self, level: Array, terms: int | None = None) -> float:
        """Return how far rounding moves what has this spread, in the place's dtype."""
        return allowed(level, self.dtype, terms or self.terms)

    def reason(self, terms: int | None = None) -> str:
        """Return where `rounded` comes from."""
        return reason(self.dtype, terms or self.terms)

    def level(self, product: str, stack: Tree = None, key: Any = None, **options: Any) -> Array:
        """Return the spread of `product` of `stack`, flat; `key` tells stacks apart; see `spread`."""
        known = (product, key, *options)
        if known not in self._levels:
            layer, place = self.layer, self.place
            noise = self._double(place.noise)
            given = [self._double(tree) for tree in (place.params, place.x, stack)]

            def function(shaker: Shaker | None) -> Array:
                params, x, stacked = given if shaker is None else map(shaker.on, given)
                y, residual = layer.forward(np, params, x, noise)
                if product == Product.FORWARD:
                    return np.asarray(y).reshape(-1)
                result = getattr(layer, product)(np, params, residual, stacked, **options)
                flat = {path: np.asarray(leaf).reshape(-1) for path, leaf in leaves(result)}
                # In the order of the shapes, whatever order the rule gives them in.
                return np.concatenate([flat[path] for path in (self.paths if len(flat) > 1 else flat)])

            self._levels[known] = spread(function, self.dtype, self._rng)
        return self._levels[known]

    def derivative_level(self, truth: Derivative, product: str, stack: Tree, key: Any = None) -> Array:
        """Return the spread of a derivative: that of the product which should equal it, if there is one."""
        if product in self.layer.products(self.input_shape):
            return self.level(product, stack, key).reshape(truth.values.shape)
        return abs(truth.values)

    @cached_property
    def input_derivative(self) -> Derivative:
        """The derivative of `forward` along `x_dot`."""
        return self.derivative_along(self.x_dot)

    def derivative_along(self, x_dot: Array) -> Derivative:
        """Return the derivative of `forward` along tangents `(K, N, *in)` of the inputs."""
        params, x, x_dot = (self._double(tree) for tree in (self.place.params, self.place.x, x_dot))
        size = float(abs(x).max(initial=0.0))
        return self._derivative(lambda step: (params, x + step * x_dot), size, self.analytic)

    def parameter_derivative(self, path: Path | None) -> Derivative:
        """Return the derivative of `forward` along the tangents of one of `parts`."""
        if path not in self._derivatives:
            params, x = self._double(self.place.params), self._double(self.place.x)
            dots = self._double(self.tangents(path))
            size = max(float(abs(leaf).max(initial=0.0)) for _, leaf in leaves(params))
            inputs = partial(_stepped, params, dots, x)
            self._derivatives[path] = self._derivative(inputs, size, self.analytic)
        return self._derivatives[path]

    @property
    def by(self) -> str:
        """How the reference is computed, in words."""
        return "complex step" if self.analytic else "central difference"

    def extensions(self) -> list[tuple[Derivative, Derivative, str]]:
        """Return each derivative by complex steps and by central differences, with the parameter concerned.

        None for a layer that says that it has no analytic extension.
        """
        if not self.layer.is_analytic():
            return []
        if not self._extensions:
            params, x = self._double(self.place.params), self._double(self.place.x)
            moves = {"": (lambda step: (params, x + step * self._double(self.x_dot)), x)}
            for path in self.parts() if self.paths else []:
                dots = self._double(self.tangents(path))
                largest = max(
                    (leaf for _, leaf in leaves(params)), key=lambda leaf: abs(leaf).max(initial=0.0)
                )
                moves["/".join(path or ("parameters",))] = (partial(_stepped, params, dots, x), largest)
            for part, (inputs, around) in moves.items():
                size = float(abs(around).max(initial=0.0))
                extended, truth = (self._derivative(inputs, size, analytic) for analytic in (True, False))
                self._extensions.append((extended, truth, part))
        return self._extensions

    @cached_property
    def analytic(self) -> bool:
        """Whether complex steps give what differences give, to the accuracy of these."""
        try:
            found = self.extensions()
        except Exception:  # complex numbers are more than its forward takes
            return False
        return bool(found) and all(
            norm_of(extended.values - truth.values, truth.apart) <= self.extension_error(extended, truth)
            for extended, truth, _ in found
        )

    def extension_error(self, extended: Derivative, truth: Derivative) -> float:
        """Return how far complex steps may be from differences: what is no extension is far off."""
        floor = norm_of(truth.error, truth.apart) + self.rounded(truth.values) + norm_of(extended.error)
        return max(2 * floor, 0.01 * norm_of(truth.values, truth.apart))

    def _derivative(
        self, inputs: Callable[[complex], tuple[Tree, Array]], size: float, analytic: bool
    ) -> Derivative:
        noise = self._double(self.place.noise)

        def values(step: complex) -> Array:
            y = self.layer.forward(np, *inputs(step), noise)[0]
            return np.broadcast_to(y, (STACK, *y.shape[1:]))

        level = 0.0 if analytic else self.level(Product.FORWARD).reshape(1, self.examples, *self.output_shape)

        def crossed(step: float) -> Array:
            below, above = (self.layer.pieces(np, *inputs(side * step), noise) for side in (-1, 1))
            if below is None or above is None:
                return np.zeros((), bool)
            differ = (below != above).reshape(*np.broadcast_shapes(below.shape, above.shape)[:2], -1).any(2)
            return np.broadcast_to(differ, (STACK, self.examples))

        return derivative_of(values, analytic, size, self.terms, level, crossed)

    def _double(self, tree: Tree) -> Tree:
        def convert(array: Array) -> Array:
            return array.astype(np.float64) if array.dtype.kind == "f" else array

        return map_tree(convert, tree)

    def _drawn(self, shape: Shape) -> Array:
        return self._rng.standard_normal(shape).astype(self.dtype)


def _stepped(params: Tree, dots: Tree, x: Array, step: complex) -> tuple[Tree, Array]:
    return _moved(params, dots, step), x


def _moved(params: Tree, dots: Tree, step: complex) -> Tree:
    return tree_of({path: leaf + step * leaf_at(dots, path) for path, leaf in leaves(params)})


def frozen(value: Any) -> Any:
    """Return `value`, its arrays now refusing to be written: a rule that does so raises, and is named."""
    if isinstance(value, np.ndarray):
        value.setflags(write=False)
    elif isinstance(value, dict):
        frozen(list(value.values()))
    elif isinstance(value, list | tuple):
        for part in value:
            frozen(part)
    return value
