"""Laws over all engines: they compute the same steps, and leave the same state."""

import os
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import threadpoolctl
from cases import MODE_CASES, NETWORKS
from pydantic import PrivateAttr
from small_trainings import (
    difference,
    require_equal,
    rounding_of,
    trained,
    training_of,
    vectors,
    with_layers,
    written_out,
)

from jactrain.agreement.compare import Verdict
from jactrain.arrays import leaves
from jactrain.errors import DivergedError
from jactrain.layers.linear import Linear
from jactrain.layers.scale import Scale
from jactrain.layers.tanh import Tanh
from jactrain.modes import modes
from jactrain.modes.gradients import arrays_of
from jactrain.optimizers.base import Optimizer
from jactrain.optimizers.schedules import LearningRate, constant_by_default
from jactrain.optimizers.sgd import SGD
from jactrain.training.agreement import AgreementListener
from jactrain.training.engines import engines
from jactrain.training.events import Listener
from jactrain.training.experiment import Part
from jactrain.training.state import TrainingState
from jactrain.training.threads import worthwhile_threads
from jactrain.training.trainer import train

ENGINES = pytest.mark.parametrize("engine", engines.names())
QUICK = pytest.mark.usefixtures("quick")
SMALL = "two layers, tanh"

OPTIMIZERS = [
    "sgd",
    {"sgd": {"momentum": 0.9, "clip_norm": 0.1, "learning_rate": {"cosine": {"initial": 0.1}}}},
    {"sgd": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}},
    {"adam": {"learning_rate": {"exponential": {"initial": 0.1, "decay": 0.8}}}},
    {"adam": {"clip_norm": 0.1, "weight_decay": 0.1}},
    {"adamw": {"weight_decay": 0.1}},
    {"rmsprop": {"weight_decay": 0.1}},
    {"rmsprop": {"momentum": 0.9, "clip_norm": 0.1}},
]


class History(Listener):
    """Keeps what it hears: results and batches, the very arrays of the state, and copies of them."""

    def __init__(self, every=1):
        self.every = every
        self.points, self.results, self.batches = {}, {}, {}
        self.arrays, self.copies = [], []

    def keep(self, state):
        self.arrays.append(vectors(state))
        self.copies.append({name: array.copy() for name, array in self.arrays[-1].items()})

    def on_step(self, state, batch, result):
        self.keep(state)
        self.points[state.step], self.results[state.step] = self.copies[-1], result
        self.batches[state.step] = arrays_of(batch)

    def on_epoch(self, state):
        self.keep(state)


def allowed_of(engine):
    """Return how far an engine may be off the loop: NumPy's not at all, for recorded calls are the same.

    Each step goes η/(1-μ) = 0.1 along a gradient that is off by some ε: 1e-10 leaves it 1e5 ε a step.
    """
    return 0 if engine == "numpy" else 1e-10


# ------------------------------------------------------------------------------------------ the same steps


@ENGINES
@pytest.mark.parametrize("case", NETWORKS, ids=lambda case: case.name)
def test_twenty_steps_of_every_network_are_those_of_the_loop_written_out(case, engine):
    experiment = training_of(case, engine)
    state = trained(experiment)
    assert state.step == 20
    assert difference(state, TrainingState.start(experiment)) > 1e-4
    require_equal(state, written_out(experiment), allowed_of(engine))


@QUICK
@ENGINES
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_twenty_steps_of_every_optimizer_are_those_of_the_loop_written_out(optimizer, engine):
    experiment = training_of(SMALL, engine, optimizer=optimizer)
    require_equal(trained(experiment), written_out(experiment), allowed_of(engine))


@QUICK
@ENGINES
@pytest.mark.parametrize("name", MODE_CASES)
def test_every_mode_trains_as_the_loop_written_out_with_the_same_random_numbers(name, engine):
    """20 steps of 0.1 g, from sums of losses that are off by 50 roundings: 100 of these, or 1e-10 if more.

    Truncation is the same by every engine: only rounding, which their steps divide, sets differences apart.
    """
    mode = MODE_CASES[name]
    experiment = replace(training_of(SMALL, engine), mode=mode)
    require_equal(
        trained(experiment),
        written_out(experiment),
        allowed_of(engine) and max(allowed_of(engine), 100 * rounding_of(mode)),
    )


# ------------------------------------------------------------------------------------- one state for all


@QUICK
@pytest.mark.parametrize("turns", [("numpy", "jax"), ("jax", "numpy")], ids="-".join)
def test_what_one_engine_began_another_ends(turns):
    """With a smaller last batch, with dropout, with a mode that draws, with a rate that falls."""
    optimizer = {"adam": {"learning_rate": {"step": {"initial": 0.1, "every": 1, "factor": 0.5}}}}
    options = {"mode": "random_forward", "optimizer": optimizer, "batches": 2.5}
    first, last = (training_of("dropout", engine, **options) for engine in turns)
    state = trained(replace(first, settings=first.settings.model_copy(update={"epochs": 2})))
    assert (state.epoch, state.step) == (2, 6)
    require_equal(train(last, state), written_out(last))
    assert state.epoch == last.settings.epochs


@QUICK
@ENGINES
@pytest.mark.parametrize(("mode", "every"), [("reverse", 1), ("random_forward", 2)])
def test_listeners_hear_of_steps_at_the_points_where_their_gradients_were_taken(engine, mode, every):
    experiment = training_of("dropout", engine, mode, epochs=2, batches=2.5)
    heard, expected = History(every), History(every)
    require_equal(trained(experiment, heard), written_out(experiment, expected), allowed_of(engine))
    assert list(heard.points) == list(expected.points) == list(range(0, 6, every))
    for step, point in expected.points.items():
        for name, array in point.items():
            np.testing.assert_allclose(heard.points[step][name], array, rtol=1e-10, atol=1e-10)
        one, other = heard.results[step], expected.results[step]
        np.testing.assert_allclose(one.gradient, other.gradient, rtol=1e-10, atol=1e-10)
        assert one.value == pytest.approx(other.value, rel=1e-10)
        assert one.work.multiply_adds == other.work.multiply_adds
        for array, twin in zip(heard.batches[step], expected.batches[step], strict=True):
            np.testing.assert_equal(array, twin)


@QUICK
@ENGINES
def test_arrays_of_the_state_are_replaced_and_never_written_into(engine):
    experiment, history = training_of(SMALL, engine, optimizer="adam"), History(3)
    state = TrainingState.start(experiment)
    history.keep(state)
    train(experiment, state, [history])
    assert len(history.arrays) == 1 + 7 + 5
    for arrays, copies in zip(history.arrays, history.copies, strict=True):
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, copies[name])
    first, last = history.copies[0], history.copies[-1]
    assert all((first[name] != last[name]).any() for name in first)


class Unsteady(Scale):
    """One whose product with the parameters is 0/0 where the input is 0."""

    def parameter_vjp(self, xp, params, residual, y_bar, per_example=False):
        return {"weight": (y_bar * residual * residual / residual).sum(1)}


def diverging_loss(engine):
    """Return a training whose parameters grow some 1e18-fold a step: within 20 steps the loss is infinite."""
    return training_of("linear regression", engine, optimizer={"sgd": {"learning_rate": 1e18}})


def diverging_gradient(engine):
    """Return a training with one example whose gradient is NaN, and whose loss is not."""
    experiment = training_of("linear regression", engine, optimizer="adam")
    x, targets, y = experiment.training
    x = np.where(np.arange(len(x))[:, None] == 7, 0.0, x)
    return with_layers(replace(experiment, training=Part(x, targets, y)), Unsteady(), Linear(units=1))


@QUICK
@ENGINES
@pytest.mark.parametrize("listeners", [0, 1], ids=["alone", "heard"])
@pytest.mark.parametrize(
    ("diverging", "said"),
    [(diverging_loss, "the loss is inf"), (diverging_gradient, "3 entries of the grad")],
)
def test_divergence_ends_training_at_the_point_in_front_of_the_step_named(engine, diverging, said, listeners):
    found = []
    for name in ("numpy", engine):
        experiment, history = diverging(name), History()
        state = TrainingState.start(experiment)
        with pytest.raises(DivergedError, match=said) as error:
            train(experiment, state, [history][:listeners])
        assert f"in epoch {state.epoch + 1}, after {state.step} step" in str(error.value)
        assert all(np.isfinite(array).all() for array in vectors(state).values())
        assert list(history.points) == list(range(state.step if listeners else 0))
        found.append((state, str(error.value)))
    (expected, named), (state, message) = found
    assert expected.step % 4 > 0  # within an epoch
    assert message == named
    assert difference(expected, state) <= 1e-10


@QUICK
@ENGINES
def test_a_gradient_whose_square_alone_overflows_is_no_divergence(engine):
    experiment = training_of(
        "least absolute deviations", engine, optimizer={"sgd": {"learning_rate": 1e-201}}
    )
    x, targets, y = experiment.training
    experiment = replace(experiment, training=Part(1e200 * x, targets, y))
    history = History()
    with np.errstate(over="ignore"):
        require_equal(trained(experiment, history), written_out(experiment), allowed_of(engine))
        squares = [result.gradient.dot(result.gradient) for result in history.results.values()]
    assert np.isinf(squares).all()


class Wrong(Tanh):
    """A hyperbolic tangent with a wrong slope."""

    def vjp(self, xp, params, residual, y_bar):
        return y_bar * residual


@QUICK
@ENGINES
@pytest.mark.parametrize(("layer", "verdict"), [(Tanh, Verdict.AGREE), (Wrong, Verdict.DISAGREE)])
def test_agreement_compares_the_gradient_that_trains(engine, layer, verdict):
    experiment = training_of(SMALL, engine, agreement_every=7, agreement_examples=3)
    experiment = replace(
        experiment, agreement_modes=(modes.resolve("forward"), modes.resolve("complex_step"))
    )
    experiment = with_layers(experiment, Linear(units=4), layer(), Linear(units=2))
    found = []
    trained(experiment, AgreementListener(lambda step, measurement: found.append((step, measurement))))
    assert [step for step, _ in found] == [0, 0, 7, 7, 14, 14]
    assert {measurement.mode for _, measurement in found} == {"forward", "complex_step"}
    assert {measurement.comparison.verdict for _, measurement in found} == {verdict}


# --------------------------------------------------------------------------------------- NumPy's recording


class Counting(Tanh):
    """A hyperbolic tangent that counts how often its products are asked for."""

    _calls: Counter = PrivateAttr(default_factory=Counter)

    def vjp(self, xp, params, residual, y_bar):
        self._calls["vjp"] += 1
        return super().vjp(xp, params, residual, y_bar)

    def jvp(self, xp, params, residual, x_dot):
        self._calls["jvp"] += 1
        return super().jvp(xp, params, residual, x_dot)


class Alternating(Counting):
    """One whose slope changes its sign from call to call, as no rule may."""

    def vjp(self, xp, params, residual, y_bar):
        return super().vjp(xp, params, residual, y_bar) * (-1) ** self._calls["vjp"]


class Branching(Counting):
    """One that looks at values."""

    def vjp(self, xp, params, residual, y_bar):
        return super().vjp(xp, params, residual, y_bar) if y_bar.any() else y_bar


class Late(Counting):
    """One that is wrong once: at its first call."""

    def vjp(self, xp, params, residual, y_bar):
        return super().vjp(xp, params, residual, y_bar) * (2 if self._calls["vjp"] == 1 else 1)


def with_layer(layer, **options):
    """Return a small training through `layer`, with a smaller last batch."""
    return with_layers(training_of(SMALL, batches=2.5, **options), Linear(units=4), layer, Linear(units=2))


@pytest.mark.parametrize(("layer", "grows"), [(Counting, 0), (Alternating, 3), (Branching, 3)])
def test_rules_are_asked_for_a_few_steps_alone_unless_that_would_not_do(layer, grows):
    counts = []
    for epochs in (4, 5, 6):
        counted = layer()
        trained(with_layer(counted, epochs=epochs))
        counts.append(counted._calls["vjp"])
    assert counts[0] > 0
    assert list(np.diff(counts)) == [grows, grows]


@pytest.mark.parametrize(("mode", "product"), [("random_forward", "jvp"), ("reverse", "vjp")])
def test_a_mode_that_draws_is_not_recorded(mode, product):
    counts = []
    for epochs in (4, 5):
        counted = Counting()
        trained(with_layer(counted, epochs=epochs, mode=mode))
        counts.append(counted._calls[product])
    assert (counts[1] > counts[0]) == (mode == "random_forward")


@pytest.mark.parametrize("layer", [Branching, Late])
def test_what_cannot_be_recorded_trains_as_the_loop_written_out(layer):
    require_equal(trained(with_layer(layer())), written_out(with_layer(layer())), 0)


class Choosy(SGD):
    """Goes along the sign of long gradients: it looks at values."""

    def update(self, xp, state, parameters, gradient, learning_rate):
        far = abs(gradient).max() > 0.3
        return super().update(xp, state, parameters, xp.sign(gradient) if far else gradient, learning_rate)


class Counted(SGD):
    """Stochastic gradient descent that counts how often it is asked."""

    _calls: Counter = PrivateAttr(default_factory=Counter)

    def update(self, xp, state, parameters, gradient, learning_rate):
        self._calls["update"] += 1
        return super().update(xp, state, parameters, gradient, learning_rate)


class Tiring(Counted):
    """Goes a shorter way each time that it is asked, which is a state that nobody sees."""

    def update(self, xp, state, parameters, gradient, learning_rate):
        return super().update(xp, state, parameters, gradient, learning_rate / (1 + self._calls["update"]))


class LateTiring(Counted):
    """Goes a longer way once: at its first call."""

    def update(self, xp, state, parameters, gradient, learning_rate):
        times = 1 if self._calls["update"] else 2
        return super().update(xp, state, parameters, times * gradient, learning_rate)


@pytest.mark.parametrize("optimizer", [Choosy, LateTiring])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_an_optimizer_that_cannot_be_recorded_trains_as_the_loop_written_out(optimizer, momentum):
    experiments = [
        training_of(SMALL, optimizer=optimizer(momentum=momentum, learning_rate=0.1)) for _ in range(2)
    ]
    require_equal(trained(experiments[0]), written_out(experiments[1]), 0)


@pytest.mark.parametrize(("optimizer", "grows"), [(Counted, 0), (Tiring, 4)])
def test_an_optimizer_is_asked_for_a_few_steps_alone_unless_it_has_a_state_of_its_own(optimizer, grows):
    counts = []
    for epochs in (4, 5, 6):
        counted = optimizer()
        trained(training_of(SMALL, optimizer=counted, epochs=epochs))
        counts.append(counted._calls["update"])
    assert list(np.diff(counts)) == [grows, grows]


# -------------------------------------------------------------------------------------------- its threads


class Threads(Listener):
    """Notes how many threads matrix products may take."""

    every = 1

    def __init__(self):
        self.found = set()

    def on_step(self, state, batch, result):
        self.found |= blas_threads()


def blas_threads():
    """Return the numbers of threads that the libraries of matrix products are set to."""
    return {one["num_threads"] for one in threadpoolctl.threadpool_info() if one["user_api"] == "blas"}


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_as_many_as_asked_for_and_afterwards_as_before(threads):
    before, listener = blas_threads(), Threads()
    trained(training_of(SMALL, {"numpy": {"threads": threads}}, epochs=1), listener)
    assert listener.found == {threads}
    assert blas_threads() == before


def test_small_products_get_one_thread_and_large_ones_at_most_one_a_core(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    small = training_of(SMALL)
    assert worthwhile_threads(small.network, small.settings.batch_size) == 1
    listener = Threads()
    trained(small, listener)
    assert listener.found == {1}
    large = with_layers(training_of(SMALL, batch_size=2048), Linear(units=4096), Linear(units=2))
    assert worthwhile_threads(large.network, 2048) == min(
        len(os.sched_getaffinity(0)), 2048 * 3 * 4096 // 2**20
    )
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert worthwhile_threads(large.network, 2048) == 1


@pytest.mark.parametrize("engine", ["numpy", "jax"])
def test_numpy_evaluates_small_networks_by_one_thread_whichever_engine_trains(engine):
    listener = Threads()
    trained(training_of(SMALL, engine, epochs=1), listener)
    assert listener.found == {1}


class _Given(Optimizer):
    """Base of optimizers that hand arrays on which they were given."""

    learning_rate: LearningRate = constant_by_default(0.01)

    def initial_state(self, xp, parameters):
        return {"older": xp.ones_like(parameters), "newer": xp.zeros_like(parameters)}


class Rolling(_Given):
    """A history of gradients, the newer one handed on as the older."""

    def update(self, xp, state, parameters, gradient, rate):
        moved = parameters - rate * (gradient + 0.5 * state["newer"] + 0.25 * state["older"])
        return moved, {"newer": gradient, "older": state["newer"]}


class Swapping(_Given):
    """Two arrays that change places."""

    def update(self, xp, state, parameters, gradient, rate):
        moved = parameters - rate * gradient - 0.001 * state["newer"]
        return moved, {"older": state["newer"], "newer": state["older"]}


class Remembering(_Given):
    """The parameters of the last step."""

    def update(self, xp, state, parameters, gradient, rate):
        moved = parameters - rate * gradient - 0.1 * rate * state["newer"]
        return moved, {"older": state["older"], "newer": parameters}


class Centred(SGD):
    """Descent along a gradient without its mean."""

    def step(self, xp, state, parameters, gradient, learning_rate):
        return super().step(xp, state, parameters, gradient - gradient.mean(), learning_rate)


class Normed(SGD):
    """Descent along a gradient of length one."""

    def update(self, xp, state, parameters, gradient, learning_rate):
        length = xp.sqrt((gradient * gradient).sum())
        return super().update(xp, state, parameters, gradient / length, learning_rate)


@pytest.mark.usefixtures("quick")
@ENGINES
@pytest.mark.parametrize("optimizer", [Rolling(), Swapping(), Remembering(), Centred(), Normed()], ids=repr)
def test_any_pure_optimizer_trains_as_the_loop_written_out(optimizer, engine):
    experiment = training_of("dropout", engine, optimizer=optimizer)
    require_equal(trained(experiment), written_out(experiment))


@pytest.mark.usefixtures("quick")
@ENGINES
def test_differences_in_another_dtype_train_a_network_of_its_own(engine):
    """20 steps of at most 0.1 g, whose gradients are good to float32: 1e-4 leaves a hundred ε."""
    single = np.dtype(np.float32)

    def training(mode):
        experiment = training_of("two layers, tanh", engine, mode=mode)
        x, targets, y = experiment.training
        part = Part(x.astype(single), targets.astype(single), y)
        start = experiment.initial_parameters.astype(single)
        return replace(experiment, dtype=single, training=part, initial_parameters=start)

    by_differences = trained(training({"finite_difference": {"dtype": "float64"}}))
    by_reverse = trained(training("reverse"))
    assert by_differences.parameters.dtype == single
    np.testing.assert_allclose(by_differences.parameters, by_reverse.parameters, rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("quick")
@ENGINES
def test_what_a_listener_writes_into_is_not_trained_with(engine):
    class Writing(Listener):
        every = 1

        def on_step(self, state, batch, result):
            state.parameters[:] = 7
            for array in state.optimizer.values():
                array[:] = 7
            for _, leaf in leaves(batch.noise):
                leaf[:] = 7

    experiment = training_of("dropout", engine)
    require_equal(trained(experiment, Writing()), trained(experiment))


def test_a_rule_that_records_but_cannot_be_played_is_trained_rule_by_rule():
    class Masking(Tanh):
        """A hyperbolic tangent whose mask is of numbers."""

        def value(self, xp, x):
            return xp.where(xp.ones_like(x), xp.tanh(x), 0) + 0 * x.max(-1, None, True)

    experiment = with_layers(training_of("two layers, tanh"), Linear(units=4), Masking(), Linear(units=2))
    require_equal(trained(experiment), written_out(experiment))
