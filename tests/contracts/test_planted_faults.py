"""The laws catch a wrong rule: every fault, in every product of every layer, and in every loss."""

from functools import partial

import laws
import numpy as np
import pytest
from cases import LAYER_CASES, LOSS_CASES, LayerCase, map_tree
from laws import LAYER_LAWS, LOSS_LAWS, altered, relative_error

from jactrain.arrays import leaves
from jactrain.layers.forms import Moved


def _last_example_lost(y):
    return np.concatenate([y[:, :-1], 0 * y[:, -1:]], 1)


def _one_entry_lost(y):
    flat = y.reshape(len(y), -1)
    return np.concatenate([flat[:, :-1], 0 * flat[:, -1:]], 1).reshape(y.shape)


def _transposed(y):
    # Where the last two axes differ in length, the entries that they share are out of place.
    return y.swapaxes(-1, -2).reshape(y.shape) if y.ndim > 2 else y[..., ::-1]


FAULTS = {
    "sign flipped": lambda y: -y,
    "scaled by 1 + 1e-6": lambda y: y * (1 + 1e-6),
    "rolled along the last axis": lambda y: np.roll(y, 1, -1),
    "transposed": _transposed,
    "a term dropped": _one_entry_lost,
    "an example lost": _last_example_lost,
    "a constant added": lambda y: y + 1e-6,
}
RULES = ("forward", *laws.FOUR, "per_example", "perturbed_forward", "moved_forward")


def _caught_by(case, all_laws):
    """Return the message of the first law that a case breaks, or an empty text."""
    for law in all_laws:
        try:
            law(case, np.float64)
        except AssertionError as error:
            return str(error)
    return ""


def _with_wrong(case, rule, spoil):
    """Return the case with a layer whose `rule` is spoilt."""
    product = "parameter_vjp" if rule == "per_example" else rule
    right = getattr(type(case.layer), product)

    def wrong(self, *args, **kwargs):
        result = right(self, *args, **kwargs)
        if rule == "forward":
            return spoil(result[0]), result[1]
        if isinstance(result, Moved):
            return result._replace(values=spoil(result.values))
        if product == "parameter_vjp" and kwargs.get("per_example", False) != (rule == "per_example"):
            return result
        return spoil(result)

    return LayerCase(
        case.name, altered(case.layer, {product: wrong}), case.input_shape, case.training, case.examples
    )


def _result(case, rule):
    """Return what the rule gives in the laws; for `forward`, the derivatives that its fault changes."""
    point = laws.point_of(case, np.float64)
    if rule == "forward":
        # A wrong forward shows in its derivatives, which are spoilt alike.
        parts = [point.apply(product) for product in point.products if product.endswith("jvp")]
        return {str(number): part for number, part in enumerate(parts)}
    if rule == "per_example":
        return point.apply("parameter_vjp", per_example=True)
    if rule == "moved_forward":
        moved = laws.moved_inputs(point, np.float64)
        outputs = case.layer.moved_forward(np, point.params, moved, point.y, point.noise)
        return outputs.values if isinstance(outputs, Moved) else outputs
    if rule == "perturbed_forward":
        return {
            "/".join(path): laws.perturbed(point, path, np.float64)[0] for path, _ in leaves(point.params)
        }
    return point.apply(rule)


def _spoil_leaf(fault, chosen, tree):
    """Return the tree with the fault in one leaf, the array itself where it is no tree."""
    if not isinstance(tree, dict):
        return fault(tree)
    return _at(tree, chosen, fault)


def _at(tree, path, fault):
    if not path:
        return fault(tree)
    return {**tree, path[0]: _at(tree[path[0]], path[1:], fault)}


def _faults_of(case, rule):
    """Yield every fault that changes what the rule gives, leaf by leaf: `(name, spoil)`."""
    result = _result(case, rule)
    is_tree = rule in ("parameter_vjp", "per_example")
    paths = [path for path, _ in leaves(result)] if is_tree else [()]
    for name, fault in FAULTS.items():
        for path in paths:
            if name == "a constant added" and rule == "forward":
                continue  # no derivative shows it: test_jax_reference compares values
            if is_tree:
                spoil = partial(_spoil_leaf, fault, path)
                changed = relative_error(spoil(result), result)
            else:
                spoil = fault
                changed = relative_error(map_tree(fault, result), result)
            if changed > 1e-9:
                yield f"{name}{' in ' + '/'.join(path) if path else ''}", spoil


def _rules_of(case):
    parametric = bool(case.layer.parameter_shapes(case.input_shape))
    own = {"parameter_jvp", "parameter_vjp", "per_example", "perturbed_forward"}
    return [rule for rule in RULES if parametric or rule not in own]


@pytest.mark.parametrize("case", LAYER_CASES, ids=lambda case: case.name)
def test_every_planted_fault_of_every_product_is_caught(case):
    for rule in _rules_of(case):
        planted = 0
        for name, spoil in _faults_of(case, rule):
            planted += 1
            message = _caught_by(_with_wrong(case, rule, spoil), LAYER_LAWS)
            assert message, f"{case.name}: {rule}: {name}: no law caught it"
            assert message.startswith(case.name)
        # A softmax of one number has no derivative at all, so that a wrong forward has none either.
        constant = rule == "forward" and not any(leaf.any() for _, leaf in leaves(_result(case, rule)))
        assert planted or constant, f"{case.name}: {rule}: no fault changes it"


@pytest.mark.parametrize("case", LAYER_CASES, ids=lambda case: case.name)
def test_a_message_names_the_product_that_is_wrong(case):
    for rule in ("jvp", "vjp"):
        message = _caught_by(_with_wrong(case, rule, lambda y: y + 1e-3), LAYER_LAWS)
        assert rule in message


@pytest.mark.parametrize("case", LAYER_CASES, ids=lambda case: case.name)
def test_a_wrong_cost_is_caught(case):
    cost = case.layer.cost(case.input_shape)
    products = [rule for rule in laws.FOUR if rule in _rules_of(case)]
    for product in products:
        wrong = cost._replace(**{product: getattr(cost, product) + 1})
        layer = altered(case.layer, {"cost": lambda self, shape, wrong=wrong: wrong})
        spoilt = LayerCase(case.name, layer, case.input_shape, case.training, case.examples)
        with pytest.raises(AssertionError, match=f"cost is counted: {product} counted"):
            laws.cost_is_counted(spoilt)


@pytest.mark.parametrize("case", LOSS_CASES, ids=lambda case: case.name)
def test_every_planted_fault_of_every_loss_is_caught(case):
    point = laws.loss_point_of(case, np.float64)
    for rule in ("slope", "jvp", "vjp"):
        stack = {"jvp": (point.z_dot,), "vjp": (point.value_bar,)}.get(rule, ())
        result = getattr(case.loss, rule)(np, point.residual, *stack)
        for name, fault in FAULTS.items():
            if relative_error(fault(result), result) <= 1e-9:
                continue

            def wrong(self, *args, rule=rule, fault=fault):
                return fault(getattr(type(case.loss), rule)(self, *args))

            assert _caught_by(_with_loss(case, {rule: wrong}), LOSS_LAWS), f"{case.name}: {rule}: {name}"


@pytest.mark.parametrize("case", LOSS_CASES, ids=lambda case: case.name)
def test_a_wrong_cost_of_a_loss_is_caught(case):
    cost = case.loss.cost(case.outputs)
    for product in cost._fields:
        wrong = cost._replace(**{product: getattr(cost, product) + 1})
        spoilt = _with_loss(case, {"cost": lambda self, outputs, wrong=wrong: wrong})
        with pytest.raises(AssertionError, match=f"cost is counted: {product} counted"):
            laws.loss_cost_is_counted(spoilt)


def _with_loss(case, rules):
    return type(case)(case.name, altered(case.loss, rules), case.outputs, case.kinks, case.examples)
