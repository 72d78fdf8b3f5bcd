"""Each optimizer against its textbook recursion, written out entry by entry in Python floats."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from optimizer_cases import made, run

RATE, CLIP, DECAY = 0.05, 1.5, 0.1
# Rows of norm 0.5 (left alone), 5 and 13 (clipped), 0.1.
GRADIENTS = [[0.3, -0.4, 0.0], [3.0, 0.0, -4.0], [-12.0, 3.0, 4.0], [0.0, 0.1, 0.0]]
START = [1.0, -2.0, 0.5]

Recursion = Callable[[float, list[float]], float]


def sgd(momentum: float = 0.0, nesterov: bool = False) -> Recursion:
    def final(theta: float, gradients: list[float]) -> float:
        v = 0.0
        for g in gradients:
            g = g + DECAY * theta
            v = momentum * v + g
            theta = theta - RATE * (g + momentum * v if nesterov else v)
        return theta

    return final


def rmsprop(decay: float = 0.99, momentum: float = 0.0) -> Recursion:
    def final(theta: float, gradients: list[float]) -> float:
        s = v = 0.0
        for g in gradients:
            g = g + DECAY * theta
            s = decay * s + (1 - decay) * g**2
            v = momentum * v + g / (math.sqrt(s) + 1e-8)
            theta = theta - RATE * v
        return theta

    return final


def adam(beta1: float = 0.9, beta2: float = 0.999, decoupled: bool = False) -> Recursion:
    def final(theta: float, gradients: list[float]) -> float:
        m = v = 0.0
        for t, g in enumerate(gradients, start=1):
            if decoupled:
                theta = theta - RATE * DECAY * theta
            else:
                g = g + DECAY * theta
            m = beta1 * m + (1 - beta1) * g
            v = beta2 * v + (1 - beta2) * g**2
            m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
            theta = theta - RATE * m_hat / (math.sqrt(v_hat) + 1e-8)
        return theta

    return final


FORMULAS = [
    ("sgd", sgd()),
    ({"sgd": {"momentum": 0.9}}, sgd(0.9)),
    ({"sgd": {"momentum": 0.9, "nesterov": True}}, sgd(0.9, nesterov=True)),
    ("rmsprop", rmsprop()),
    ({"rmsprop": {"decay": 0.9, "momentum": 0.5}}, rmsprop(0.9, 0.5)),
    ("adam", adam()),
    ({"adam": {"beta1": 0.0, "beta2": 0.9}}, adam(0.0, 0.9)),
    ("adamw", adam(decoupled=True)),
]


@pytest.mark.parametrize(("case", "formula"), FORMULAS, ids=[str(case) for case, _ in FORMULAS])
def test_several_clipped_and_decayed_steps_follow_the_textbook(
    case: Any, formula: Recursion, dtype: np.dtype[Any]
) -> None:
    clipped = [[g * min(1.0, CLIP / math.hypot(*row)) for g in row] for row in GRADIENTS]
    expected = [formula(theta, [row[place] for row in clipped]) for place, theta in enumerate(START)]
    optimizer = made(case, clip_norm=CLIP, weight_decay=DECAY)
    parameters, _ = run(optimizer, np, np.array(START, dtype), np.array(GRADIENTS, dtype), RATE)
    # Four steps of some ten roundings each on entries of size 1, none of which amplifies the others' error.
    assert np.abs(parameters - expected).max() <= 100 * np.finfo(dtype).eps


def test_adam_moves_by_the_rate_in_its_first_step_even_in_float32() -> None:
    # m̂ / √v̂ is ±1 at t = 1; subtracting 0.999 from 1 in float32 would be off by 6e-6.
    gradient = np.array([3.0, -0.25], np.float32)
    parameters, _ = run(made("adam"), np, np.zeros(2, np.float32), gradient[None], 1.0)
    assert np.abs(parameters + np.sign(gradient)).max() <= 4 * np.finfo(np.float32).eps


def test_a_gradient_within_the_norm_is_not_touched_by_clipping(dtype: np.dtype[Any]) -> None:
    gradients = np.random.default_rng(0).normal(size=(50, 7)).astype(dtype)
    start = np.ones(7, dtype)
    free, _ = run(made("sgd"), np, start, gradients, 0.1)
    roomy, _ = run(made("sgd", clip_norm=30.0), np, start, gradients, 0.1)
    assert np.array_equal(free, roomy)


@pytest.mark.parametrize("size", [1e25, 1.0, 1e-25])
def test_clipping_gives_the_norm_whatever_the_size_of_a_float32_gradient(size: float) -> None:
    gradient = (np.array([3.0, -4.0]) * size).astype(np.float32)
    clip = 0.5 * size
    parameters, _ = run(made("sgd", clip_norm=clip), np, np.zeros(2, np.float32), gradient[None], 1.0)
    assert parameters / size == pytest.approx([-0.3, 0.4], rel=1e-6)


def test_a_huge_gradient_is_clipped_to_a_small_norm_in_float32() -> None:
    gradient = np.array([3e30, -4e30], np.float32)
    parameters, _ = run(made("sgd", clip_norm=1.0), np, np.zeros(2, np.float32), gradient[None], 1.0)
    assert parameters == pytest.approx([-0.6, 0.8], rel=1e-6)
