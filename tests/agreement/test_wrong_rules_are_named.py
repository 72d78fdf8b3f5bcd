"""The check names the layer and the product that a wrong rule is planted in."""

from itertools import product as pairs

import numpy as np
import pytest
from cases import LAYER_CASES, LOSS_CASES

from jactrain.agreement.check import check_layers
from jactrain.agreement.compare import Verdict
from jactrain.agreement.planting import planted, scaled
from jactrain.agreement.specimen import layer_specimen, loss_specimen, probe, survey
from jactrain.arrays import leaves
from jactrain.layers import layers
from jactrain.layers.base import Placed, Product
from jactrain.losses import losses
from jactrain.network import Network
from jactrain.objective import Batch, Objective

FOUR = [product.value for product in Product if product is not Product.FORWARD]
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
CASES = pytest.mark.parametrize("case", LAYER_CASES, ids=lambda case: case.name)


# Rules that a layer may make of another, or that are compared with it.
RESTING = {"single_jvp", "parameter_rows"}


def _transposed(y):
    return y.swapaxes(-1, -2).reshape(y.shape) if y.ndim > 2 else y[..., ::-1]


def _term_lost(y):
    return np.concatenate([y[..., :-1], 0 * y[..., -1:]], -1)


def _wrong_axis_summed(y):
    return np.broadcast_to(y.mean(-1, keepdims=True), y.shape) + 0 * y


def _by_batch_size(y):
    return y * np.asarray(2 / y.shape[1] if y.ndim > 2 else 0.5, y.dtype)


FAULTS = {
    "sign": lambda y: -y,
    "transposed": _transposed,
    "term lost": _term_lost,
    "wrong axis summed": _wrong_axis_summed,
    "by the batch size": _by_batch_size,
    "scaled by 1 + 1e-3": lambda y: y * np.asarray(1 + 1e-3, y.dtype),
    "scaled by 1 + 1e-6": lambda y: y * np.asarray(1 + 1e-6, y.dtype),
}


def placed(case, dtype):
    return Placed("mine", case.layer, case.parameters(dtype), case.x(dtype), case.noise(dtype))


def disagreeing(found):
    return {finding.product for finding in found if finding.verdict is Verdict.DISAGREE}


def in_one_leaf(path, fault):
    """Return what puts a fault into one leaf of a product's tree, or into its array."""

    def spoil(tree, path=path):
        if not path:
            return fault(tree)
        return {**tree, path[0]: spoil(tree[path[0]], path[1:])}

    return spoil


def _result(place, product, rng):
    """Return the product of random stacks in a place."""
    layer = place.layer
    y, residual = layer.forward(np, place.params, place.x, place.noise)
    stacks = {
        "jvp": rng.standard_normal((3, *place.x.shape[1:])),
        "parameter_jvp": None,
    }
    stack = stacks.get(product, rng.standard_normal((3, *y.shape[1:])))
    if product == "parameter_jvp":
        shapes = layer.parameter_shapes(place.x.shape[2:])
        stack = _tree(shapes, lambda shape: rng.standard_normal((3, *shape)))
    return getattr(layer, product)(np, place.params, residual, stack)


def _tree(shapes, make):
    if isinstance(shapes, dict):
        return {name: _tree(branch, make) for name, branch in shapes.items()}
    return make(shapes)


def _faults(case, product, dtype):
    """Yield each fault that changes what the product gives, leaf by leaf: one number has no other order."""
    result = _result(
        probe(placed(case, np.float64), np.random.default_rng(1)), product, np.random.default_rng(2)
    )
    paths = [path for path, _ in leaves(result)]
    for (name, fault), path in pairs(FAULTS.items(), paths):
        if dtype == np.float32 and name.endswith("1e-6"):
            continue
        spoil = in_one_leaf(path, fault)
        got, right = (
            np.concatenate([leaf.ravel() for _, leaf in leaves(tree)]) for tree in (spoil(result), result)
        )
        if np.linalg.norm(got - right) > 5e-7 * np.linalg.norm(right):
            yield f"{name} {'/'.join(path)}", spoil


@CASES
@DTYPES
def test_every_fault_in_every_product_of_every_layer_is_caught_and_named(case, dtype):
    specimen = layer_specimen(placed(case, dtype), np.random.default_rng(0))
    assert disagreeing(specimen.findings()) == set()
    products = [
        product
        for product in FOUR
        if case.layer.parameter_shapes(case.input_shape) or "parameter" not in product
    ]
    for product in products:
        count = 0
        for name, spoil in _faults(case, product, dtype):
            wrong = planted(case.layer, product, spoil)
            found = disagreeing(specimen.findings(component=wrong))
            # Rules that a layer makes of the spoilt one are wrong with it.
            assert found - RESTING == {product}, f"{product}: {name}: {found}"
            count += 1
        one_number = case.layer.kind in ("softmax", "layer_norm") and case.input_shape == (1,)
        assert count >= 3 or one_number, f"{product}: no fault changes it"  # their derivative is zero


@pytest.mark.parametrize("kind", ["relu", "leaky_relu", {"elu": {"alpha": 0.3}}], ids=str)
@DTYPES
def test_a_kink_at_another_place_is_caught(kind, dtype):
    layer, rng = layers.resolve(kind), np.random.default_rng(0)
    place = Placed("mine", layer, {}, rng.standard_normal((1, 8, 4)).astype(dtype), None)

    def slope(self, xp, kept):
        return type(layer).slope(self, xp, kept - np.asarray(0.05, kept.dtype))

    wrong = layer.model_copy()
    wrong.__class__ = type(
        "Wrong", (type(layer),), {"__doc__": "A kink where the values have none.", "slope": slope}
    )
    found = disagreeing(layer_specimen(place, rng).findings(component=wrong))
    assert found == {"jvp", "vjp", "single_jvp"}


@CASES
def test_a_forward_that_depends_on_the_batch_size_is_named(case):
    specimen = layer_specimen(placed(case, np.float64), np.random.default_rng(0))

    def dependent(result):
        y, residual = result
        return y * (1 + 1e-6 * y.shape[1]), residual

    found = specimen.findings("forward", planted(case.layer, "forward", dependent))
    assert any(finding.verdict is Verdict.DISAGREE and finding.law == "examples apart" for finding in found)


@pytest.mark.parametrize("case", LOSS_CASES, ids=lambda case: case.name)
@DTYPES
@pytest.mark.parametrize("product", ["jvp", "vjp"])
def test_every_fault_in_a_loss_is_caught_and_named(case, dtype, product):
    specimen = loss_specimen(case.loss, case.z(dtype), case.targets(dtype), np.random.default_rng(0))
    assert disagreeing(specimen.findings()) == set()
    if case.loss.kind == "cross_entropy" and case.outputs == 1:
        return  # one class: a loss of zero, without a derivative
    for name in ("sign", "scaled by 1 + 1e-3", *(["scaled by 1 + 1e-6"] if dtype == np.float64 else [])):
        wrong = planted(case.loss, product, FAULTS[name])
        assert disagreeing(specimen.findings(component=wrong)) == {product}, name


def _objective_of(chain, loss="mean_squared_error", inputs=3):
    return Objective(Network([layers.resolve(each) for each in chain], (inputs,)), losses.resolve(loss))


def _point(objective, dtype=np.float64, examples=8):
    rng = np.random.default_rng(0)
    parameters = objective.network.initial_parameters(rng).astype(dtype)
    x = rng.standard_normal((examples, *objective.network.input_shape)).astype(dtype)
    targets = rng.standard_normal((examples, *objective.network.output_shape)).astype(dtype)
    return parameters, Batch(x, targets, objective.network.draw_noise(rng, examples, dtype)), rng


CHAIN = [
    {"linear": {"units": 4}},
    "gelu",
    {"residual": {"network": [{"linear": {"units": 4}}, "relu"]}},
    "layer_norm",
    {"linear": {"units": 2}},
]


@pytest.mark.parametrize("position", range(len(CHAIN)))
@pytest.mark.parametrize("product", FOUR)
def test_in_a_network_the_wrong_layer_alone_is_named(position, product):
    sound = _objective_of(CHAIN)
    link = sound.links[position]
    if product not in [product.value for product in link.products] or (
        "parameter" in product and not link.layout.size
    ):
        return
    chain = [each.layer for each in sound.links]
    chain[position] = planted(chain[position], product, scaled(1e-6))
    objective = Objective(Network(chain, (3,)), sound.loss)
    parameters, batch, rng = _point(objective)
    found = check_layers(survey(objective, parameters, batch, rng).specimens)
    wrong = [finding for finding in found if finding.verdict is Verdict.DISAGREE]
    assert {finding.layer for finding in wrong} == {link.name}
    assert {finding.product for finding in wrong} - RESTING == {product}
    assert found[0] in wrong
    assert found[0].value != found[0].reference


@pytest.mark.parametrize("product", FOUR)
def test_within_a_residual_block_the_layer_is_named_and_the_block_excused(product):
    sound = _objective_of(CHAIN)
    block = sound.links[2].layer
    inner = [planted(block.network[0], product, scaled(1e-6)), block.network[1]]
    chain = [each.layer for each in sound.links]
    chain[2] = type(block)(network=inner)
    objective = Objective(Network(chain, (3,)), sound.loss)
    parameters, batch, rng = _point(objective)
    found = check_layers(survey(objective, parameters, batch, rng).specimens)
    assert {finding.layer for finding in found if finding.verdict is Verdict.DISAGREE} == {
        "residual_1/linear_1"
    }
    excused = [finding for finding in found if finding.layer == "residual_1" and "within" in finding.reason]
    assert excused
    assert all(finding.verdict is Verdict.UNDECIDED for finding in excused)


def test_a_rule_that_raises_or_gives_another_shape_or_dtype_is_named():
    sound = _objective_of(CHAIN)

    def raising(result):
        raise ZeroDivisionError("by zero")

    for spoil, told in (
        (raising, "raised ZeroDivisionError: by zero"),
        (lambda y: y[:, :1], "(3, 1, 4)"),
        (lambda y: np.concatenate([y, y], 0), "(6, 8, 4)"),
        (lambda y: np.concatenate([y, y], 1), "(3, 16, 4)"),
        (lambda y: np.concatenate([y, y], 2), "(3, 8, 8)"),
        (lambda y: y[None], "(1, 3, 8, 4)"),
        (lambda y: y.astype(np.float32), "float32"),
    ):
        chain = [each.layer for each in sound.links]
        chain[1] = planted(chain[1], "vjp", spoil)
        objective = Objective(Network(chain, (3,)), sound.loss)
        worst = check_layers(survey(objective, *_point(objective)).specimens)[0]
        assert (worst.layer, worst.product, worst.verdict) == ("gelu_1", "vjp", Verdict.DISAGREE)
        assert told in worst.reason
