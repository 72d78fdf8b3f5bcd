"""Shapes that do not fit are refused, and the message leads to the layer, however deep it lies."""

import numpy as np
import pytest
from pydantic import ValidationError

from jactrain.errors import ShapeError
from jactrain.layers import layers
from jactrain.layers.chain import Chain, names_of
from jactrain.layers.linear import Linear


def refusal(network, input_shape):
    chain = Chain(layers=[layers.resolve(layer) for layer in network])
    with pytest.raises(ShapeError) as error:
        chain.output_shape(input_shape)
    return error.value


def residual(*network, **options):
    return {"residual": {"network": list(network), **options}}


def linear(units, **options):
    return {"linear": {"units": units, **options}}


def test_a_layer_that_takes_vectors_refuses_others_and_says_what_it_comes_after():
    first = refusal([linear(3)], (2, 3))
    assert first.layer == "linear_1"
    assert first.reason == (
        "linear takes one axis of features, but its input has shape (2, 3); put `flatten` before it "
        "(it comes after the input)"
    )
    third = refusal(["tanh", {"relu": {"name": "kinked"}}, "layer_norm"], (2, 3))
    assert third.layer == "layer_norm_1"
    assert third.reason.startswith("layer_norm takes one axis")
    assert third.reason.endswith("(it comes after kinked)")


def test_a_residual_block_that_changes_the_shape_is_refused_with_both_shapes_and_its_last_layer():
    error = refusal([linear(4), residual("tanh", linear(5), "relu")], (3,))
    assert error.layer == "residual_1"
    assert error.reason == (
        "a residual block adds its input (4,) to its output, but its last layer, relu_1, gives (5,); "
        "make the two equal (it comes after linear_1)"
    )


def test_a_layer_within_layers_is_named_by_its_path():
    error = refusal(["tanh", residual("scale", residual("relu", linear(3)))], (2, 3))
    assert error.layer == "residual_1/residual_1/linear_1"
    assert error.reason.endswith("(it comes after relu_1)")


def test_a_linear_layer_without_units_is_refused():
    with pytest.raises(ShapeError, match="linear has no `units`; only the network's last layer may leave"):
        Linear().output_shape((3,))


def test_a_residual_block_without_layers_is_refused():
    with pytest.raises(ValidationError, match="at least 1 item"):
        layers.resolve(residual())


def test_shapes_are_those_in_front_of_every_layer_and_behind_the_last():
    chain = Chain(layers=[layers.resolve(layer) for layer in ("tanh", "flatten", linear(5), "relu")])
    assert chain.shapes((2, 3)) == [(2, 3), (2, 3), (6,), (5,), (5,)]
    assert chain.output_shape((2, 3)) == (5,)


def test_layers_are_numbered_among_their_kind_unless_they_have_a_name():
    chain = ["tanh", linear(2), "tanh", linear(2, name="middle"), linear(2), "tanh"]
    names = names_of([layers.resolve(layer) for layer in chain])
    assert names == ["tanh_1", "linear_1", "tanh_2", "middle", "linear_3", "tanh_3"]


def test_the_largest_array_within_is_that_between_layers_at_any_depth():
    assert layers.resolve(residual(linear(7), "tanh", linear(3))).interior((3,)) == 7
    assert layers.resolve(residual("tanh", "tanh")).interior((3,)) == 3
    assert layers.resolve(residual("tanh")).interior((3,)) == 0
    assert layers.resolve(residual(residual(linear(9), linear(3)), "tanh")).interior((3,)) == 9


def test_a_chain_without_noise_draws_none_and_gives_each_layer_its_own():
    rng = np.random.default_rng(0)
    chain = Chain(layers=[layers.resolve(layer) for layer in ("tanh", "dropout", "relu", "dropout")])
    drawn = chain.draw_noise(rng, (3,), 5, np.dtype(np.float32))
    assert {name: noise.shape for name, noise in drawn.items()} == {"dropout_1": (5, 3), "dropout_2": (5, 3)}
    assert Chain(layers=[layers.resolve("tanh")]).draw_noise(rng, (3,), 5, np.dtype(np.float32)) is None
