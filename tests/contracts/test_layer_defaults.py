"""What a layer inherits stays true of what it overrides, and what is asked of all layers costs little."""

import time
import tracemalloc
from typing import Any

import numpy as np
import pytest

from jactrain.errors import ShapeError
from jactrain.layers import layers
from jactrain.layers.base import Layer, Product
from jactrain.layers.chain import names_of
from jactrain.layers.elementwise import Elementwise
from jactrain.layers.forms import Moved
from jactrain.layers.linear import Linear
from jactrain.layers.residual import Residual
from jactrain.layers.tanh import Tanh
from jactrain.network import Network


class NoisyTanh(Tanh):
    """Adds noise to tanh, so that its forward is more than its value."""

    def draw_noise(self, rng: Any, input_shape: Any, examples: int, dtype: Any) -> Any:
        """Return Gaussian noise."""
        return rng.standard_normal((examples, *input_shape)).astype(dtype)

    def forward(self, xp: Any, params: Any, x: Any, noise: Any = None) -> Any:
        """Return tanh plus the noise."""
        y, residual = super().forward(xp, params, x)
        return (y if noise is None else y + noise), residual


def test_an_entry_moved_before_an_overridden_forward_keeps_its_noise() -> None:
    layer, rng = NoisyTanh(), np.random.default_rng(0)
    x, noise = rng.standard_normal((1, 4, 3)), rng.standard_normal((4, 3))
    moved = Moved(x, np.array([0, 2]), rng.standard_normal((2, 4)))
    y, _ = layer.forward(np, {}, x, noise)
    outputs = layer.moved_forward(np, {}, moved, y, noise)
    assert isinstance(outputs, np.ndarray)
    np.testing.assert_array_equal(outputs, layer.forward(np, {}, moved.dense(np), noise)[0])
    assert layer.moved_cost((3,)) == (3, False)
    assert Tanh().moved_cost((3,)) == (1, True)


def test_a_layer_that_is_its_value_alone_moves_one_entry() -> None:
    elementwise = [layers.get(name) for name in layers.names() if issubclass(layers.get(name), Elementwise)]
    assert elementwise
    assert all(kind().moved_cost((7,)) == (1, True) for kind in elementwise)


@pytest.mark.parametrize(
    ("layer", "draws"),
    [
        ("dropout", True),
        ("tanh", False),
        ({"residual": {"network": ["tanh", "dropout"]}}, True),
        ({"residual": {"network": [{"residual": {"network": ["dropout"]}}]}}, True),
        ({"residual": {"network": ["tanh"]}}, False),
    ],
    ids=str,
)
def test_a_layer_tells_whether_it_draws_noise(layer: Any, draws: bool) -> None:
    resolved: Layer = layers.resolve(layer)
    assert resolved.draws_noise() is draws
    noise = Network([resolved], (3,)).draw_noise(np.random.default_rng(0), 2, np.float32)
    assert (noise is not None) is draws
    assert NoisyTanh().draws_noise()


def test_a_network_of_any_size_is_described_without_memory_for_its_noise() -> None:
    dropout: Layer = layers.resolve("dropout")
    tracemalloc.start()
    network = Network([Linear(units=10**12), dropout, Residual(network=[dropout]), Linear(units=1)], (2,))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert network.size == 4 * 10**12 + 1
    assert peak < 2**20


def test_names_of_many_layers_are_found_at_once() -> None:
    many = [Tanh()] * 40_000
    start = time.perf_counter()
    names = names_of(many)
    assert time.perf_counter() - start < 1  # 20 ms; looked up one by one, 9 s
    assert (names[0], names[-1]) == ("tanh_1", "tanh_40000")
    with pytest.raises(ShapeError, match="two layers are called tanh_2"):
        names_of([Tanh(name="tanh_2"), Tanh()])


def test_a_layer_without_parameters_can_be_asked_for_their_products_and_one_with_them_must_define_them() -> (
    None
):
    assert Tanh().products((3,)) == frozenset(Product)
    assert Linear(units=2).products((3,)) == frozenset(Product)

    class Half(Linear):
        """A linear layer with half of its products."""

        jvp = Layer.jvp
        parameter_vjp = Layer.parameter_vjp

    assert Half(units=2).products((3,)) == {Product.FORWARD, Product.VJP, Product.PARAMETER_JVP}
    assert Residual(network=[Tanh(), Half(units=3)]).products((3,)) == Half(units=3).products((3,))


def test_a_moved_weight_costs_its_layer_once_and_one_number_each() -> None:
    assert Linear(units=2).perturbation_cost((3,), ("weight",)) == (6, 1)
    scale: Layer = layers.resolve("scale")
    assert scale.perturbation_cost((3,), ("weight",)) == (0, 3)
    block = Residual(network=[Linear(units=5, name="a"), Tanh(), Linear(units=3, name="b")])
    assert block.perturbation_cost((3,), ("a", "weight")) == (15, 1 + 5 + 15)
    assert block.perturbation_cost((3,), ("b", "bias")) == (15 + 5 + 15, 1)
