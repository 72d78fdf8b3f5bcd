import numpy as np
import pytest

from jactrain.agreement.monitor import AgreementMonitor
from jactrain.layers import layers
from jactrain.losses import losses
from jactrain.modes import modes
from jactrain.network import Network
from jactrain.objective import Batch, Objective

LAYERS = [{"linear": {"units": 5}}, "tanh", "dropout", {"linear": {"units": 2}}]
NETWORK = Network([layers.resolve(layer) for layer in LAYERS], (3,))
OBJECTIVE = Objective(NETWORK, losses.resolve("mean_squared_error"))
REVERSE = modes.resolve("reverse")


@pytest.fixture
def batch() -> Batch:
    rng = np.random.default_rng(0)
    noise = NETWORK.draw_noise(rng, 12, np.float64)
    return Batch(rng.standard_normal((12, 3)), rng.standard_normal((12, 2)), noise)


@pytest.fixture
def parameters() -> np.ndarray:
    return NETWORK.initial_parameters(np.random.default_rng(1))


def monitor(examples: int, *others: object) -> AgreementMonitor:
    chosen = [modes.resolve(other) for other in others or ("forward",)]
    return AgreementMonitor(OBJECTIVE, REVERSE, chosen, examples, np.random.default_rng(2))


def gradient(parameters: np.ndarray, batch: Batch) -> np.ndarray:
    plan = REVERSE.prepare(OBJECTIVE, batch.examples, np.dtype(np.float64))
    rng = np.random.default_rng(3)
    return REVERSE.value_and_gradient(OBJECTIVE, parameters, batch, plan, rng).gradient


@pytest.mark.parametrize(("wanted", "used"), [(1, 1), (5, 5), (12, 12), (100, 12)])
def test_the_first_examples_and_their_noise_are_used(
    parameters: np.ndarray, batch: Batch, wanted: int, used: int
) -> None:
    (measurement,) = monitor(wanted).measure(parameters, batch)
    assert (measurement.mode, measurement.reference, measurement.examples) == ("forward", "reverse", used)
    assert measurement.comparison.whole.relative_error < 1e-13
    few = batch.first(used)
    expected = NETWORK.layout.views(gradient(parameters, few)[None])
    for name, agreement in measurement.comparison.blocks.items():
        layer, leaf = name.split("/")
        assert agreement.worst.reference == expected[layer][leaf][(0, *agreement.worst.index)]


def test_noise_matters_to_the_gradient_that_is_compared(parameters: np.ndarray, batch: Batch) -> None:
    assert not np.allclose(gradient(parameters, batch), gradient(parameters, Batch(batch.x, batch.targets)))


def test_every_mode_is_measured_in_the_order_given(parameters: np.ndarray, batch: Batch) -> None:
    watch = monitor(5, {"finite_difference": {"scheme": "five_point"}}, "forward")
    found = watch.measure(parameters, batch)
    assert [measurement.mode for measurement in found] == [
        "finite_difference(scheme=five_point)",
        "forward",
    ]
    assert all(measurement.comparison.whole.relative_error < 1e-8 for measurement in found)
    again = watch.measure(parameters, Batch(batch.x[:3], batch.targets[:3]))  # another size, another plan
    assert [measurement.examples for measurement in again] == [3, 3]


def test_measuring_changes_nothing(parameters: np.ndarray, batch: Batch) -> None:
    kept = parameters.copy(), batch.x.copy(), batch.targets.copy()
    monitor(5).measure(parameters, batch)
    for before, after in zip(kept, (parameters, batch.x, batch.targets), strict=True):
        np.testing.assert_array_equal(before, after)
