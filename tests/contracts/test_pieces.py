"""A layer and a loss say where their slopes jump, and what is within a layer is what its forward runs."""

from itertools import pairwise

import numpy as np
import pytest
from cases import LAYER_CASES, LOSS_CASES

from jactrain.layers.base import layers
from jactrain.layers.elementwise import Elementwise

ELEMENTWISE = [case for case in LAYER_CASES if isinstance(case.layer, Elementwise)]
# Kinks lie on whole tenths, with the options of the table; a slope that jumps does so by more than 0.01.
GRID = np.arange(-30, 31) / 10


@pytest.mark.parametrize("case", ELEMENTWISE, ids=lambda case: case.name)
def test_the_slope_jumps_at_the_kinks_and_nowhere_else(case):
    sides = np.stack([GRID - 1e-9, GRID + 1e-9])[..., None]
    _, residual = case.layer.forward(np, {}, sides[None].reshape(1, -1, 1))
    slopes = case.layer.jvp(np, {}, residual, np.ones((1, sides.size, 1))).reshape(2, -1)
    jumps = GRID[abs(slopes[1] - slopes[0]) > 1e-6]
    assert tuple(jumps) == case.layer.kinks()
    pieces = case.layer.pieces(np, {}, sides.reshape(1, -1, 1))
    if not case.layer.kinks():
        assert pieces is None
    else:
        crossed = pieces.reshape(2, -1)
        assert tuple(GRID[crossed[0] != crossed[1]]) == case.layer.kinks()
        below = [sum(kink < entry for kink in case.layer.kinks()) for entry in sides.ravel()]
        assert crossed.ravel().tolist() == below


@pytest.mark.parametrize("case", LOSS_CASES, ids=lambda case: case.name)
def test_the_pieces_of_a_loss_change_where_its_slope_jumps(case):
    targets = np.zeros((len(GRID), case.outputs))
    if case.loss.kind in ("cross_entropy", "binary_cross_entropy"):
        targets[:, 0] = 1.0

    def at(offset):
        outputs = np.zeros((1, len(GRID), case.outputs))
        outputs[0, :, 0] = GRID + offset
        _, residual = case.loss.forward(np, outputs, targets)
        return case.loss.slope(np, residual)[0, :, 0], case.loss.pieces(np, outputs, targets)

    (below, before), (above, behind) = at(-1e-9), at(1e-9)
    jumps = GRID[abs(above - below) > 1e-6]
    if before is None:
        assert not len(jumps)
    else:
        changed = (before != behind).reshape(len(GRID), -1).any(1)
        assert np.array_equal(GRID[changed], jumps)
        assert len(jumps)


@pytest.mark.parametrize("case", LAYER_CASES, ids=lambda case: case.name)
def test_what_is_within_a_layer_is_what_its_forward_runs(case):
    params, x, noise = case.parameters(np.float64), case.x(np.float64), case.noise(np.float64)
    within = list(case.layer.within(np, params, x, noise))
    assert bool(within) == (case.layer.kind == "residual")
    for placed, following in pairwise(within):
        y, _ = placed.layer.forward(np, placed.params, placed.x, placed.noise)
        assert np.array_equal(y, following.x)
    if within:
        last = within[-1]
        y, _ = last.layer.forward(np, last.params, last.x, last.noise)
        assert np.array_equal(y + x, case.layer.forward(np, params, x, noise)[0])
        own = [placed.layer.pieces(np, placed.params, placed.x, placed.noise) for placed in within]
        units = sum(pieces[0, 0].size for pieces in own if pieces is not None)
        whole = case.layer.pieces(np, params, x, noise)
        assert (0 if whole is None else whole[0, 0].size) == units


def test_the_pieces_of_layers_within_one_stand_side_by_side():
    """Of a stack, too, whose networks the first of them does not tell apart."""
    block = layers.resolve({"residual": {"network": ["relu", "scale", "leaky_relu"]}})
    x = np.array([[[-1.0, 2.0], [3.0, -4.0], [-5.0, 6.0]]])
    name, _ = block.body.named[1]
    pieces = block.pieces(np, {name: {"weight": np.array([[1.0, 1.0], [1.0, -1.0]])}}, x)
    relu = [[0, 1], [1, 0], [0, 1]]
    leaky = [[0, 1], [1, 0], [0, 1]], [[0, 0], [1, 0], [0, 0]]
    assert pieces.tolist() == [np.hstack([relu, each]).tolist() for each in leaky]
