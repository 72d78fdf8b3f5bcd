"""The laws of a layer: every product against what `forward` says, judged by the norm of the difference.

The derivative of `forward` is the one reference: by complex steps, in float64, or by central differences
where a layer has no analytic extension. `jvp` and `parameter_jvp` are compared with it; `vjp` and
`parameter_vjp` by the adjoint identity `⟨ȳ A, ẋ⟩ = ⟨ȳ, A ẋ⟩`. So a wrong product is named, and not the one
that it is compared with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from jactrain.agreement.derivative import Derivative, norm_of
from jactrain.agreement.examination import STACK, Examination, frozen
from jactrain.agreement.sides import Sides
from jactrain.arrays import Array, Shape, Tree, leaf_at, leaves, map_tree, size_of, tree_of
from jactrain.layers.base import Layer, Product
from jactrain.layers.forms import Moved, SingleEntry


def laws_for(layer: Layer, e: Examination) -> list[str]:
    """Return the names of what the laws say something about: products that `layer` has, and other rules."""
    has = {product.value for product in layer.products(e.input_shape)}
    lacking = {product.value for product in Product} - has
    without = set() if e.paths else _OF_PARAMETERS
    if Product.PARAMETER_VJP in lacking:
        lacking |= {"parameter_rows"}
    return [name for name in LAWS if name not in lacking | without]


def sides_of(e: Examination, layer: Layer, name: str) -> Iterator[Sides]:
    """Yield both sides of the laws about one product, or other rule, for `layer` in the place of `e`.

    Whatever the rules raise passes through.
    """
    with np.errstate(all="ignore"):  # what overflows is judged, not warned of
        yield from LAWS[name](e, layer)


def _stacked(e: Examination, layer: Layer, product: str, stack: Tree, whole: Tree) -> Iterator[Sides]:
    """Vectors give in a stack of one, and in one of seven, what they give in a stack of K."""
    residual = e.residual(layer)
    for count in (1, 7):
        places = np.arange(count) % STACK
        several = map_tree(lambda array: frozen(array[places]), stack)  # noqa: B023 - used at once
        got = getattr(layer, product)(np, e.place.params, residual, several)
        pairs = zip(leaves(got), leaves(whole), strict=True)
        both = [(e.formed(left, count, *right.shape[1:]), right[places]) for (_, left), (_, right) in pairs]
        left, right = (np.concatenate([side.ravel() for side in sides]) for sides in zip(*both, strict=True))
        allowed = 2 * math.sqrt(count) * e.rounded(e.level(product, stack))
        yield Sides(product, "stacked apart", left, right, allowed, e.reason())


def _jvp(e: Examination, layer: Layer) -> Iterator[Sides]:
    got = e.formed(
        layer.jvp(np, e.place.params, e.residual(layer), e.x_dot), STACK, e.examples, *e.output_shape
    )
    truth = e.input_derivative
    allowed = e.rounded(e.level(Product.JVP, e.x_dot)) + norm_of(truth.error, truth.apart)
    yield Sides(Product.JVP, e.by, got, truth.values, allowed, e.reason(), apart=truth.apart)
    yield from _stacked(e, layer, Product.JVP, e.x_dot, got)


def _parameter_jvp(e: Examination, layer: Layer) -> Iterator[Sides]:
    for path in e.parts():
        dots = e.tangents(path)
        got = layer.parameter_jvp(np, e.place.params, e.residual(layer), dots)
        got = e.formed(got, STACK, e.examples, *e.output_shape)
        truth = e.parameter_derivative(path)
        level = e.level(Product.PARAMETER_JVP, dots, path)
        allowed = e.rounded(level) + norm_of(truth.error, truth.apart)
        part = "/".join(path or ())
        yield Sides(Product.PARAMETER_JVP, e.by, got, truth.values, allowed, e.reason(), part, truth.apart)


def _all_parameter_jvps(e: Examination, layer: Layer) -> Iterator[Sides]:
    yield from _parameter_jvp(e, layer)
    whole = layer.parameter_jvp(np, e.place.params, e.residual(layer), e.dots)
    yield from _stacked(e, layer, Product.PARAMETER_JVP, e.dots, whole)


def _vjp(e: Examination, layer: Layer) -> Iterator[Sides]:
    """`⟨ȳ_i A, ẋ_j⟩ = ⟨ȳ_i, A ẋ_j⟩` for every pair of the stacks and every example."""
    got = e.formed(
        layer.vjp(np, e.place.params, e.residual(layer), e.y_bar), STACK, e.examples, *e.input_shape
    )
    truth = e.input_derivative
    terms = e.terms + size_of(e.input_shape) + size_of(e.output_shape)
    level = e.level(Product.VJP, e.y_bar).reshape(got.shape)
    of_truth = e.derivative_level(truth, Product.JVP, e.x_dot)
    yield Sides(
        Product.VJP,
        "adjoint",
        _pairs(got, e.x_dot),
        _pairs(e.y_bar, truth.values),
        e.rounded(_root_pairs(level, e.x_dot), terms)
        + e.rounded(_root_pairs(e.y_bar, of_truth), terms)
        + norm_of(_pairs(abs(e.y_bar), truth.error)),
        e.reason(terms),
        apart=np.broadcast_to(_any_apart(truth), (STACK, STACK, e.examples)),
    )
    yield from _stacked(e, layer, Product.VJP, e.y_bar, got)


def _parameter_vjp(e: Examination, layer: Layer, per_example: bool) -> Iterator[Sides]:
    """`⟨ȳ_i B, θ̇_j⟩ = ⟨ȳ_i, B θ̇_j⟩` for every pair of the stacks; summed over the examples, or for each."""
    options = {"per_example": True} if per_example else {}
    bars = layer.parameter_vjp(np, e.place.params, e.residual(layer), e.y_bar, **options)
    level = _like_tree(e.level(Product.PARAMETER_VJP, e.y_bar, **options), e.shapes, e.lead(per_example))
    for path in e.parts():
        truth = e.parameter_derivative(path)
        of_truth = e.derivative_level(truth, Product.PARAMETER_JVP, e.tangents(path), path)
        right, error = _pairs(e.y_bar, truth.values), _pairs(abs(e.y_bar), truth.error)
        squares = _pairs(e.y_bar**2, of_truth**2)
        left: Array = 0.0
        own_squares: Array = 0.0
        own = e.paths if path is None else [path]
        for leaf in own:
            dot = leaf_at(e.dots, leaf)
            bar = e.formed(leaf_at(bars, leaf), *e.lead(per_example), *dot.shape[1:])
            left = left + _leaf_pairs(bar, dot, per_example)
            own_squares = own_squares + _leaf_pairs(leaf_at(level, leaf) ** 2, dot**2, per_example)
        apart: Array = np.broadcast_to(_any_apart(truth), (STACK, STACK, e.examples))
        if not per_example:
            right, error, squares = (pairs.sum(2) for pairs in (right, error, squares))
            apart = apart.any(2)
        terms = (
            e.terms
            + e.examples * size_of(e.output_shape)
            + sum(leaf_at(e.dots, leaf)[0].size for leaf in own)
        )
        yield Sides(
            Product.PARAMETER_VJP,
            "adjoint, per example" if per_example else "adjoint",
            left,
            right,
            e.rounded(np.sqrt(own_squares), terms) + e.rounded(np.sqrt(squares), terms) + norm_of(error),
            e.reason(terms),
            "/".join(path or ()),
            apart,
        )


def _any_apart(truth: Derivative) -> Array:
    """Return whether any value of an example is set apart, for each tangent, `(K, N)`."""
    return truth.apart.reshape(*truth.apart.shape[:2], -1).any(2)


def _both_parameter_vjps(e: Examination, layer: Layer) -> Iterator[Sides]:
    yield from _parameter_vjp(e, layer, per_example=False)
    yield from _parameter_vjp(e, layer, per_example=True)
    whole = layer.parameter_vjp(np, e.place.params, e.residual(layer), e.y_bar)
    yield from _stacked(e, layer, Product.PARAMETER_VJP, e.y_bar, whole)


def _parameter_rows(e: Examination, layer: Layer) -> Iterator[Sides]:
    """Products of two rows, from their factors, are those of the rows that `parameter_vjp` gives in full."""
    params, residual, lead = e.place.params, e.residual(layer), e.lead(per_example=True)
    factors = layer.parameter_rows(np, params, residual, e.y_bar)
    q, r = (e.formed(factor, *factor.shape).astype(np.float64) for factor in factors)
    q = np.broadcast_to(q, (STACK, *q.shape)).reshape(-1, q.shape[-1])
    r = r.reshape(-1, r.shape[-1])
    level = e.level(Product.PARAMETER_VJP, e.y_bar, per_example=True)
    rows, spread = (
        np.concatenate(
            [leaf.reshape(STACK * e.examples, -1) for _, leaf in leaves(tree)], 1, dtype=np.float64
        )
        for tree in (
            layer.parameter_vjp(np, params, residual, e.y_bar, per_example=True),
            _like_tree(level, e.shapes, lead),
        )
    )
    terms = e.terms + rows.shape[-1]
    moved = e.rounded(np.sqrt(spread**2 @ rows.T**2 + rows**2 @ spread.T**2), terms)
    law = "products of rows"
    yield Sides("parameter_rows", law, (q @ q.T) * (r @ r.T), rows @ rows.T, 2 * moved, e.reason(terms))


def _forward(e: Examination, layer: Layer) -> Iterator[Sides]:
    """Examples never mix, networks stacked are networks apart, and complex numbers extend real ones."""
    params, x, noise = e.place.params, e.place.x, e.place.noise
    whole = e.formed(layer.forward(np, params, x, noise)[0], 1, e.examples, *e.output_shape)
    allowed = 2 * e.rounded(e.level(Product.FORWARD))
    if e.examples > 1:
        apart = []
        for piece in (slice(0, 1), slice(1, None)):
            own = map_tree(lambda array: array[piece], noise)  # noqa: B023 - used at once
            apart.append(layer.forward(np, params, x[:, piece], own)[0])
        yield Sides(Product.FORWARD, "examples apart", whole, np.concatenate(apart, 1), allowed, e.reason())
    less = map_tree(_quarter_off, params)
    stacked = map_tree(lambda leaf: np.concatenate([_quarter_off(leaf), leaf]), params)
    both = layer.forward(np, stacked, np.concatenate([_quarter_off(x), x]), noise)[0]
    apart = [layer.forward(np, less, _quarter_off(x), noise)[0], whole]
    yield Sides(Product.FORWARD, "stacked apart", both, np.concatenate(apart), 2 * allowed, e.reason())
    for extended, truth, part in e.extensions():
        yield Sides(
            Product.FORWARD,
            "analytic extension",
            extended.values,
            truth.values,
            e.extension_error(extended, truth),
            "twice the noise floor of central differences, a hundredth of them at least",
            part,
            truth.apart,
            "forward of complex numbers is not its analytic extension: let branches decide on x.real, and "
            "write abs, max and norms by them, or set analytic = False",
        )


def _quarter_off(array: Array) -> Array:
    return array * array.dtype.type(0.75)


def _single_jvp(e: Examination, layer: Layer) -> Iterator[Sides]:
    """Tangents with a single entry: `jvp` of what forward mode starts from."""
    places = e.some(size_of(e.input_shape))
    single = SingleEntry(e.input_shape, places, e.x_dot.reshape(STACK, e.examples, -1)[0].T[places])
    got = _dense(layer.single_jvp(np, e.place.params, e.residual(layer), single))
    got = e.formed(got, STACK, e.examples, *e.output_shape)
    truth = e.derivative_along(single.dense(np))
    # The spread of tangents with all entries is no smaller.
    allowed = e.rounded(e.level(Product.JVP, e.x_dot)) + norm_of(truth.error, truth.apart)
    yield Sides("single_jvp", e.by, got, truth.values, allowed, e.reason(), apart=truth.apart)


def _perturbed_forward(e: Examination, layer: Layer) -> Iterator[Sides]:
    """Single entries of parameters moved give what the parameters in full give."""
    params, x, noise = e.place.params, e.place.x, e.place.noise
    y = layer.forward(np, params, x, noise)[0]
    for path in e.paths:
        leaf = leaf_at(params, path)
        indices = e.some(leaf.size)
        steps = leaf_at(e.dots, path).reshape(STACK, -1)[0, indices]
        moved = np.concatenate([leaf] * STACK)
        moved.reshape(STACK, -1)[np.arange(STACK), indices] += steps
        others = {other: np.concatenate([value] * STACK) for other, value in leaves(params)}
        expected = layer.forward(np, tree_of({**others, path: moved}), np.concatenate([x] * STACK), noise)[0]
        got = layer.perturbed_forward(np, params, x, noise, path, indices, steps)
        got = e.formed(got, STACK, e.examples, *e.output_shape)
        allowed = e.moved(expected - y)
        yield Sides(
            "perturbed_forward", "forward in full", got, expected, allowed, e.reason(), "/".join(path)
        )


def _moved_forward(e: Examination, layer: Layer) -> Iterator[Sides]:
    """Give for inputs moved in one entry what they give in full."""
    params, x, noise, places = e.place.params, e.place.x, e.place.noise, e.some(size_of(e.input_shape))
    values = x.reshape(e.examples, -1).T[places] + e.x_dot.reshape(STACK, e.examples, -1)[0].T[places]
    moved = Moved(x, places, values)
    y = layer.forward(np, params, x, noise)[0]
    expected = layer.forward(np, params, moved.dense(np), noise)[0]
    got = e.formed(
        _dense(layer.moved_forward(np, params, moved, y, noise)), STACK, e.examples, *e.output_shape
    )
    yield Sides("moved_forward", "forward in full", got, expected, e.moved(expected - y), e.reason())


def _dense(array: Array | SingleEntry | Moved) -> Array:
    return array.dense(np) if isinstance(array, SingleEntry | Moved) else array


LAWS: dict[str, Callable[[Examination, Layer], Iterator[Sides]]] = {
    Product.FORWARD: _forward,
    Product.JVP: _jvp,
    Product.VJP: _vjp,
    Product.PARAMETER_JVP: _all_parameter_jvps,
    Product.PARAMETER_VJP: _both_parameter_vjps,
    "parameter_rows": _parameter_rows,
    "single_jvp": _single_jvp,
    "perturbed_forward": _perturbed_forward,
    "moved_forward": _moved_forward,
}
_OF_PARAMETERS = {Product.PARAMETER_JVP, Product.PARAMETER_VJP, "perturbed_forward", "parameter_rows"}


def _pairs(left: Array, right: Array) -> Array:
    """Return the inner products `(K, K, N)` of two stacks `(K, N, …)`, summed in float64."""
    left, right = (side.reshape(*side.shape[:2], -1).astype(np.float64) for side in (left, right))
    return np.einsum("ina,jna->ijn", left, right)


def _root_pairs(left: Array, right: Array) -> Array:
    """Return the roots of inner products of squares, of numbers whose squares may be 0 or too large."""
    largest, other = (float(abs(side).max(initial=0.0)) or 1.0 for side in (left, right))
    return np.sqrt(_pairs((left / largest) ** 2, (right / other) ** 2)) * largest * other


def _leaf_pairs(bars: Array, dots: Array, per_example: bool) -> Array:
    """Return the inner products `(K, K)` of `(K, *p)` with `(K, *p)`, or `(K, K, N)` of `(K, N, *p)`."""
    dots = dots.reshape(len(dots), -1).astype(np.float64)
    axes = 2 if per_example else 1
    bars = bars.reshape(*bars.shape[:axes], -1).astype(np.float64)
    return np.einsum("ina,ja->ijn", bars, dots) if per_example else np.einsum("ia,ja->ij", bars, dots)


def _like_tree(flat: Array, shapes: Tree, lead: Shape) -> Tree:
    """Return the entries of `flat` as a tree of leaves `(*lead, *p)`."""
    found, start = {}, 0
    for path, shape in leaves(shapes):
        stop = start + size_of(lead) * size_of(shape)
        found[path] = flat[start:stop].reshape(*lead, *shape)
        start = stop
    return tree_of(found)
