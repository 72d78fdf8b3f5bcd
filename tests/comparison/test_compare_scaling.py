"""How cost grows with the network."""

import json

import pytest
from pydantic import Field

from jactrain.comparison.crossovers import crossover, crossover_lines
from jactrain.comparison.scaling import compare_scaling
from jactrain.comparison.sizes import problem
from jactrain.comparison.trends import Cost as Taken
from jactrain.comparison.trends import exponent, order
from jactrain.config.build import check
from jactrain.errors import UsageError
from jactrain.layers.base import Layer, layers
from jactrain.layers.forms import Cost
from jactrain.layers.linear import Linear
from jactrain.layers.residual import Residual
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


@pytest.fixture
def custom(monkeypatch: pytest.MonkeyPatch):
    """Register a dense layer and a block that are none of the project's own, for one test."""
    monkeypatch.setattr(layers, "_kinds", dict(layers._kinds))

    @layers.register("own_dense")
    class OwnDense(Layer):
        """Sums of the inputs, the same in every unit, of which there are 64 at most; it has no parameters."""

        units: int = Field(3, le=64)

        def output_shape(self, input_shape):
            return (self.units,)

        def cost(self, input_shape):
            return Cost(*(input_shape[0] * self.units,) * 5)

        def forward(self, xp, params, x, noise=None):
            return x.sum(-1, keepdims=True) * xp.ones(self.units, x.dtype), x.shape[-1]

        def jvp(self, xp, params, residual, x_dot):
            return x_dot.sum(-1, keepdims=True) * xp.ones(self.units, x_dot.dtype)

        def vjp(self, xp, params, residual, y_bar):
            return y_bar.sum(-1, keepdims=True) * xp.ones(residual, y_bar.dtype)

    @layers.register("own_block")
    class OwnBlock(Residual):
        """A residual block by another name."""


def test_layers_and_blocks_from_elsewhere_grow_as_the_project_s_own(small, custom) -> None:
    block = {"own_block": {"network": [{"own_dense": {"units": 5}}, "tanh", {"own_dense": {"units": 4}}]}}
    config = small(network=[{"own_dense": {"units": 4}}, block, "linear"])
    first, middle, last = (link.layer for link in grown(config, "width", 12).objective.links)
    assert [first.units, *(layer.units for layer in middle.network[::2]), last.units] == [12, 12, 12, 1]
    assert kinds(grown(config, "depth", 3)) == ["own_dense", *["own_block"] * 3, "linear"]
    dense = small(network=["layer_norm", {"own_dense": {"units": 4}}, "tanh", {"own_dense": {"units": 1}}])
    assert kinds(grown(dense, "depth", 2)) == ["layer_norm", *["own_dense", "tanh"] * 2, "own_dense"]
    assert grown(dense, "outputs", 5).objective.network.output_shape == (5,)
    with pytest.raises(UsageError, match="own_dense refuses 65: Input should be less than or equal to 64"):
        grown(dense, "width", 65)


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
    assert (found["along"], found["sizes"], found["examples"]) == ("width", [64, 128, 256], 2)
    assert not found["fitted"]
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
        {n: Taken(16.0 * n) for n in (2, 8, 32, 128)},
        {n: Taken(float(n * n)) for n in (2, 8, 32, 128)},
    )
    assert order(square, line, 0.0).at == pytest.approx(16)
    noisy = {
        n: Taken(cost.value * factor, 5.0 * n)
        for (n, cost), factor in zip(line.items(), (0.9, 1.2, 0.9, 1.2), strict=True)
    }
    assert order(line, noisy, 0.1).at is None
    assert order(line, {2: Taken(1.0)}, 0.0) is None


def growth(mode, seconds, multiply_adds=None):
    """Return a mode of `scaling` by its costs at 2, 8, 32, …."""
    return {
        "mode": mode,
        "points": [
            {
                "size": 2 * 4**n,
                "seconds": took and {"median": took, "iqr": took / 100, "repeats": 4},
                "multiply_adds": (multiply_adds or seconds)[n],
            }
            for n, took in enumerate(seconds)
        ],
    }


LINE, SQUARE = [32, 128, 512, 2048], [4, 64, 1024, 16384]
CUBE, NEAR = [40, 2560, 163840, 10485760], [33, 124, 530, 1990]


def test_a_crossing_is_told_with_both_modes_and_its_place() -> None:
    assert crossover("width", growth("a", LINE), growth("b", SQUARE)) == {
        "modes": ["a", "b"],
        "measured_at": pytest.approx(16),
        "predicted_at": pytest.approx(16),
        "sentence": "measured: b is cheaper below width about 16, a above; predicted multiply-adds: b is "
        "cheaper below width about 16, a above",
    }
    found = crossover("outputs", growth("a", LINE), growth("b", NEAR, SQUARE))
    assert found["measured_at"] is None
    assert found["sentence"].startswith("measured: a and b cost the same; predicted multiply-adds: b is")


def test_a_sentence_on_who_is_cheaper_never_says_that_the_other_takes_less() -> None:
    reference = growth("a", [100, 100, 100, 100])
    some = crossover("width", reference, growth("b", [95, 150, 300, 96], [100, 150, 300, 101]))["sentence"]
    assert some == (
        "measured: a is cheaper wherever they differ: b takes 1.5 times as much at width 8, 3 times at width "
        "32; predicted multiply-adds: a is cheaper wherever they differ: b takes 1.5 times as much at width "
        "8, 1.01 times at width 128"
    )
    one = crossover("width", reference, growth("b", [95, 99, 50, 96]))["sentence"]
    assert one.startswith("measured: b is cheaper at width 32 alone, where a takes 2 times as much; ")
    twice = crossover("width", reference, growth("b", [50, 200, 50, 50]))["sentence"]
    assert twice.startswith(
        "measured: b is cheaper below width about 4, a above, and the order changes again"
    )


def test_modes_that_never_cross_share_a_line_and_those_that_do_have_their_own() -> None:
    modes = [
        growth("a", LINE),
        growth("b", CUBE),
        growth("c", SQUARE),
        growth("d", CUBE),
        growth("e", [n / 3 for n in LINE]),
        growth("f", NEAR, CUBE),
        growth("g", [None] * 4, CUBE),
        growth("h", [None] * 4, [None] * 4),
    ]
    assert crossover_lines({"along": "width", "modes": modes}) == [
        "a is cheaper than b, d throughout, measured and predicted",
        "e is cheaper than a throughout, measured and predicted",
        "measured: a costs the same as f; predicted multiply-adds: a is cheaper than f throughout",
        "predicted multiply-adds: a is cheaper than g throughout",
        "too few sizes to tell a from h",
        "measured: c is cheaper below width about 16, a above; predicted multiply-adds: c is cheaper below "
        "width about 16, a above",
    ]
