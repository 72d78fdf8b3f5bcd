"""The linear layer, `y = x W + b`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, PositiveInt

from jactrain.arrays import Array, Namespace, Path, Shape, Tree
from jactrain.errors import ShapeError
from jactrain.layers.base import Layer, layers, require_one_axis
from jactrain.layers.forms import Cost, Kept, Moved, MovedCost, SingleEntry


@layers.register("linear")
class Linear(Layer):
    """A linear map of the features, with or without a bias: y = x W + b."""

    units: PositiveInt | None = Field(
        None, description="Outputs; left out in the network's last layer, they follow from the targets."
    )
    bias: bool = Field(True, description="Whether a bias is added.")
    initializer: Literal["glorot", "he", "lecun", "zeros", "orthogonal"] = Field(
        "glorot",
        description="Distribution of the initial weight: glorot is uniform with variance 2/(I+O), he "
        "normal with 2/I, lecun normal with 1/I, orthogonal has orthonormal rows or columns. The bias "
        "starts at zero.",
    )

    moves_one_entry: ClassVar[bool] = True

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return `(units,)`; ShapeError if the units are not known or the input is no vector."""
        require_one_axis(self, input_shape)
        return (self._outputs(),)

    def parameter_shapes(self, input_shape: Shape) -> Tree:
        """Return weight `(I, O)` and, if there is one, bias `(O,)`."""
        weight = {"weight": (require_one_axis(self, input_shape), self._outputs())}
        return weight | {"bias": (self._outputs(),)} if self.bias else weight

    def initial_parameters(self, rng: np.random.Generator, input_shape: Shape) -> Tree:
        """Return a weight drawn by the initializer, and a zero bias."""
        shapes = self.parameter_shapes(input_shape)
        weight = {"weight": _INITIALIZERS[self.initializer](rng, *shapes["weight"])}
        return weight | {"bias": np.zeros(shapes["bias"])} if self.bias else weight

    def cost(self, input_shape: Shape) -> Cost:
        """Return `I · O` for each product."""
        return Cost(*(require_one_axis(self, input_shape) * self._outputs(),) * 5)

    def kept(self, input_shape: Shape) -> Kept:
        """Return the input."""
        return Kept(input=True, output=False)

    def forward(self, xp: Namespace, params: Tree, x: Array, noise: Tree = None) -> tuple[Array, Array]:
        """Return `x W + b` `(K, N, O)`; the residual is `x`."""
        y = _times(xp, x, params["weight"])
        return (y + params["bias"][:, None] if self.bias else y), x

    def jvp(self, xp: Namespace, params: Tree, residual: Array, x_dot: Array) -> Array:
        """Return `ẋ W`."""
        return _times(xp, x_dot, params["weight"])

    def single_jvp(
        self, xp: Namespace, params: Tree, residual: Array, x_dot: SingleEntry
    ) -> Array | SingleEntry:
        """Return the entry times its row of the weight, instead of multiplying zeros."""
        return x_dot.values[:, :, None] * params["weight"][0][x_dot.places][:, None, :]

    def single_jvp_cost(self, input_shape: Shape) -> MovedCost:
        """Return one multiply-add an output."""
        return MovedCost(self._outputs(), moved=False)

    def parameter_jvp(self, xp: Namespace, params: Tree, residual: Array, dots: Tree) -> Array:
        """Return `x Ẇ + ḃ`."""
        y_dot = residual @ dots["weight"]
        return y_dot + dots["bias"][:, None] if self.bias else y_dot

    def vjp(self, xp: Namespace, params: Tree, residual: Array, y_bar: Array) -> Array:
        """Return `ȳ Wᵀ`."""
        weight = params["weight"]
        if xp is not np and weight.shape[0] == 1:  # compilers would copy the transpose
            return xp.tensordot(y_bar, weight[0], axes=(2, 1))
        return _times(xp, y_bar, _transposed(xp, weight, y_bar))

    def parameter_vjp(
        self, xp: Namespace, params: Tree, residual: Array, y_bar: Array, per_example: bool = False
    ) -> Tree:
        """Return `xᵀ ȳ` and `Σ ȳ`, or for each example `x ⊗ ȳ` and `ȳ`."""
        if per_example:
            bars = {"weight": residual[..., :, None] * y_bar[..., None, :], "bias": y_bar}
        else:
            bars = {"weight": _gathered(xp, residual, y_bar), "bias": _summed(xp, y_bar)}
        return bars if self.bias else {"weight": bars["weight"]}

    def parameter_rows(
        self, xp: Namespace, params: Tree, residual: Array, y_bar: Array
    ) -> tuple[Array, Array]:
        """Return `(x, 1)`, or `x` without bias, and `ȳ`: a row is `x ⊗ ȳ` and `ȳ`."""
        if not self.bias:
            return residual[0], y_bar
        ones = xp.ones((residual.shape[1], 1), residual.dtype)
        return xp.concatenate([residual[0], ones], axis=1), y_bar

    def perturbed_entry(
        self, xp: Namespace, params: Tree, x: Array, y: Array, path: Path, indices: Array, steps: Array
    ) -> Moved:
        """Add `h x_i` to output `o` where weight `(i, o)` moves by `h`, and `h` where bias `o` does."""
        outputs = y.shape[-1]
        places = indices % outputs
        change = steps[:, None]
        if path == ("weight",):
            change = change * x[0].T[indices // outputs]
        return Moved(y, places, y[0].T[places] + change)

    def moved_forward(
        self, xp: Namespace, params: Tree, x: Moved, y: Array, noise: Tree = None
    ) -> Array | Moved:
        """Add the change of feature `i` times row `i` of the weight, instead of multiplying again."""
        change = x.values - x.around[0].T[x.places]
        return y + change[:, :, None] * params["weight"][0][x.places][:, None, :]

    def moved_cost(self, input_shape: Shape) -> MovedCost:
        """Return one multiply-add an output."""
        return MovedCost(self._outputs(), moved=False)

    def _outputs(self) -> int:
        if self.units is None:
            raise ShapeError(
                "linear has no `units`; only the network's last layer may leave them out, "
                "to follow from the targets"
            )
        return self.units


def _times(xp: Namespace, rows: Array, matrix: Array) -> Array:
    """Return `rows` `(K, N, I)` times `matrix` `(K, I, O)`.

    One matrix for the whole stack is one product with `K · N` rows: BLAS then sees one large product
    instead of `K` small ones. `dot` hands it over with a third less to do before than `@`.
    """
    if matrix.shape[0] > 1:
        return rows @ matrix
    stack, examples, features = rows.shape
    return xp.dot(rows.reshape((stack * examples, features)), matrix[0]).reshape((stack, examples, -1))


# OpenBLAS multiplies by a small matrix more slowly if it reads it transposed. Copying one of so many entries
# at most, in pieces of so many at least, takes less than that from so many rows on.
_COPIED_ENTRIES, _COPIED_PIECE, _COPIED_FROM = 64 * 64, 32, 64


def _transposed(xp: Namespace, matrix: Array, rows: Array) -> Array:
    """Return `matrix` `(K, I, O)` as `(K, O, I)`, to multiply `rows` `(K, N, O)` by."""
    transposed = matrix.swapaxes(1, 2)
    stack, inputs, outputs = matrix.shape
    is_small = stack == 1 and inputs >= _COPIED_PIECE and inputs * outputs <= _COPIED_ENTRIES
    if xp is np and is_small and rows.shape[0] * rows.shape[1] >= _COPIED_FROM:
        return transposed.copy()
    return transposed


def _gathered(xp: Namespace, x: Array, y_bar: Array) -> Array:
    """Return `xᵀ ȳ` `(K, I, O)` of `x` and `y_bar`, summed over the examples."""
    if x.shape[0] == y_bar.shape[0] == 1:
        return xp.dot(x[0].T, y_bar[0])[None]
    return x.swapaxes(1, 2) @ y_bar


def _summed(xp: Namespace, y_bar: Array) -> Array:
    """Return `y_bar` `(K, N, O)` summed over the examples; under NumPy BLAS does it in half the time."""
    if xp is np and y_bar.shape[0] == 1:
        return xp.dot(xp.ones(y_bar.shape[1], y_bar.dtype), y_bar[0])[None]
    return y_bar.sum(1)


def _orthogonal(rng: np.random.Generator, inputs: int, outputs: int) -> Array:
    """Saxe, McClelland & Ganguli (2014); the signs make the draw uniform (Mezzadri 2007, §5)."""
    tall = rng.standard_normal((max(inputs, outputs), min(inputs, outputs)))
    q, r = np.linalg.qr(tall)
    q = q * np.sign(np.diag(r))
    return q if inputs >= outputs else q.T


def _glorot(rng: np.random.Generator, inputs: int, outputs: int) -> Array:
    """Glorot & Bengio (2010), equation 16."""
    limit = math.sqrt(6 / (inputs + outputs))
    return rng.uniform(-limit, limit, (inputs, outputs))


def _normal(gain: float) -> Callable[..., Any]:
    """He et al. (2015), equation 10, for gain 2; LeCun et al. (1998), §4.6, for gain 1."""

    def draw(rng: np.random.Generator, inputs: int, outputs: int) -> Array:
        return rng.standard_normal((inputs, outputs)) * math.sqrt(gain / inputs)

    return draw


_INITIALIZERS: dict[str, Callable[..., Any]] = {
    "glorot": _glorot,
    "he": _normal(2),
    "lecun": _normal(1),
    "zeros": lambda rng, inputs, outputs: np.zeros((inputs, outputs)),
    "orthogonal": _orthogonal,
}
