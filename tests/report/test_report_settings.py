"""Differing settings, as a person writes them."""

from __future__ import annotations

from typing import Any

import pytest

from jactrain.report.settings import differences


def of(path: str, *values: Any) -> list[tuple[str, tuple[str, ...]]]:
    return [tuple(one) for one in differences([{path: value, "same": 1} for value in values])]


@pytest.mark.parametrize(
    ("values", "rows"),
    [
        (({"forward": {"seeds": "auto"}}, "reverse"), [("x", ("forward", "reverse"))]),
        (({"adam": {"rate": 1}}, {"sgd": {"rate": 2}}), [("x", ("adam", "sgd"))]),
        (({"adam": {"rate": 1, "b": 3}}, {"adam": {"rate": 2, "b": 3}}), [("x.adam.rate", ("1", "2"))]),
        (({"a": {"rate": 1}}, {"a": {"rate": 2}}, "b"),
         [("x", ("a", "a", "b")), ("x.a.rate", ("1", "2", "–"))]),
        (({"a": {"rate": 1}}, {"a": {"rate": 1}}, "b"), [("x", ("a", "a", "b"))]),
        ((["tanh", "linear"], ["relu", "linear"]), [("x.0", ("tanh", "relu"))]),
        (([{"linear": {"units": 4}}, "tanh"], ["tanh"]), [("x", ("linear(units=4), tanh", "tanh"))]),
        ((None, {"every": 3, "modes": ["a"]}), [("x", ("–", "(every=3, modes=a)"))]),
        (({"a": 1, "b": 2}, {"a": 1}), [("x.b", ("2", "–"))]),
        ((True, False), [("x", ("true", "false"))]),
        (("", "a"), [("x", ("", "a"))]),
        ((1, "1"), []),
        (({}, {}), []),
    ],
)  # fmt: skip
def test_what_differs_is_said_once_and_as_it_is_written(
    values: tuple[Any, ...], rows: list[tuple[str, tuple[str, ...]]]
) -> None:
    assert of("x", *values) == rows
