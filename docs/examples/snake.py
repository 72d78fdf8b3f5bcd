"""A layer of one's own: the snake activation (Ziyin, Hartwig & Ueda 2020), with a learned frequency.

Load it with `--plugin snake`, from the folder that this file is in.
"""

import numpy as np

from jactrain.extend import Array, Cost, Layer, Namespace, Shape, Tree, layers, size_of


@layers.register("snake")
class Snake(Layer):
    """The entry plus its squared sine, x + sin²(f x) / f, with one frequency f a feature."""

    frequency: float = 1.0

    def parameter_shapes(self, input_shape: Shape) -> Tree:
        return {"frequency": input_shape}

    def initial_parameters(self, rng: np.random.Generator, input_shape: Shape) -> Tree:
        return {"frequency": np.full(input_shape, self.frequency)}

    def cost(self, input_shape: Shape) -> Cost:
        return Cost(*(size_of(input_shape),) * 5)

    def forward(self, xp: Namespace, params: Tree, x: Array, noise: Tree = None) -> tuple[Array, Array]:
        f = params["frequency"][:, None]
        return x + xp.sin(f * x) ** 2 / f, x

    def jvp(self, xp: Namespace, params: Tree, residual: Array, x_dot: Array) -> Array:
        return x_dot * self._slope(xp, params, residual)

    def vjp(self, xp: Namespace, params: Tree, residual: Array, y_bar: Array) -> Array:
        return y_bar * self._slope(xp, params, residual)

    def parameter_jvp(self, xp: Namespace, params: Tree, residual: Array, dots: Tree) -> Array:
        return dots["frequency"][:, None] * self._frequency_slope(xp, params, residual)

    def parameter_vjp(
        self, xp: Namespace, params: Tree, residual: Array, y_bar: Array, per_example: bool = False
    ) -> Tree:
        bars = y_bar * self._frequency_slope(xp, params, residual)
        return {"frequency": bars if per_example else bars.sum(1)}

    def _slope(self, xp: Namespace, params: Tree, x: Array) -> Array:
        return 1 + xp.sin(2 * params["frequency"][:, None] * x)

    def _frequency_slope(self, xp: Namespace, params: Tree, x: Array) -> Array:
        f = params["frequency"][:, None]
        return (x * xp.sin(2 * f * x) - xp.sin(f * x) ** 2 / f) / f
