"""The laws of layers and losses, each a function `law(case, dtype)` that raises AssertionError.

A message names the case, the law, the product and the relative error. Relative errors are of L2 norms over
a whole product. What is allowed:

- *Exact* laws compare two ways to compute one number, up to rounding: `EXACT · ε`, 3e-14 in float64. Every
  entry is a sum of at most 30 terms through at most 4 layers, whose rounding is below `30 · 4 · ε` even if it
  never cancels. The largest seen is 38 ε.
- *Central differences* of step `h = ε^{1/3}`: `h²` of truncation and `ε/h = h²` of rounding, 4e-11
  relative to the values; layers have third derivatives and |y| up to a few hundred times |J ẋ|: 2e-8.
- *Complex steps* have neither: as exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from cases import LAYERS, LayerCase, LossCase, map_tree, seeded
from counting import multiply_adds

from jactrain.arrays import leaves
from jactrain.layers.base import Layer
from jactrain.layers.forms import Moved

STACK = 3
EXACT = 120
DIFFERENCE = 2e-8
COMPLEX_STEP = 1e-40  # far above the smallest float64, and its square is zero
FOUR = ("jvp", "vjp", "parameter_jvp", "parameter_vjp")


def relative_error(got: Any, expected: Any) -> float:
    """Return `‖got - expected‖ / ‖expected‖` over arrays or whole trees; 0 where both are zero."""
    got, expected = _flat(got), _flat(expected)
    assert got.shape == expected.shape, f"{got.shape} entries against {expected.shape}"
    difference, size = np.linalg.norm(got - expected), np.linalg.norm(expected)
    if size == 0 or not np.isfinite(difference):
        return 0.0 if difference == 0 else np.inf
    return float(difference / size)


def require(
    case: Any, law: str, product: str, got: Any, expected: Any, dtype: Any = np.float64, allowed: float = 0.0
) -> float:
    """Return the relative error; AssertionError if it is above `allowed`, by default the exact laws'."""
    allowed = allowed or EXACT * float(np.finfo(dtype).eps)
    shapes = [{path: np.shape(leaf) for path, leaf in leaves(tree)} for tree in (got, expected)]
    assert shapes[0] == shapes[1], f"{case.name}: {law}: {product} has shapes {shapes[0]}, not {shapes[1]}"
    error = relative_error(got, expected)
    assert error <= allowed, (
        f"{case.name}: {law}: {product} is off by {error:.2g}, allowed {allowed:.2g} ({np.dtype(dtype)})"
    )
    return error


def _flat(tree: Any) -> Any:
    by_path = dict(leaves(tree))  # JAX sorts the names of a tree
    parts = [np.ravel(np.asarray(by_path[path])) for path in sorted(by_path)]
    return np.concatenate([part if part.dtype.kind == "c" else part.astype(float) for part in parts])


def read_only(tree: Any) -> Any:
    """Return copies of a tree's arrays that refuse to be written into."""

    def lock(array: Any) -> Any:
        copy = np.array(array)
        copy.setflags(write=False)
        return copy

    return map_tree(lock, tree)


@dataclass(frozen=True)
class Point:
    """A layer linearised at a case's inputs, with stacks of tangents and cotangents; all read-only."""

    case: LayerCase
    layer: Layer
    params: Any
    x: Any
    noise: Any
    y: Any
    residual: Any
    x_dot: Any
    y_bar: Any
    dots: Any

    @property
    def products(self) -> tuple[str, ...]:
        """The four products, or two for a layer without parameters."""
        return FOUR if self.params else FOUR[:2]

    def stack_for(self, product: str) -> Any:
        """Return what `product` is applied to."""
        return {"jvp": self.x_dot, "parameter_jvp": self.dots}.get(product, self.y_bar)

    def apply(self, product: str, stack: Any = None, **options: Any) -> Any:
        """Return `product` of `stack`, or of this point's own."""
        stack = self.stack_for(product) if stack is None else stack
        return getattr(self.layer, product)(np, self.params, self.residual, stack, **options)

    def forward(self, params: Any = None, x: Any = None) -> Any:
        """Return the values at other parameters or inputs."""
        params = self.params if params is None else params
        return self.layer.forward(np, params, self.x if x is None else x, self.noise)[0]


def point_of(case: LayerCase, dtype: Any, networks: int = 1, vectors: int = STACK) -> Point:
    """Return a case's point, with `networks` stacked parameter sets and inputs."""
    layer, rng = case.layer, seeded(case.name, "tangents")
    draw = partial(_draw, rng, dtype)
    params, x = read_only(case.parameters(dtype, networks)), read_only(case.x(dtype, networks))
    noise = read_only(case.noise(dtype))
    y, residual = layer.forward(np, params, x, noise)
    x_dot = draw((vectors, case.examples, *case.input_shape))
    y_bar = draw((vectors, case.examples, *layer.output_shape(case.input_shape)))
    dots = map_tree(lambda shape: draw((vectors, *shape)), layer.parameter_shapes(case.input_shape))
    return Point(case, layer, params, x, noise, y, residual, x_dot, y_bar, dots)


def altered(component: Any, rules: dict[str, Any]) -> Any:
    """Return a layer or loss like `component` with other `rules`, its options unchanged."""
    kind = type(component)
    options = {name: getattr(component, name) for name in kind.model_fields}
    return type("Altered", (kind,), {"__doc__": kind.__doc__, **rules})(**options)


def _draw(rng: Any, dtype: Any, shape: Any) -> Any:
    return read_only(rng.standard_normal(shape).astype(dtype))


# ------------------------------------------------------------------------------------- laws of layers


def adjoint(case: LayerCase, dtype: Any) -> None:
    """`⟨ȳ_i, J ẋ_j⟩ = ⟨ȳ_i J, ẋ_j⟩` for every pair of the stacks, and the same for the parameters."""
    point = point_of(case, dtype)
    # Examples never mix, so that the identity in x holds for each of them.
    left = _pairs(point.y_bar, point.apply("jvp"), examples=True)
    right = _pairs(point.apply("vjp"), point.x_dot, examples=True)
    require(case, "adjoint", "jvp against vjp", right, left, dtype)
    if point.params:
        left = _pairs(point.y_bar, point.apply("parameter_jvp"))
        bars = point.apply("parameter_vjp")
        right = sum(_pairs(bar, dot) for bar, dot in zip(_leaves(bars), _leaves(point.dots), strict=True))
        require(case, "adjoint", "parameter_jvp against parameter_vjp", right, left, dtype)


def _leaves(tree: Any) -> list[Any]:
    return [leaf for _, leaf in leaves(tree)]


def _pairs(left: Any, right: Any, examples: bool = False) -> Any:
    """Return the inner products `(K, K)` of two stacks, or `(K, K, N)`, summed in float64."""
    axes = 2 if examples else 1
    left, right = (a.reshape(*a.shape[:axes], -1).astype(float) for a in (left, right))
    return np.einsum("ina,jna->ijn" if examples else "ia,ja->ij", left, right)


def linear_in_the_stack(case: LayerCase, dtype: Any) -> None:
    """A product of combined vectors is the combination of the products."""
    point, weights = point_of(case, dtype), np.array([[1, 2, -1], [0.5, -1, 3]], dtype)

    def combined(tree: Any) -> Any:
        return map_tree(lambda leaf: np.tensordot(weights, leaf, 1), tree)

    for product in point.products:
        got = point.apply(product, combined(point.stack_for(product)))
        require(case, "linear in the stack", product, got, combined(point.apply(product)), dtype)


def stacked_is_apart(case: LayerCase, dtype: Any) -> None:
    """K vectors in one stack give what they give one by one."""
    point = point_of(case, dtype)
    for product in point.products:
        whole, stack = point.apply(product), point.stack_for(product)
        for k in range(STACK):
            one = map_tree(lambda leaf: leaf[k : k + 1], stack)  # noqa: B023 - used at once
            expected = map_tree(lambda leaf: leaf[k : k + 1], whole)  # noqa: B023 - used at once
            require(case, "stacked is apart", product, point.apply(product, one), expected, dtype)


def networks_stacked_are_apart(case: LayerCase, dtype: Any) -> None:
    """K parameter sets, on inputs of their own or on the same, give what each network gives alone."""
    for shared in (False, True):
        point = point_of(case, dtype, STACK)
        x = point.x[:1] if shared else point.x
        y, residual = case.layer.forward(np, point.params, x, point.noise)
        y = np.broadcast_to(y, (STACK, *y.shape[1:])) if not point.params else y
        rows = {"forward": y}
        for product in point.products:
            rows[product] = getattr(case.layer, product)(np, point.params, residual, point.stack_for(product))
        for k in range(STACK):

            def row(tree: Any, k: int = k) -> Any:
                return map_tree(lambda leaf: leaf[k : k + 1], tree)

            params, own = row(point.params), x if shared else row(x)
            y, residual = case.layer.forward(np, params, own, point.noise)
            require(case, "networks stacked are apart", "forward", row(rows["forward"]), y, dtype)
            for product in point.products:
                stack = row(point.stack_for(product))
                got = getattr(case.layer, product)(np, params, residual, stack)
                require(case, "networks stacked are apart", product, row(rows[product]), got, dtype)


def a_stack_of_one_broadcasts(case: LayerCase, dtype: Any) -> None:
    """One vector gives with K networks what it gives with each: `K` times itself in a stack."""
    point = point_of(case, dtype, STACK)
    for product in point.products:
        one = map_tree(lambda leaf: leaf[:1], point.stack_for(product))
        many = map_tree(lambda leaf: np.concatenate([leaf] * STACK), one)
        expected = point.apply(product, many)
        got = map_tree(
            lambda leaf: np.broadcast_to(leaf, (STACK, *leaf.shape[1:])), point.apply(product, one)
        )
        require(case, "a stack of one broadcasts", product, got, expected, dtype)


def complex_step(case: LayerCase, dtype: Any = np.float64) -> None:
    """`jvp` and `parameter_jvp` are `Im f(· + i h ·̇) / h`."""
    point = point_of(case, np.float64)
    step = 1j * COMPLEX_STEP
    y = point.forward(x=point.x + step * point.x_dot)
    require(case, "complex step", "jvp", point.apply("jvp"), y.imag / COMPLEX_STEP)
    if point.params:
        y = point.forward(_moved(point.params, point.dots, step))
        require(case, "complex step", "parameter_jvp", point.apply("parameter_jvp"), y.imag / COMPLEX_STEP)


def central_difference(case: LayerCase, dtype: Any = np.float64) -> None:
    """`jvp` and `parameter_jvp` are `(f(· + h ·̇) - f(· - h ·̇)) / 2h`, with real numbers alone."""
    point = point_of(case, np.float64)
    h = float(np.finfo(np.float64).eps) ** (1 / 3)
    plus, minus = point.forward(x=point.x + h * point.x_dot), point.forward(x=point.x - h * point.x_dot)
    got = point.apply("jvp")
    require(case, "central difference", "jvp", got, (plus - minus) / (2 * h), allowed=DIFFERENCE)
    if point.params:
        plus, minus = (point.forward(_moved(point.params, point.dots, step)) for step in (h, -h))
        got = point.apply("parameter_jvp")
        expected = (plus - minus) / (2 * h)
        require(case, "central difference", "parameter_jvp", got, expected, allowed=DIFFERENCE)


def _moved(params: Any, dots: Any, step: complex) -> Any:
    if isinstance(params, dict):
        return {name: _moved(branch, dots[name], step) for name, branch in params.items()}
    return params + step * dots


def per_example(case: LayerCase, dtype: Any) -> None:
    """Row j of `parameter_vjp(per_example=True)` is the product of example j alone; they sum to it."""
    point = point_of(case, dtype)
    if not point.params:
        return
    each = point.apply("parameter_vjp", per_example=True)
    total = map_tree(lambda leaf: leaf.sum(1), each)
    require(case, "per example", "parameter_vjp, summed", total, point.apply("parameter_vjp"), dtype)
    for j in range(case.examples):
        alone = np.zeros_like(point.y_bar)
        alone[:, j] = point.y_bar[:, j]
        got = map_tree(lambda leaf: leaf[:, j], each)  # noqa: B023 - used at once
        require(case, "per example", "parameter_vjp", got, point.apply("parameter_vjp", alone), dtype)


def rows_are_outer_products(case: LayerCase, dtype: Any) -> None:
    """The factors that `parameter_rows` gives are those of each example's row, parameter after parameter."""
    point = point_of(case, dtype)
    if not point.params:
        return
    q, r = case.layer.parameter_rows(np, point.params, point.residual, point.y_bar)
    got = (q[:, :, None] * r[:, :, None, :]).reshape(STACK, case.examples, -1)
    tree = point.apply("parameter_vjp", per_example=True)
    rows = [leaf.reshape(STACK, case.examples, -1) for _, leaf in leaves(tree)]
    require(case, "rows are outer products", "parameter_rows", got, np.concatenate(rows, axis=2), dtype)


def inputs_unmodified(case: LayerCase, dtype: Any) -> None:
    """No rule writes into what it is given; a point's arrays are read-only, its residual is compared."""
    point = point_of(case, dtype)
    before = [np.array(array) for array in _arrays(point.residual)]
    for product in point.products:
        point.apply(product)
        for kept, array in zip(before, _arrays(point.residual), strict=True):
            unchanged = np.array_equal(kept, array)
            assert unchanged, f"{case.name}: inputs unmodified: {product} wrote into the residual"


def _arrays(residual: Any) -> list[Any]:
    if isinstance(residual, list | tuple):
        return [array for part in residual for array in _arrays(part)]
    return [residual] if isinstance(residual, np.ndarray) else []


def kept_is_held(case: LayerCase, dtype: Any) -> None:
    """The residual holds what `kept` says, from which memory is predicted: the noise is not among it."""
    point = point_of(case, dtype)
    given = [noise for _, noise in leaves(point.noise)]
    held = [array for array in _arrays(point.residual) if array.ndim and not _is_one_of(array, given)]
    ends = [_is_one_of(end, held) for end in (point.x, point.y)]
    between = {id(array): array.size for array in held if not _is_one_of(array, [point.x, point.y])}
    found = (*ends, sum(between.values()) // case.examples)
    declared = tuple(case.layer.kept(case.input_shape))
    assert found == declared, f"{case.name}: kept is held: {found}, not {declared}"


def _is_one_of(array: Any, arrays: list[Any]) -> bool:
    return any(array is other for other in arrays)


def dtype_preserved(case: LayerCase, dtype: Any) -> None:
    """Values, residuals and products have the dtype of the inputs: a float64 constant would promote them."""
    point = point_of(case, dtype)
    found = {"forward": point.y, "residual": _arrays(point.residual)}
    found |= {product: point.apply(product) for product in point.products}
    if point.params:
        found["per_example"] = point.apply("parameter_vjp", per_example=True)
        found["perturbed_forward"] = [perturbed(point, path, dtype)[0] for path, _ in leaves(point.params)]
    for product, tree in found.items():
        for array in tree if isinstance(tree, list) else _leaves(tree):
            right = array.dtype == dtype
            assert right, f"{case.name}: dtype preserved: {product} is {array.dtype}, not {np.dtype(dtype)}"


def shapes(case: LayerCase, dtype: Any) -> None:
    """Everything has the shape that the contract documents."""
    point, layer, n = point_of(case, dtype), case.layer, case.examples
    own = layer.parameter_shapes(case.input_shape)
    output = layer.output_shape(case.input_shape)
    expected = {"forward": (1, n, *output), "jvp": (STACK, n, *output), "vjp": (STACK, n, *case.input_shape)}
    expected |= {"parameter_jvp": (STACK, n, *output)} if own else {}
    found = {"forward": point.y.shape}
    found |= {product: point.apply(product).shape for product in point.products if product in expected}
    assert found == expected, f"{case.name}: shapes: {found}, not {expected}"
    if own:
        for each, lead in ((False, (STACK,)), (True, (STACK, n))):
            got = map_tree(np.shape, point.apply("parameter_vjp", per_example=each))
            wanted = map_tree(lambda shape: (*lead, *shape), own)  # noqa: B023 - used at once
            assert got == wanted, f"{case.name}: shapes: parameter_vjp {got}, not {wanted}"
    for _, drawn in leaves(case.noise(dtype)):
        right = drawn is None or len(drawn) == n
        assert right, f"{case.name}: shapes: noise {np.shape(drawn)} is not ({n}, …)"


def examples_never_mix(case: LayerCase, dtype: Any) -> None:
    """Another example j, with its tangent and cotangent, changes row j of every product, bit for bit."""
    point = point_of(case, dtype)
    for j in range(case.examples):
        others = [n for n in range(case.examples) if n != j]
        x, x_dot, y_bar = (np.array(a) for a in (point.x, point.x_dot, point.y_bar))
        for array in (x, x_dot, y_bar):
            array[:, j] *= -1.5
        y, residual = case.layer.forward(np, point.params, x, point.noise)
        pairs = {"forward": (y, point.y)}
        for product, stack in (("jvp", x_dot), ("vjp", y_bar), ("parameter_jvp", point.dots)):
            if product in point.products:
                got = getattr(case.layer, product)(np, point.params, residual, stack)
                pairs[product] = (got, point.apply(product))
        if point.params:
            got = case.layer.parameter_vjp(np, point.params, residual, y_bar, per_example=True)
            both = zip(_leaves(got), _leaves(point.apply("parameter_vjp", per_example=True)), strict=True)
            pairs |= {f"parameter_vjp, leaf {leaf}": pair for leaf, pair in enumerate(both)}
        for product, (got, before) in pairs.items():
            same = np.array_equal(got[:, others], before[:, others])
            assert same, f"{case.name}: examples never mix: {product} moved with example {j}"


def perturbed_is_forward(case: LayerCase, dtype: Any) -> None:
    """`perturbed_forward` is `forward` of parameters with that one entry moved, written out."""
    point = point_of(case, dtype)
    for path, _ in leaves(point.params):
        got, expected = perturbed(point, path, dtype)
        require(case, "perturbed is forward", f"perturbed_forward of {'/'.join(path)}", got, expected, dtype)


def perturbed(point: Point, path: Any, dtype: Any) -> tuple[Any, Any]:
    """Return both sides of that law for every entry of the leaf at `path`, in two steps each."""
    leaf = dict(leaves(point.params))[path]
    indices = np.tile(np.arange(leaf.size), 2)
    steps = (0.1 * seeded(point.case.name, "steps").standard_normal(len(indices))).astype(dtype)
    got = point.layer.perturbed_forward(
        np, point.params, point.x, point.noise, path, read_only(indices), read_only(steps)
    )
    pairs = zip(indices, steps, strict=True)
    return got, np.concatenate([_stepped(point, path, index, step) for index, step in pairs])


def _stepped(point: Point, path: Any, index: int, step: float) -> Any:
    """Return the values `(1, N, *out)` with one entry of the leaf at `path` moved."""
    moved = map_tree(np.array, point.params)
    branch = moved
    for name in path:
        branch = branch[name]
    branch.reshape(-1)[index] += step
    return point.forward(moved)


def moved_is_forward(case: LayerCase, dtype: Any) -> None:
    """`moved_forward` is `forward` of inputs that differ in one entry, and returns what its cost says."""
    point = point_of(case, dtype)
    moved = moved_inputs(point, dtype)
    inputs = np.array(np.broadcast_to(point.x, (len(moved.places), *point.x.shape[1:])))
    for t, place in enumerate(moved.places):
        inputs[t].reshape(case.examples, -1)[:, place] = moved.values[t]
    got = case.layer.moved_forward(np, point.params, moved, point.y, point.noise)
    is_moved = isinstance(got, Moved)
    declared = case.layer.moved_cost(case.input_shape).moved
    assert is_moved == declared, f"{case.name}: moved is forward: moved_forward gives Moved: {is_moved}"
    dense = got.dense(np) if is_moved else got
    assert dense.dtype == dtype, f"{case.name}: moved is forward: moved_forward is {dense.dtype}"
    require(case, "moved is forward", "moved_forward", dense, point.forward(x=inputs), dtype)


def moved_inputs(point: Point, dtype: Any, moves: int = 0) -> Moved:
    """Return the case's inputs with every entry, or the first few in turn, moved to another value."""
    size = point.x[0, 0].size
    places = np.arange(moves or size) % size
    values = seeded(point.case.name, "moved").standard_normal((len(places), point.case.examples))
    return Moved(point.x, read_only(places), read_only(values.astype(dtype)))


def entry_is_forward(case: LayerCase, dtype: Any) -> None:
    """A layer that `moves_one_entry` states in `perturbed_entry` what `perturbed_forward` is in full."""
    point = point_of(case, dtype)
    if not case.layer.moves_one_entry:
        return
    for path, leaf in leaves(point.params):
        indices, steps = np.arange(leaf.size), np.full(leaf.size, 0.25, dtype)
        got = case.layer.perturbed_entry(np, point.params, point.x, point.y, path, indices, steps)
        expected = np.concatenate([_stepped(point, path, *pair) for pair in zip(indices, steps, strict=True)])
        name = f"perturbed_entry of {'/'.join(path)}"
        require(case, "entry is forward", name, got.dense(np), expected, dtype)


def cost_is_counted(case: LayerCase, dtype: Any = np.float64) -> None:
    """One vector more in the stack costs what `cost` says, for every example, exactly.

    Counted are multiplications, divisions, elementary functions, and `I · O` terms a row of a matrix
    product; what does not grow with the stack, such as an elementwise slope, is not. `forward` is held for
    the rows of the table that say so: others call an expression of several functions one.
    """
    cost = case.layer.cost(case.input_shape)
    point = point_of(case, np.float64, vectors=STACK)
    for product in point.products:
        rule = getattr(case.layer, product)
        counts = [
            multiply_adds(
                partial(rule, np), point.params, point.residual, map_tree(_first(k), point.stack_for(product))
            )
            for k in (2, 3)
        ]
        _require_cost(case, product, counts[1] - counts[0], getattr(cost, product))
    if LAYERS[case.layer.kind].forward_counted:
        counts = []
        for k in (2, 3):
            params, x = case.parameters(np.float64, k), case.x(np.float64, k)
            counts.append(multiply_adds(partial(case.layer.forward, np), params, x, point.noise))
        _require_cost(case, "forward", counts[1] - counts[0], cost.forward)
        rule = partial(case.layer.moved_forward, np)
        counts = [
            multiply_adds(rule, point.params, moved_inputs(point, np.float64, k), point.y, point.noise)
            for k in (2, 3)
        ]
        each = case.layer.moved_cost(case.input_shape).each
        _require_cost(case, "moved_forward", counts[1] - counts[0], each)


def _first(count: int) -> Any:
    return lambda leaf: leaf[:count]


def _require_cost(case: Any, product: str, counted: int, cost: int) -> None:
    predicted = cost * case.examples
    right = counted == predicted
    assert right, f"{case.name}: cost is counted: {product} counted {counted}, predicted {predicted}"


def single_is_double_rounded(case: LayerCase, dtype: Any = np.float32) -> None:
    """In float32 every product is the float64 one up to float32's rounding."""
    single, double = point_of(case, np.float32), point_of(case, np.float64)
    pairs = {"forward": (single.y, double.y)}
    pairs |= {product: (single.apply(product), double.apply(product)) for product in single.products}
    for product, (got, expected) in pairs.items():
        require(case, "single is double rounded", product, got, expected, np.float32)


LAYER_LAWS = (
    complex_step,
    adjoint,
    per_example,
    rows_are_outer_products,
    perturbed_is_forward,
    entry_is_forward,
    moved_is_forward,
    networks_stacked_are_apart,
    a_stack_of_one_broadcasts,
    stacked_is_apart,
    linear_in_the_stack,
    central_difference,
    examples_never_mix,
    shapes,
    dtype_preserved,
    inputs_unmodified,
    kept_is_held,
    cost_is_counted,
)
# Those that hold in float32 too; the others are about more digits than it has, or about no digits at all.
SINGLE_LAWS = (
    adjoint,
    per_example,
    perturbed_is_forward,
    entry_is_forward,
    moved_is_forward,
    networks_stacked_are_apart,
    stacked_is_apart,
    linear_in_the_stack,
    examples_never_mix,
    shapes,
    dtype_preserved,
    inputs_unmodified,
    single_is_double_rounded,
)


# ------------------------------------------------------------------------------------- laws of losses


@dataclass(frozen=True)
class LossPoint:
    """A loss linearised at a case's outputs; all read-only."""

    loss: Any
    z: Any
    targets: Any
    values: Any
    residual: Any
    z_dot: Any
    value_bar: Any

    def values_at(self, z: Any) -> Any:
        """Return the losses at other outputs."""
        return self.loss.forward(np, z, self.targets)[0]


def loss_point_of(case: LossCase, dtype: Any, vectors: int = STACK) -> LossPoint:
    """Return a case's point."""
    rng = seeded(case.name, "tangents")
    z, targets = read_only(case.z(dtype)), read_only(case.targets(dtype))
    values, residual = case.loss.forward(np, z, targets)
    z_dot = _draw(rng, dtype, (vectors, case.examples, case.outputs))
    value_bar = _draw(rng, dtype, (vectors, case.examples))
    return LossPoint(case.loss, z, targets, values, residual, z_dot, value_bar)


def loss_complex_step(case: LossCase, dtype: Any = np.float64) -> None:
    """`jvp` is `Im f(z + i h ż) / h`."""
    point = loss_point_of(case, np.float64)
    values = point.values_at(point.z + 1j * COMPLEX_STEP * point.z_dot)
    got = point.loss.jvp(np, point.residual, point.z_dot)
    require(case, "complex step", "jvp", *_floored(point, got, values.imag / COMPLEX_STEP))


def loss_central_difference(case: LossCase, dtype: Any = np.float64) -> None:
    """`jvp` is `(f(z + h ż) - f(z - h ż)) / 2h`."""
    point, h = loss_point_of(case, np.float64), float(np.finfo(np.float64).eps) ** (1 / 3)
    plus, minus = point.values_at(point.z + h * point.z_dot), point.values_at(point.z - h * point.z_dot)
    got = point.loss.jvp(np, point.residual, point.z_dot)
    expected = (plus - minus) / (2 * h)
    require(case, "central difference", "jvp", *_floored(point, got, expected), allowed=DIFFERENCE)


def loss_adjoint(case: LossCase, dtype: Any) -> None:
    """`v̄_i · f'(z) ż_j = (v̄_i f'(z)) · ż_j` for every example."""
    point = loss_point_of(case, dtype)
    jvp = point.loss.jvp(np, point.residual, point.z_dot)
    vjp = point.loss.vjp(np, point.residual, point.value_bar)
    left = np.einsum("in,jn->ijn", point.value_bar, jvp, dtype=float)
    right = np.einsum("ina,jna->ijn", vjp, point.z_dot, dtype=float)
    require(case, "adjoint", "jvp against vjp", right, left, dtype)


def loss_form(case: LossCase, dtype: Any) -> None:
    """Shapes and dtypes are as documented, also for K stacked outputs, which give what each gives alone."""
    z, targets = read_only(case.z(dtype, STACK)), read_only(case.targets(dtype))
    n, m = case.examples, case.outputs
    point = loss_point_of(case, dtype)
    values, residual = case.loss.forward(np, z, targets)
    found = {
        "forward": values,
        "slope": case.loss.slope(np, residual),
        "jvp": case.loss.jvp(np, residual, point.z_dot),
        "vjp": case.loss.vjp(np, residual, point.value_bar),
    }
    expected = {"forward": (STACK, n), "slope": (STACK, n, m), "jvp": (STACK, n), "vjp": (STACK, n, m)}
    for product, array in found.items():
        right = array.shape == expected[product] and array.dtype == dtype
        assert right, f"{case.name}: form: {product} is {array.dtype} {array.shape}, not {expected[product]}"
    for k in range(STACK):
        alone, kept = case.loss.forward(np, z[k : k + 1], targets)
        require(case, "stacked is apart", "forward", values[k : k + 1], alone, dtype)
        slope = case.loss.slope(np, kept)
        require(case, "stacked is apart", "slope", found["slope"][k : k + 1], slope, dtype)


def loss_examples_never_mix(case: LossCase, dtype: Any) -> None:
    """Another example j changes entry j of the values and of the slope only."""
    point = loss_point_of(case, dtype)
    slope = point.loss.slope(np, point.residual)
    for j in range(case.examples):
        others = [n for n in range(case.examples) if n != j]
        z = np.array(point.z)
        z[:, j] += 1.5
        values, residual = point.loss.forward(np, z, point.targets)
        same = np.array_equal(values[:, others], point.values[:, others])
        assert same, f"{case.name}: examples never mix: forward moved with example {j}"
        same = np.array_equal(point.loss.slope(np, residual)[:, others], slope[:, others])
        assert same, f"{case.name}: examples never mix: slope moved with example {j}"


def loss_cost_is_counted(case: LossCase, dtype: Any = np.float64) -> None:
    """One vector more in the stack costs what `cost` says, and so does one network more, exactly."""
    point, cost = loss_point_of(case, np.float64), case.loss.cost(case.outputs)
    two, three = (
        multiply_adds(partial(case.loss.forward, np), case.z(np.float64, k), point.targets) for k in (2, 3)
    )
    _require_cost(case, "forward", three - two, cost.forward)
    for product, stack in (("jvp", point.z_dot), ("vjp", point.value_bar)):
        rule = partial(getattr(case.loss, product), np)
        two, three = (multiply_adds(rule, point.residual, stack[:k]) for k in (2, 3))
        _require_cost(case, product, three - two, getattr(cost, product))


def _floored(point: LossPoint, got: Any, expected: Any) -> tuple[Any, Any]:
    """Return both sides with one entry more of the size of the tangents.

    The slope may be as small as a difference of two numbers of size one (cross-entropy of one class is
    always 0), so that rounding is relative to the tangents rather than to the slope alone.
    """
    size = [np.linalg.norm(point.z_dot)]
    return np.concatenate([got.ravel(), size]), np.concatenate([expected.ravel(), size])


LOSS_LAWS = (
    loss_complex_step,
    loss_adjoint,
    loss_form,
    loss_central_difference,
    loss_examples_never_mix,
    loss_cost_is_counted,
)
SINGLE_LOSS_LAWS = (loss_adjoint, loss_form, loss_examples_never_mix)
