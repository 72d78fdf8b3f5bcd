"""The Jacobian of a network's outputs as an operator, of which only small factors are kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from math import inf
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from jactrain.arrays import Array, Tree, leaves, ranges
from jactrain.errors import ShapeError, UnsupportedError, UsageError
from jactrain.jacobian.accumulate import Matrices, accumulate_product, accumulate_suffixes
from jactrain.jacobian.chain import factors_of, suffix_factors_of
from jactrain.jacobian.planning import Order
from jactrain.jacobian.product_plan import ProductPlan, plan_product
from jactrain.jacobian.suffix_plan import SuffixPlan, plan_suffixes
from jactrain.linearization import NetworkLinearization, Work
from jactrain.network import Network

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator

Accumulation: TypeAlias = Literal["reverse", "forward", "mixed", "auto"]
_ORDERS: tuple[Order, ...] = ("reverse", "forward", "mixed")

# Rows of a block that are formed at once, in bytes: what the second-level cache holds.
_PIECE = 2**19


def jacobian(
    network: Network,
    parameters: Array,
    x: Array,
    wrt: Literal["parameters", "inputs"] = "parameters",
    mode: Accumulation = "auto",
    noise: Tree = None,
) -> Jacobian:
    """Return the Jacobian of a network's outputs, in its parameters or its inputs, for every example.

    parameters: `(P,)`, whose dtype the Jacobian has; x: `(N, *in)`. The network's `m` outputs are
    vectors. mode: how the products of local Jacobians are bracketed; `auto` takes what costs least.

    Raises ShapeError for arrays or a network that do not fit, UsageError for another `wrt` or `mode`,
    UnsupportedError where the layers lack a product that the order needs.
    """
    if wrt not in ("parameters", "inputs"):
        raise UsageError(f"wrt is 'parameters' or 'inputs', not {wrt!r}")
    if mode not in (*_ORDERS, "auto"):
        raise UsageError(f"mode is 'reverse', 'forward', 'mixed' or 'auto', not {mode!r}")
    if len(network.output_shape) != 1:
        raise ShapeError(f"a Jacobian is of vectors, but the outputs have shape {network.output_shape}")
    parameters, x = np.asarray(parameters), np.asarray(x)
    if parameters.dtype not in (np.float32, np.float64):
        raise ShapeError(f"parameters are float32 or float64, not {parameters.dtype}")
    if not network.links or (wrt == "parameters" and not network.size):
        raise ShapeError("the network has no parameters to differentiate in; add a `linear`")
    if parameters.shape != (network.size,):
        raise ShapeError(f"the network has {network.size} parameters; they came as {parameters.shape}")
    if x.shape[1:] != network.input_shape or len(x) == 0:
        sizes = ", ".join(["N", *map(str, network.input_shape)])
        raise ShapeError(f"the network's inputs are ({sizes}), N at least 1; they came as {x.shape}")
    point = NetworkLinearization(network, parameters, x.astype(parameters.dtype, copy=False), noise)
    outputs = point.run()[0]
    kind = ParametersJacobian if wrt == "parameters" else InputsJacobian
    return kind(point, outputs, mode)


class Jacobian(ABC):
    """A Jacobian of `N` examples' `m` outputs, `(N, m, columns)`.

    shape: that; outputs: `(N, m)`; mode: how it was bracketed, and `brackets`, the same as text.
    """

    mode: Order
    brackets: str

    def __init__(self, point: NetworkLinearization, outputs: Array, columns: int) -> None:
        self._point = point
        self.outputs = outputs
        self.shape = (*outputs.shape, columns)
        self.dtype = outputs.dtype

    @property
    def network(self) -> Network:
        """The network."""
        return self._point.network

    def __repr__(self) -> str:
        """Return the shape, and how it was bracketed."""
        shape = " × ".join(map(str, self.shape))
        return f"<{type(self).__name__} {shape}, {self.dtype}, by {self.mode}: {self.brackets}>"

    @abstractmethod
    def spectrum(self) -> Array:
        """Return the eigenvalues of `J Jᵀ`, `(N·m,)`, in no order."""

    @property
    def work(self) -> Work:
        """The products of layers and matrices applied so far; the operator's own are not counted."""
        return self._point.work

    @abstractmethod
    def __matmul__(self, v: Array) -> Array:
        """Return `J v`, `(N, m)`, or `(K, N, m)` for a stack of vectors."""

    @property
    @abstractmethod
    def T(self) -> TransposedJacobian:  # noqa: N802 - as arrays call it
        """The transposed operator: `J.T @ u` for `u` `(N, m)`, or a stack `(K, N, m)`."""

    @abstractmethod
    def dense(self) -> Array:
        """Return the whole, `(N, m, columns)`."""

    @abstractmethod
    def as_linear_operator(self) -> LinearOperator:
        """Return a `scipy.sparse.linalg.LinearOperator` with a row for every output of every example."""


class TransposedJacobian:
    """`J.T`, which multiplies only."""

    def __init__(self, jacobian: Any) -> None:
        self._jacobian = jacobian

    def __matmul__(self, u: Array) -> Array:
        """Return `Jᵀ u` for `u` `(N, m)`, or for each of a stack `(K, N, m)`."""
        return self._jacobian.transposed_times(u)


class ParametersJacobian(Jacobian):
    """`J_θ f`, `(N, m, P)`, kept as `S_k` and the residual of every layer: block k is `S_k B_k`.

    `S_k` `(N, m, n_{k+1})` is the Jacobian of the outputs in layer k's output.
    """

    def __init__(self, point: NetworkLinearization, outputs: Array, mode: Accumulation) -> None:
        network = point.network
        super().__init__(point, outputs, network.size)
        factors = suffix_factors_of(network)
        plans = {order: plan_suffixes(factors, order) for order in _ORDERS}
        self.mode = _cheapest(plans) if mode == "auto" else mode
        _require_possible(plans[self.mode])
        self.brackets = str(plans[self.mode])
        found = accumulate_suffixes(point, factors, plans[self.mode].suffixes)
        parametric = [position for position, link in enumerate(network.links) if link.layout.size]
        m = outputs.shape[1]
        identity = np.broadcast_to(np.eye(m, dtype=outputs.dtype), (*outputs.shape, m))
        self._suffixes: dict[int, Matrices] = {
            position: found.get(k, (identity,)) for k, position in enumerate(parametric)
        }

    def __matmul__(self, v: Array) -> Array:
        """Return `Σ_k S_k (B_k v_k)`: `(N, m)` for `v` `(P,)`, `(K, N, m)` for `(K, P)`."""
        stack = _stack(v, (self.shape[2],))
        total: Array = 0
        for position, matrices in self._suffixes.items():
            link = self._point.network.links[position]
            y_dot = self._point.parameter_jvp(position, stack[:, link.part])
            total = total + _apply(matrices, y_dot.reshape((*y_dot.shape[:2], -1)))
        return total if np.ndim(v) > 1 else total[0]

    @property
    def T(self) -> TransposedJacobian:  # noqa: N802 - as arrays call it
        """The transposed operator: `(P,)` for `u` `(N, m)`, `(K, P)` for a stack."""
        return TransposedJacobian(self)

    def transposed_times(self, u: Array) -> Array:
        """Return `Jᵀ u`, summed over the examples."""
        stack = _stack(u, self.shape[:2])
        network = self._point.network
        bars = {
            network.links[position].name: self._point.parameter_vjp(position, y_bar)
            for position, y_bar in self._cotangents(stack)
        }
        flat = network.layout.flatten(np, bars)
        return flat if np.ndim(u) > 2 else flat[0]

    def per_example(self, u: Array) -> Array:
        """Return `u_n J_n`, `(N, P)`: every example's gradient for cotangents `u` `(N, m)` of the outputs."""
        stack = _stack(u, self.shape[:2])
        rows = np.empty((self.shape[0], self.shape[2]), self.dtype)
        for position, y_bar in self._cotangents(stack):
            link = self._point.network.links[position]
            for at, leaf in _leaves(
                link.layout, self._point.parameter_vjp(position, y_bar, per_example=True)
            ):
                rows[:, link.part.start + at.start : link.part.start + at.stop] = leaf[0].reshape(
                    (len(rows), -1)
                )
        return rows

    def per_example_norms(self, u: Array) -> Array:
        """Return the L2 norms `(N,)` of `per_example(u)`, without forming it."""
        stack = _stack(u, self.shape[:2])
        squares = sum(self._squares(position, y_bar)[0] for position, y_bar in self._cotangents(stack))
        return np.sqrt(squares)

    def per_example_variance(self, u: Array) -> float:
        """Return the mean squared distance of the rows of `per_example(u)` from their mean."""
        rows = self.per_example(u)
        rows -= rows.mean(0)
        return float(np.vecdot(rows, rows).mean())

    def gram(self) -> Array:
        """Return `J Jᵀ`, `(N·m, N·m)`: the empirical tangent kernel (Jacot, Gabriel & Hongler 2018)."""
        examples, m, _ = self.shape
        factors = []
        for position, y_bar in self._rows():
            inputs, rows = self._point.parameter_rows(position, y_bar)
            # Rows in the order of the result: the outputs of one example after another.
            rows = rows.transpose(1, 0, 2).reshape(examples * m, -1)
            factors.append((np.repeat(inputs @ inputs.T, m, axis=1), rows))
        whole = np.empty((examples * m, examples * m), self.dtype)
        width = max(1, _PIECE // (examples * m * m * self.dtype.itemsize))
        for start, stop in ranges(examples, width):  # against itself and what is behind: half of the whole
            own, behind = slice(start * m, stop * m), slice(start * m, None)
            part = np.zeros((stop - start, m, (examples - start) * m), self.dtype)
            for kernel, rows in factors:
                product = (rows[own] @ rows[behind].T).reshape(part.shape)
                product *= kernel[start:stop, None, behind]
                part += product
            part = part.reshape((stop - start) * m, -1)
            whole[own, behind] = part
            whole[stop * m :, own] = part[:, (stop - start) * m :].T
        return whole

    def spectrum(self) -> Array:
        """Return the eigenvalues of the tangent kernel; where it is singular, 0 within rounding."""
        return np.linalg.eigvalsh(self.gram())

    def normal(self) -> Array:
        """Return `Jᵀ J`, `(P, P)`, of Gauss-Newton and Levenberg-Marquardt."""
        rows = self.dense().reshape(-1, self.shape[2])
        return rows.T @ rows

    def row_norms(self) -> Array:
        """Return the L2 norms `(N, m)` of the rows, without forming them."""
        squares = sum(self._squares(position, y_bar) for position, y_bar in self._rows())
        return np.sqrt(squares).T

    def block(self, name: str) -> Array:
        """Return the columns of a layer, `(N, m, p)`, or parameter, `(N, m, *p)`, such as `linear_1/weight`.

        Raises UsageError for a name that there is not.
        """
        network = self._point.network
        for position in self._suffixes:
            link = network.links[position]
            if link.name == name:
                return self._dense([position], link.part.start, link.layout.size)
        for leaf, shape, part in zip(
            network.layout.names, network.layout.shapes, network.layout.slices, strict=True
        ):
            if leaf == name:
                position = next(k for k in self._suffixes if network.links[k].part.stop >= part.stop)
                link = network.links[position]
                block = self._dense([position], link.part.start, link.layout.size)
                offset = part.start - link.part.start
                columns = block[:, :, offset : offset + part.stop - part.start]
                return columns.reshape((*self.shape[:2], *shape))
        known = ", ".join(
            [network.links[position].name for position in self._suffixes] + network.layout.names
        )
        raise UsageError(f"there is no block {name!r}; there are {known}")

    def dense(self) -> Array:
        """Return the whole, `(N, m, P)`."""
        return self._dense(list(self._suffixes), 0, self.shape[2])

    def _dense(self, positions: list[int], first: int, columns: int) -> Array:
        """Return the columns of links `positions`, of which column `first` is the first."""
        examples, m, _ = self.shape
        whole = np.empty((m, examples, columns), self.dtype)
        for position in positions:
            link = self._point.network.links[position]
            (y_bar,) = (rows for _, rows in self._rows([position]))
            width = max(1, _PIECE // (examples * link.layout.size * self.dtype.itemsize))
            for start in range(0, m, width):
                tree = self._point.parameter_vjp(position, y_bar[start : start + width], per_example=True)
                for at, leaf in _leaves(link.layout, tree):
                    begin = link.part.start - first
                    target = whole[start : start + width, :, begin + at.start : begin + at.stop]
                    target.reshape(leaf.shape, copy=False)[...] = leaf
        return whole.transpose(1, 0, 2)

    def as_linear_operator(self) -> LinearOperator:
        """Return a `scipy.sparse.linalg.LinearOperator` `(N·m, P)`: the outputs of one example in a row."""
        from scipy.sparse.linalg import LinearOperator  # heavy

        examples, m, size = self.shape
        return LinearOperator(
            (examples * m, size),
            matvec=lambda v: (self @ v.reshape(size)).reshape(-1),
            rmatvec=lambda u: self.T @ u.reshape(examples, m),
            matmat=lambda v: (self @ np.ascontiguousarray(v.T)).reshape(v.shape[1], -1).T,
            rmatmat=lambda u: (self.T @ u.T.reshape(-1, examples, m)).T,
            dtype=self.dtype,
        )

    def _squares(self, position: int, y_bar: Array) -> Array:
        """Return the squared lengths `(K, N)` of one link's rows `ȳ_k B`."""
        inputs, rows = self._point.parameter_rows(position, y_bar)
        return np.vecdot(rows, rows) * np.vecdot(inputs, inputs)

    def _cotangents(self, stack: Array) -> Iterator[tuple[int, Array]]:
        """Yield `u S_k` `(K, N, *out)` of every link with parameters, for `u` `(K, N, m)`."""
        for position, matrices in self._suffixes.items():
            link = self._point.network.links[position]
            y_bar = stack
            for matrix in matrices:
                y_bar = _rows_times(y_bar, matrix)
            yield position, y_bar.reshape((*stack.shape[:2], *link.output_shape))

    def _rows(self, positions: list[int] | None = None) -> Iterator[tuple[int, Array]]:
        """Yield `S_k` as a stack of cotangents `(m, N, *out)`, of every link with parameters."""
        for position in self._suffixes if positions is None else positions:
            link = self._point.network.links[position]
            first, *others = self._suffixes[position]
            whole = first
            for matrix in others:
                whole = whole @ matrix
            rows = np.ascontiguousarray(whole.transpose(1, 0, 2))
            yield position, rows.reshape((*rows.shape[:2], *link.output_shape))


class InputsJacobian(Jacobian):
    """`J_x f`, `(N, m, n_1)`, formed by the plan; examples do not mix."""

    def __init__(self, point: NetworkLinearization, outputs: Array, mode: Accumulation) -> None:
        factors = factors_of(point.network)
        plans = {order: plan_product(factors, order) for order in _ORDERS}
        super().__init__(point, outputs, factors[0].inputs)
        self.mode = _cheapest(plans) if mode == "auto" else mode
        _require_possible(plans[self.mode])
        self.brackets = str(plans[self.mode])
        self._whole = accumulate_product(point, factors, plans[self.mode].bracket)

    def __matmul__(self, v: Array) -> Array:
        """Return `J_n v_n`, `(N, m)`, for `v` `(N, *in)`, or `(K, N, m)` for a stack."""
        shape = (self.shape[0], *self._point.network.input_shape)
        stack = _stack(v, shape).reshape((-1, self.shape[0], self.shape[2]))
        products = _apply((self._whole,), stack)
        return products if np.ndim(v) > len(shape) else products[0]

    @property
    def T(self) -> TransposedJacobian:  # noqa: N802 - as arrays call it
        """The transposed operator: `(N, *in)` for `u` `(N, m)`, `(K, N, *in)` for a stack."""
        return TransposedJacobian(self)

    def transposed_times(self, u: Array) -> Array:
        """Return `u_n J_n`."""
        bars = _rows_times(_stack(u, self.shape[:2]), self._whole)
        bars = bars.reshape((*bars.shape[:2], *self._point.network.input_shape))
        return bars if np.ndim(u) > 2 else bars[0]

    def spectrum(self) -> Array:
        """Return the eigenvalues of every example's `J_n J_nᵀ`."""
        return np.linalg.eigvalsh(self._whole @ self._whole.transpose(0, 2, 1)).ravel()

    def dense(self) -> Array:
        """Return the whole, `(N, m, n_1)`."""
        return self._whole

    def as_linear_operator(self) -> LinearOperator:
        """Return a `scipy.sparse.linalg.LinearOperator` `(N·m, N·n_1)`, block-diagonal by examples."""
        from scipy.sparse.linalg import LinearOperator  # heavy

        examples, m, columns = self.shape
        inputs = self._point.network.input_shape
        return LinearOperator(
            (examples * m, examples * columns),
            matvec=lambda v: (self @ v.reshape((examples, *inputs))).reshape(-1),
            rmatvec=lambda u: (self.T @ u.reshape(examples, m)).reshape(-1),
            dtype=self.dtype,
        )


def _cheapest(plans: dict[Order, Any]) -> Order:
    best = min(plans, key=lambda order: plans[order].multiply_adds)
    _require_possible(plans[best])
    return best


def _require_possible(plan: ProductPlan | SuffixPlan) -> None:
    if plan.multiply_adds == inf:
        raise UnsupportedError(
            "this order needs a jvp or vjp that a layer does not have; define it, or choose another mode"
        )


def _stack(vectors: Array, shape: tuple[int, ...]) -> Array:
    """Return `vectors` with a stack axis in front; ShapeError unless the others are `shape`."""
    vectors = np.asarray(vectors)
    if vectors.shape == shape:
        return vectors[None]
    if vectors.shape[1:] != shape:
        stack = ", ".join(["K", *map(str, shape)])
        raise ShapeError(
            f"the Jacobian takes vectors {shape}, or a stack of them ({stack}), not {vectors.shape}"
        )
    return vectors


def _apply(matrices: Matrices, columns: Array) -> Array:
    """Return the matrices `(N, m, n)` times vectors `(K, N, n)`: `(K, N, m)`."""
    product = columns.transpose(1, 2, 0)  # (N, n, K)
    for matrix in reversed(matrices):
        product = matrix @ product
    return product.transpose(2, 0, 1)


def _rows_times(rows: Array, matrix: Array) -> Array:
    """Return vectors `(K, N, m)` times matrices `(N, m, n)`: `(K, N, n)`."""
    return (rows.transpose(1, 0, 2) @ matrix).transpose(1, 0, 2)


def _leaves(layout: Any, tree: Tree) -> Iterator[tuple[slice, Array]]:
    """Yield every leaf `(K, N, *p)` with its columns within the link."""
    found = dict(leaves(tree))
    for path, part in zip(layout.paths, layout.slices, strict=True):
        yield part, found[path]
