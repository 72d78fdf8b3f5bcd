import numpy as np
import pytest

from jactrain.errors import ShapeError, UnrecordableError
from jactrain.program import record


def two_by_three(seed):
    return np.random.default_rng(seed).standard_normal((2, 3))


FUNCTIONS = {
    "operators": lambda x, y: [x + 2 * y - x * y / 3, -x],
    "views of inputs": lambda x, y: [x.T @ y, x.reshape(6)[2:4] + y[0, :2]],
    "views of results": lambda x, y: [(x * y).T.reshape(-1) + 1, np.broadcast_to(x[:1], (4, 3)) * 2],
    "a result used again and again": lambda x, y: [_chained(x, y)],
    "reductions": lambda x, y: [x.sum(), y.sum(1), x.max(0), y.mean(-1), np.add.reduce(x, axis=1)],
    "lists of arrays": lambda x, y: [np.concatenate([x, y, x]), np.einsum("ni,nj->ij", x, y)],
    "functions without out": lambda x, y: [np.where(x > 0, y, 0), x.copy(), x.astype(np.float32)],
    "layouts other than rows": lambda x, y: [np.exp(x.T) + y.T, x.T.copy().max(0)],
    "overlapping operands": lambda x, y: [_overlapping(x, y)],
    "numbers compared": lambda x, y: [np.where(x < 1, x, y) * (y >= 0)],
}


def _chained(x, y):
    for _ in range(9):
        x = np.tanh(x) * y + x
        y = np.exp(-y * y) - x
    return x + y


def _overlapping(x, y):
    square = x.T @ y
    return square + square.T


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_program_returns_what_its_function_does_bit_for_bit(name):
    function = FUNCTIONS[name]
    program = record(function, [two_by_three(0), two_by_three(1)])
    for seed in (2, 3, 4):
        inputs = [two_by_three(seed), two_by_three(seed + 10)]
        for given, expected in zip(program(*inputs), function(*inputs), strict=True):
            assert given.dtype == expected.dtype
            assert np.array_equal(given, expected)


def test_inputs_are_left_as_they_are():
    x, y = two_by_three(0), two_by_three(1)
    before = x.copy(), y.copy()
    for function in FUNCTIONS.values():
        record(function, [x, y])(x, y)
    assert np.array_equal(x, before[0])
    assert np.array_equal(y, before[1])


def test_an_output_that_is_an_input_or_another_output_keeps_its_value():
    program = record(lambda x: [x, x + 1, x.T], [two_by_three(0)])
    x = two_by_three(1)
    same, more, turned = program(x)
    assert np.array_equal(same, x)
    assert np.array_equal(more, x + 1)
    assert np.array_equal(turned, x.T)


def test_the_memory_of_results_used_up_is_used_again():
    def deep(x):
        for _ in range(50):
            x = np.tanh(x @ np.eye(3)) + 1
        return [x]

    program = record(deep, [two_by_three(0)])
    buffers = {call.keywords["out"].__array_interface__["data"][0] for call in program._calls}
    assert len(program._calls) == 150
    assert len(buffers) <= 3


def accumulating(x):
    total = 2 * x
    part = total[0]
    part += 1
    return [total]


def writing(x):
    x[0] = 1
    return [x]


REFUSED = {
    "branch": (lambda x: [x if x.sum() > 0 else -x], "a branch looks at an array's value"),
    "number": (lambda x: [x * float(x[0, 0])], "turned into a Python number"),
    "plain array": (lambda x: [np.asarray(x) + 1], "no NumPy function of arrays"),
    "unknown method": (lambda x: [x.std()], "an array's std is asked for"),
    "unknown function": (lambda x: [np.unique(x)], "numpy.unique is not known"),
    "mask": (lambda x: [x[x > 0]], "indexed by a mask"),
    "iteration": (lambda x: [sum(row for row in x)], "a loop runs over an array's rows"),
    "constant": (lambda x: [np.ones(3)], "an output does not depend on the inputs"),
    "several results": (lambda x: [np.modf(x)[0]], "modf returns a tuple"),
    "accumulation": (accumulating, r"add writes into an array, such as by `\+=`"),
    "result given": (lambda x: [np.multiply(x, 2, out=x)], "multiply writes into an array"),
    "writing": (writing, "an array is written into"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_function_that_looks_at_values_or_writes_is_refused_and_told_why(name):
    function, message = REFUSED[name]
    with pytest.raises(UnrecordableError, match=message):
        record(function, [two_by_three(0)])


@pytest.mark.parametrize("other", [np.zeros(()), np.zeros((3, 2)), np.zeros((2, 3), np.float32)])
def test_arrays_of_another_shape_or_dtype_are_refused(other):
    program = record(lambda x: [x + 1], [two_by_three(0)])
    with pytest.raises(ShapeError, match=r"recorded for an array float64 \(2, 3\), not float"):
        program(other)
