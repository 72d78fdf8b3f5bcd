import tracemalloc
from functools import partial

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from jactrain.arrays import in_pieces
from jactrain.errors import ShapeError, UnrecordableError
from jactrain.program import record, record_on
from jactrain.program.loops import at_most


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
    buffers = {call.args[-1].__array_interface__["data"][0] for call in program._calls}
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


PARTS = {
    "results": lambda x, y: [x @ y.T, (x + y).reshape(1, -1), x * 2],
    "a result that is read again": lambda x, y: _read_again(x, y),
    "the same result twice": lambda x, y: [x + y] * 2,
    "an input among them": lambda x, y: [x, x + y],
    "columns": lambda x, y: [(x + y).T, (x - y).T],
    "reversed": lambda x, y: [(x + y)[::-1], np.flip(x * y)],
    "every other": lambda x, y: [(x + y)[:, ::2], x * y],
}


def _read_again(x, y):
    total = x + y
    return [total, total * total, np.tanh(total)]


@pytest.mark.parametrize("name", PARTS)
def test_what_is_put_together_is_the_same_wherever_it_was_computed(name):
    def together(x, y):
        whole = np.concatenate([part.reshape(1, -1) for part in PARTS[name](x, y)], axis=1)
        return [whole, whole * 2 + np.concatenate([x, y]).sum()]

    program = record(together, [two_by_three(0), two_by_three(1)])
    for seed in (2, 3):
        inputs = [two_by_three(seed), two_by_three(seed + 10)]
        for given, expected in zip(program(*inputs), together(*inputs), strict=True):
            assert np.array_equal(given, expected)


def test_parts_computed_in_their_places_are_not_copied():
    program = record(lambda x, y: [np.concatenate([x + y, x * y])], [two_by_three(0), two_by_three(1)])
    assert len(program._calls) == 2


STORED = {
    "entry by entry": lambda x, v, g: (x - 0.1 * (0.9 * v + g), 0.9 * v + g),
    "read by the other": lambda x, v, g: (x + v, x - v),
    "turned": lambda x, v, g: (x + x.T @ g, v + v.T),
    "left as they are": lambda x, v, g: (x, v + x),
    "one for both": lambda x, v, g: (x + v,) * 2,
}


@pytest.mark.parametrize("name", STORED)
def test_a_program_on_arrays_writes_its_outputs_over_its_inputs(name):
    function = STORED[name]
    expected = [np.random.default_rng(seed).standard_normal((3, 3)) for seed in range(3)]
    x, v, g = (array.copy() for array in expected)
    program = record_on(function, [x, v, g], {0: 0, 1: 1})
    for _ in range(3):
        program.play()
        expected[:2] = function(*expected)
    assert np.array_equal(x, expected[0])
    assert np.array_equal(v, expected[1])
    assert np.array_equal(g, expected[2])


def test_an_input_is_not_written_over_another():
    with pytest.raises(UnrecordableError, match="an input is to be stored over another"):
        record_on(lambda x, y: [y, x], [two_by_three(0), two_by_three(1)], {0: 0, 1: 1})


LOOPS = {
    "whole pieces": (12, 3),
    "a rest": (11, 3),
    "one piece": (4, 5),
    "pieces of one": (5, 1),
}


@pytest.mark.parametrize("name", LOOPS)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_loop_is_recorded_once_and_gives_what_its_pieces_do(name, workers):
    count, width = LOOPS[name]

    def looping(x, y):
        shifted = x + 1  # in front of the loop, and read in every piece

        def piece(numbers):
            rows = shifted[numbers % 2] * numbers[:, None]
            return np.tanh(rows + y[0]).sum(1)

        found = in_pieces(np, piece, count, width)
        return [found * 2, np.concatenate([found, x[0]]), shifted]

    inputs = [two_by_three(0), two_by_three(1)]
    with at_most(workers):
        program = record(looping, inputs)
    for seed in (2, 3):
        inputs = [two_by_three(seed), two_by_three(seed + 10)]
        for given, expected in zip(program(*inputs), looping(*inputs), strict=True):
            assert np.array_equal(given, expected)


def test_a_program_does_not_grow_with_the_pieces_of_a_loop():
    def looping(x, count):
        return [in_pieces(np, lambda numbers: x[0, 0] * numbers, count, 2)]

    for count in (10, 1000):
        program = record(partial(looping, count=count), [two_by_three(0)])
        assert len(program._calls) == 1


def test_a_loop_shared_among_threads_raises_what_a_piece_does():
    def looping(x):
        return [in_pieces(np, lambda numbers: np.exp(x[0, 0] * numbers), 8, 1)]

    with at_most(2):
        program = record(looping, [np.ones((1, 1))])
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        program(np.full((1, 1), 1e3))
    with np.errstate(over="ignore"):
        assert program(np.full((1, 1), 1e3))[0][-1] == np.inf


def test_the_numbers_of_a_loop_may_be_put_together():
    def looping(x):
        return [in_pieces(np, lambda numbers: np.concatenate([numbers, numbers + x[0]])[:2], 6, 2)]

    program = record(looping, [np.arange(2)])
    assert np.array_equal(program(np.arange(2))[0], looping(np.arange(2))[0])


def test_loops_one_after_another_use_the_same_memory():
    def looping(x, loops):
        total = x
        for _ in range(loops):
            total = total + in_pieces(
                np, lambda numbers: np.tanh(x[numbers] * 2) * x[numbers], 40_000, 20_000
            )
        return [total]

    def kept(loops):
        tracemalloc.start()
        program = record(partial(looping, loops=loops), [np.ones(40_000)])
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return size, program

    few, many = kept(2)[0], kept(12)[0]
    assert many < 1.2 * few


# Steps of random programs: each takes two of the arrays so far, all (4, 4), and gives another.
STEPS = {
    "sum": lambda a, b: a + b,
    "product": lambda a, b: a * b,
    "matrices": lambda a, b: a @ b,
    "function": lambda a, b: np.tanh(a),
    "transpose": lambda a, b: a.T,
    "reversed": lambda a, b: a[::-1, ::-1],
    "rows": lambda a, b: np.concatenate([a[:2], b[2:]]),
    "columns": lambda a, b: np.concatenate([a[:, 1:], b[:, :1]], axis=1),
    "halves": lambda a, b: np.concatenate([(a + b)[::2], (a * b)[1::2]]),
    "chosen": lambda a, b: np.where(a > b, a, b),
    "spread": lambda a, b: a - b.max(-1)[:, None],
    "scaled": lambda a, b: 0.5 * a - b.sum() / 16,
    "order": lambda a, b: np.concatenate([a.reshape(1, -1), b.reshape(1, -1)], axis=1)[0, 5:21].reshape(4, 4),
    "loop": lambda a, b: in_pieces(np, lambda numbers: np.tanh(a[numbers] + b[0]) * a[numbers], 4, 2),
}


@drawn(st.data())
@settings(max_examples=150, deadline=None)
def test_random_programs_give_their_functions_bits(data):
    names = data.draw(st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=12))
    pairs = [data.draw(st.tuples(*[st.integers(0, 1 + number)] * 2)) for number in range(len(names))]
    outputs = data.draw(st.lists(st.integers(2, 1 + len(names)), min_size=2, max_size=4))

    def function(x, y):
        arrays = [x, y]
        for name, (one, other) in zip(names, pairs, strict=True):
            arrays.append(STEPS[name](arrays[one], arrays[other]))
        return [arrays[output] for output in outputs]

    def inputs(seed):
        return list(np.random.default_rng(seed).uniform(-1, 1, (2, 4, 4)))

    with np.errstate(over="ignore", invalid="ignore"):
        program = record(function, inputs(0))
        for seed in (2, 3):
            for played, known in zip(program(*inputs(seed)), function(*inputs(seed)), strict=True):
                assert np.array_equal(played, known, equal_nan=True)
        own, expected = inputs(1), inputs(1)
        if any(np.may_share_memory(output, array) for output in function(*own)[:2] for array in own):
            with pytest.raises(UnrecordableError, match="an input is to be stored over another"):
                record_on(function, own, {0: 0, 1: 1})
            return
        stored = record_on(function, own, {0: 0, 1: 1})
        for _ in range(2):
            stored.play()
            expected = [array.copy() for array in function(*expected)[:2]]
            assert np.array_equal(own[0], expected[0], equal_nan=True)
            assert np.array_equal(own[1], expected[1], equal_nan=True)
