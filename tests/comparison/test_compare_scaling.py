"""How cost grows with the network."""

import json

import pytest

from jactrain.comparison.scaling import compare_scaling
from jactrain.comparison.sizes import problem
from jactrain.comparison.trends import Cost, crossover, exponent, order
from jactrain.config.build import check
from jactrain.errors import UsageError
from jactrain.layers.linear import Linear
from jactrain.modes import modes

DEEP = [
    {"linear": {"units": 4}},
    "tanh",
    {"linear": {"units": 5}},
    "relu",
    {"dropout": {"rate": 0.5}},
    "linear",
]
BLOCK = {"residual": {"network": [{"linear": {"units": 9}}, "tanh", {"linear": {"units": 4}}]}}
RESNET = [{"linear": {"units": 4}}, BLOCK, "tanh", BLOCK, "linear"]


def chosen(*kinds):
    return [modes.resolve(kind) for kind in kinds]


def grown(config, along, size):
    return problem(config, check(config).outline, along, size)


def units(found):
    return [link.layer.units for link in found.objective.links if isinstance(link.layer, Linear)]


def kinds(found):
    return [link.layer.kind for link in found.objective.links]


@pytest.mark.parametrize("size", [1, 7])
def test_width_is_that_of_every_hidden_linear_layer(small, size: int) -> None:
    found = grown(small(network=DEEP), "width", size)
    assert units(found) == [size, size, 1]
    assert found.parameters.shape == (found.objective.network.size,)
    assert found.batch.x.shape == (20, 10)


def test_a_residual_block_grows_within_and_stays_as_wide_as_its_input(small) -> None:
    found = grown(small(network=RESNET), "width", 12)
    blocks = [link.layer for link in found.objective.links if link.layer.kind == "residual"]
    assert [[layer.units for layer in block.network[::2]] for block in blocks] == [[12, 12]] * 2
    in_front = grown(
        small(
            network=[
                {"residual": {"network": [{"linear": {"units": 3}}, {"linear": {"units": 10}}]}},
                "linear",
            ]
        ),
        "width",
        12,
    )
    assert [layer.units for layer in in_front.objective.links[0].layer.network] == [12, 10]


def test_depth_is_the_number_of_copies_of_the_last_hidden_block(small) -> None:
    found = grown(small(network=DEEP), "depth", 3)
    assert units(found) == [5, 5, 5, 1]
    assert kinds(found) == [*["linear", "relu", "dropout"] * 3, "linear"]
    assert found.batch.noise is not None
    named = [{"linear": {"units": 4, "name": "hidden"}}, "tanh", "linear"]
    assert units(grown(small(network=named), "depth", 2)) == [4, 4, 1]


def test_depth_of_a_residual_network_is_its_number_of_blocks(small) -> None:
    found = grown(small(network=RESNET), "depth", 5)
    assert kinds(found) == ["linear", *["residual"] * 5, "linear"]
    behind = [{"linear": {"units": 4}}, BLOCK, "tanh", BLOCK, "tanh", "linear"]
    assert kinds(grown(small(network=behind), "depth", 2)) == ["linear", *["residual", "tanh"] * 2, "linear"]


def test_the_shipped_network_of_200_blocks_grows_from_one(shipped) -> None:
    assert kinds(grown(shipped("revolve"), "depth", 1)) == ["linear", "residual", "linear"]


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("iris", "cross_entropy"),
        ("moons", "mean_squared_error"),
        ("diabetes", "huber"),
        ("autoencoder", "mean_squared_error"),
    ],
)
def test_outputs_are_those_of_the_last_layer_with_the_loss_where_it_fits(shipped, name, loss) -> None:
    found = grown(shipped(name), "outputs", 11)
    assert found.objective.network.output_shape == (11,)
    assert found.objective.loss.kind == loss
    assert found.batch.targets.shape == (found.batch.examples, 11)


@pytest.mark.parametrize(
    ("network", "along", "said"),
    [
        (["linear"], "width", "there is no hidden linear layer whose width could grow"),
        (["linear"], "depth", "there is no hidden linear layer or residual block"),
        (
            [
                {"linear": {"units": 4}},
                BLOCK,
                {"linear": {"units": 3}},
                {"residual": {"network": [{"linear": {"units": 3}}]}},
                "linear",
            ],
            "depth",
            r"the network cannot have a depth of 2: residual_1: .* make the two equal",
        ),
        (["linear"], "height", "grows along width, depth, outputs, not 'height'"),
    ],
)
def test_what_cannot_grow_says_why(small, network, along, said) -> None:
    with pytest.raises(UsageError, match=said):
        grown(small(network=network), along, 2)
    with pytest.raises(UsageError):
        compare_scaling(small(network=network), [], along, [2, 4], 1)


def test_a_size_below_one_is_refused(small) -> None:
    with pytest.raises(UsageError, match="a width of 1 at least, not 0"):
        grown(small(), "width", 0)


def test_predicted_work_grows_with_the_power_of_theory_and_everything_is_json(small) -> None:
    config = small(network=DEEP, training={"epochs": 1, "batch_size": 2})
    literal = {"forward": {"seeds": "parameters"}}
    found = compare_scaling(config, chosen("reverse", literal), "width", [256, 64, 128, 256], 0.3)
    json.dumps(found, allow_nan=False)
    assert (found["along"], found["sizes"], found["examples"], found["fitted"]) == (
        "width",
        [64, 128, 256],
        2,
        False,
    )
    reverse, forward = found["modes"]
    # The square of the width between the hidden layers, and for the literal recursion another one: as many
    # columns. The layers at both ends grow with a power less.
    assert reverse["exponent"]["predicted"] == pytest.approx(2, abs=0.3)
    assert forward["exponent"]["predicted"] == pytest.approx(4, abs=0.5)
    assert reverse["exponent"]["measured"] is not None
    last = forward["points"][-1]
    assert last["reason"].startswith("a gradient is predicted to take ")
    assert last["multiply_adds"] > 0
    assert last["peak_bytes"] is None
    assert reverse["points"][0]["parameters"] == 10 * 64 + 64 + 64 * 64 + 64 + 64 + 1
    (pair,) = found["crossovers"]
    assert pair["modes"] == ["reverse", "forward(seeds=parameters)"]
    assert pair["predicted_at"] is None
    assert (
        "predicted multiply-adds: reverse is cheaper throughout: forward(seeds=parameters) takes"
        in pair["sentence"]
    )


def test_a_crossover_that_exists_is_found(small) -> None:
    # Straight to every layer, the slope of the loss takes m Σ n; through the layers, Σ n n' and n m.
    network = [*[{"linear": {"units": 16}}, "tanh"] * 3, "linear"]
    found = compare_scaling(
        small(network=network), chosen("direct_feedback_alignment"), "outputs", [2, 8, 32, 128], 5
    )
    (pair,) = found["crossovers"]
    assert 8 < pair["predicted_at"] < 32
    assert "direct_feedback_alignment is cheaper below about " in pair["sentence"]
    assert ", reverse above" in pair["sentence"]


def test_default_sizes_double_five_times_and_start_lower_if_the_budget_is_short(small) -> None:
    large = compare_scaling(small(), [], "width", None, 60)
    assert large["fitted"]
    assert large["sizes"] == [64, 128, 256, 512, 1024]
    short = compare_scaling(small(), chosen("complex_step"), "depth", None, 1e-2)
    assert short["sizes"] == [1, 2, 4, 8, 16]


def test_a_mode_that_cannot_run_is_a_row_of_reasons(small) -> None:
    found = compare_scaling(small(), chosen({"reverse": {"memory": 4}}), "width", [2, 4], 5)
    points = found["modes"][1]["points"]
    assert all(point["seconds"] is None and "the bound is 4 B" in point["reason"] for point in points)
    assert found["modes"][1]["exponent"] == {"measured": None, "predicted": None}
    assert found["crossovers"][0]["sentence"] == "too few sizes to tell reverse from reverse(memory=4B)"


def test_a_power_law_gives_its_exponent() -> None:
    assert exponent({2: 12.0, 4: 96.0, 16: 6144.0}) == pytest.approx(3)
    assert exponent({2: 12.0, 4: 96.0}) is None


def test_an_order_changes_where_the_costs_do_and_not_within_their_spread() -> None:
    line, square = (
        {n: Cost(16.0 * n) for n in (2, 8, 32, 128)},
        {n: Cost(float(n * n)) for n in (2, 8, 32, 128)},
    )
    assert order(square, line, 0.0).at == pytest.approx(16)
    noisy = {
        n: Cost(cost.value * factor, 5.0 * n)
        for (n, cost), factor in zip(line.items(), (0.9, 1.2, 0.9, 1.2), strict=True)
    }
    assert order(line, noisy, 0.1).at is None
    assert order(line, {2: Cost(1.0)}, 0.0) is None
    assert crossover(("a", "b"), "width", (line, noisy), (square, line)) == {
        "modes": ["a", "b"],
        "measured_at": None,
        "predicted_at": pytest.approx(16),
        "sentence": "measured: a and b cost the same; predicted multiply-adds: a is cheaper below width "
        "about 16, b above",
    }
