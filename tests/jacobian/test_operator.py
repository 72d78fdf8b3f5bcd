"""The Jacobian as an operator, against complex steps of the outputs, on every network of the table."""

from functools import cache

import numpy as np
import pytest
from cases import NETWORKS

from jactrain.errors import ShapeError, UsageError
from jactrain.jacobian.chain import factors_of, suffix_factors_of
from jactrain.jacobian.operator import jacobian
from jactrain.jacobian.product_plan import plan_product
from jactrain.jacobian.suffix_plan import plan_suffixes

CASES = pytest.mark.parametrize("case", NETWORKS, ids=lambda case: case.name)
ORDERS = ("reverse", "forward", "mixed", "auto")
# Entries are sums of at most 9 terms through at most 8 links, as gradients are.
TOLERANCE = 81 * np.finfo(np.float64).eps


def operator(case, wrt="parameters", mode="auto"):
    batch = case.batch(np.float64)
    return jacobian(case.objective().network, case.parameters(np.float64), batch.x, wrt, mode, batch.noise)


@cache
def expected(name):
    """Return the Jacobians of a case in parameters and inputs, `(N, m, …)`, by complex steps of `forward`."""
    case = next(case for case in NETWORKS if case.name == name)
    network, batch, parameters = case.objective().network, case.batch(np.float64), case.parameters(np.float64)
    step, shape = 1e-40, batch.x.shape[1:]

    def slopes(parameters, x):
        params = network.layout.views(parameters)
        outputs, _ = network.chain.forward(np, params, x, batch.noise)
        return np.moveaxis(outputs.imag / step, 0, -1)

    moved = parameters + 1j * step * np.eye(network.size)
    columns = int(np.prod(shape))
    entries = np.eye(columns).reshape(columns, 1, *shape)
    return slopes(moved, batch.x[None]), slopes(parameters[None], batch.x + 1j * step * entries)


def close(got, wanted):
    size = np.linalg.norm(wanted)
    assert got.shape == wanted.shape
    assert np.linalg.norm(got - wanted) <= 10 * TOLERANCE * max(size, 1e-300)


@CASES
@pytest.mark.parametrize("mode", ORDERS)
def test_every_order_gives_the_jacobians_and_does_the_work_it_planned(case, mode):
    for wrt, wanted in zip(("parameters", "inputs"), expected(case.name), strict=True):
        made = operator(case, wrt, mode)
        if mode != "auto":
            network = case.objective().network
            planned = (
                plan_suffixes(suffix_factors_of(network), mode)
                if wrt == "parameters"
                else plan_product(factors_of(network), mode)
            )
            forward = sum(link.cost.forward for link in network.links)
            assert made.work.multiply_adds == case.examples * (forward + planned.multiply_adds)
        assert made.shape == wanted.shape
        close(made.dense(), wanted)


@CASES
def test_products_are_those_of_the_dense_jacobian(case):
    dense, made = expected(case.name)[0], operator(case)
    examples, m, size = dense.shape
    rows = dense.reshape(-1, size)
    rng = np.random.default_rng(0)
    v, u = rng.standard_normal((3, size)), rng.standard_normal((3, examples, m))
    close((made @ v).reshape(3, -1), v @ rows.T)
    close((made @ v[0]).reshape(-1), rows @ v[0])
    close(made.T @ u, u.reshape(3, -1) @ rows)
    close(made.T @ u[0], u[0].reshape(-1) @ rows)
    close(made.gram(), rows @ rows.T)
    close(made.normal(), rows.T @ rows)
    close(made.row_norms().reshape(-1), np.linalg.norm(rows, axis=1))


@CASES
def test_gradients_of_examples_and_their_spread_come_from_the_factors(case):
    dense, made = expected(case.name)[0], operator(case)
    u = np.random.default_rng(1).standard_normal(dense.shape[:2])
    rows = np.einsum("nm,nmp->np", u, dense)
    close(made.per_example(u), rows)
    close(made.per_example_norms(u), np.linalg.norm(rows, axis=1))
    spread = ((rows - rows.mean(0)) ** 2).sum(1).mean()
    assert abs(made.per_example_variance(u) - spread) <= 1e-12 * (rows**2).sum(1).mean()


@CASES
def test_blocks_are_columns_by_layer_and_by_parameter(case):
    dense, made, network = expected(case.name)[0], operator(case), case.objective().network
    for link in network.links:
        if link.layout.size:
            close(made.block(link.name), dense[:, :, link.part])
    layout = network.layout
    for name, shape, part in zip(layout.names, layout.shapes, layout.slices, strict=True):
        close(made.block(name), dense[:, :, part].reshape(*dense.shape[:2], *shape))


@CASES
def test_scipy_gets_linear_operators(case):
    rng = np.random.default_rng(2)
    for wrt, dense in zip(("parameters", "inputs"), expected(case.name), strict=True):
        examples, m, columns = dense.shape
        matrix = dense.reshape(-1, columns)
        if wrt == "inputs":
            matrix = np.zeros((examples * m, examples * columns))
            for n in range(examples):
                matrix[n * m : (n + 1) * m, n * columns : (n + 1) * columns] = dense[n]
        made = operator(case, wrt).as_linear_operator()
        v, u = rng.standard_normal((matrix.shape[1], 2)), rng.standard_normal((matrix.shape[0], 2))
        assert made.shape == matrix.shape
        close(made.matvec(v[:, 0]), matrix @ v[:, 0])
        close(made.rmatvec(u[:, 0]), matrix.T @ u[:, 0])
        close(made.matmat(v), matrix @ v)
        close(made.rmatmat(u), matrix.T @ u)


@CASES
def test_products_in_the_inputs_are_those_of_each_example(case):
    dense, made = expected(case.name)[1], operator(case, "inputs")
    examples, m, columns = dense.shape
    rng = np.random.default_rng(3)
    v = rng.standard_normal((2, examples, columns)).reshape(2, examples, *case.input_shape)
    u = rng.standard_normal((2, examples, m))
    close(made @ v, np.einsum("nmk,jnk->jnm", dense, v.reshape(2, examples, columns)))
    close((made.T @ u).reshape(2, examples, columns), np.einsum("nmk,jnm->jnk", dense, u))
    close(made @ v[0], (made @ v)[0])


@pytest.mark.parametrize("case", NETWORKS[1::11], ids=lambda case: case.name)
def test_jax_gives_the_same_jacobian(case, jax64, quick_jit):
    network, batch = case.objective().network, case.batch(np.float64)

    def outputs(parameters):
        return network.outputs(parameters, batch.x, batch.noise, xp=jax64.numpy)

    close(operator(case).dense(), np.asarray(quick_jit(jax64.jacrev(outputs))(case.parameters(np.float64))))


def test_the_dtype_is_that_of_the_parameters():
    case = NETWORKS[8]
    batch = case.batch(np.float32)
    made = jacobian(case.objective().network, case.parameters(np.float32), batch.x)
    for array in (made.dense(), made.gram(), made.row_norms(), made @ case.parameters(np.float32)):
        assert array.dtype == np.float32


def test_what_does_not_fit_is_refused_with_what_came():
    case = NETWORKS[8]
    network, parameters, x = case.objective().network, case.parameters(np.float64), case.batch(np.float64).x
    with pytest.raises(UsageError, match="'parameters' or 'inputs', not 'weights'"):
        jacobian(network, parameters, x, "weights")
    with pytest.raises(UsageError, match="not 'backwards'"):
        jacobian(network, parameters, x, mode="backwards")
    with pytest.raises(ShapeError, match=rf"{network.size} parameters"):
        jacobian(network, parameters[1:], x)
    with pytest.raises(ShapeError, match="inputs are"):
        jacobian(network, parameters, x[:, 1:])
    made = jacobian(network, parameters, x)
    with pytest.raises(ShapeError, match="takes vectors"):
        made @ parameters[1:]
    with pytest.raises(UsageError, match=r"no block 'linear_9'; there are linear_1"):
        made.block("linear_9")


def test_vectors_may_be_lists():
    case = NETWORKS[8]
    made, inputs = operator(case), operator(case, "inputs")
    v, u = np.ones(made.shape[2]), np.ones(made.shape[:2])
    x = np.ones((made.shape[0], *case.input_shape))
    assert np.array_equal(made @ v.tolist(), made @ v)
    assert np.array_equal(made.T @ u.tolist(), made.T @ u)
    assert np.array_equal(inputs @ x.tolist(), inputs @ x)
    assert np.array_equal(inputs.T @ u.tolist(), inputs.T @ u)


def test_a_jacobian_shows_its_shape_and_order():
    case = NETWORKS[8]
    made = operator(case, "inputs", "reverse")
    shape = " × ".join(map(str, made.shape))
    assert repr(made) == f"<InputsJacobian {shape}, float64, by reverse: {made.brackets}>"


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"wrt": "weights"}, UsageError, "wrt is 'parameters' or 'inputs', not 'weights'"),
        ({"mode": "backward"}, UsageError, "mode is 'reverse', 'forward', 'mixed' or 'auto', not 'backward'"),
        ({"parameters": np.zeros(3, int)}, ShapeError, "parameters are float32 or float64, not int64"),
        ({"parameters": np.zeros(3)}, ShapeError, r"the network has \d+ parameters; they came as \(3,\)"),
        ({"x": np.zeros((2, 99))}, ShapeError, "99"),
    ],
)
def test_what_no_jacobian_is_of_is_refused(changes, error, said):
    case = NETWORKS[0]
    given = {"parameters": case.parameters(np.float64), "x": case.batch(np.float64).x, **changes}
    with pytest.raises(error, match=said):
        jacobian(case.objective().network, **given)
