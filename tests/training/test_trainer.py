import math
from collections.abc import Callable

import numpy as np
import pytest

from jactrain.errors import DivergedError
from jactrain.modes.base import GradientResult
from jactrain.objective import Batch
from jactrain.training import trainer
from jactrain.training.batches import draws
from jactrain.training.divergence import require_finite_gradient
from jactrain.training.engines import numpy_engine
from jactrain.training.events import Listener
from jactrain.training.metrics import evaluate
from jactrain.training.state import TrainingState
from jactrain.training.trainer import train


class History(Listener):
    """Keeps what it hears."""

    def __init__(self, every: int = 1) -> None:
        self.every = every
        self.heard: list[str] = []
        self.steps: list[int] = []
        self.points: list[np.ndarray] = []
        self.epochs: list[dict] = []

    def on_start(self, experiment, state: TrainingState) -> None:
        self.heard.append("start")

    def on_step(self, state: TrainingState, batch: Batch, result: GradientResult) -> None:
        self.steps.append(state.step)
        self.points.append(state.parameters.copy())

    def on_epoch(self, state: TrainingState) -> None:
        self.epochs.append({"parameters": state.parameters.copy(), **state.metrics})

    def on_end(self, state: TrainingState) -> None:
        self.heard.append("end")


def trained(experiment, *listeners: Listener) -> TrainingState:
    return train(experiment, TrainingState.start(experiment), listeners)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_training_repeats_bit_for_bit_from_the_seed(experiment: Callable, dtype: str) -> None:
    first, again = (trained(experiment(dtype=dtype, seed=5)) for _ in range(2))
    np.testing.assert_array_equal(first.parameters, again.parameters, strict=True)
    assert first.parameters.dtype == dtype
    assert first.metrics == again.metrics
    assert first.multiply_adds == again.multiply_adds > 0


def test_another_seed_gives_another_training(experiment: Callable) -> None:
    one, other = (trained(experiment(seed=seed)) for seed in (5, 6))
    assert not np.isclose(one.parameters, other.parameters).any()


def test_agreement_and_listeners_do_not_change_what_is_trained(experiment: Callable) -> None:
    alone = trained(experiment())
    watched = trained(experiment(agreement={"modes": ["forward"], "every": 1}), History())
    np.testing.assert_array_equal(alone.parameters, watched.parameters)


def test_every_exact_mode_trains_the_same(experiment: Callable) -> None:
    reverse, forward = (trained(experiment(mode=mode)) for mode in ("reverse", "forward"))
    np.testing.assert_allclose(forward.parameters, reverse.parameters, rtol=1e-9, atol=1e-12)


def test_training_starts_at_the_initial_parameters_and_leaves_them_alone(experiment: Callable) -> None:
    toy, history = experiment(), History()
    initial = toy.initial_parameters.copy()
    trained(toy, history)
    np.testing.assert_array_equal(history.points[0], initial)
    np.testing.assert_array_equal(toy.initial_parameters, initial)


def test_a_listener_hears_step_0_and_every_so_many(experiment: Callable) -> None:
    histories = [History(every) for every in (0, 1, 5)]
    trained(experiment(), *histories)  # 48 examples in batches of 20: 3 steps an epoch
    assert [history.steps for history in histories] == [[], list(range(12)), [0, 5, 10]]
    assert all(history.heard == ["start", "end"] for history in histories)
    assert all(len(history.epochs) == 4 for history in histories)


def test_an_epoch_uses_every_example_once_with_its_target(experiment: Callable) -> None:
    toy = experiment()
    state = TrainingState.start(toy)
    epochs = [[draw.batch(toy) for draw in draws(toy, state)] for _ in range(2)]
    for epoch in epochs:
        assert [batch.examples for batch in epoch] == [20, 20, 8]
        rows = np.concatenate([np.hstack([batch.x, batch.targets]) for batch in epoch])
        expected = np.hstack([toy.training.x, toy.training.targets])
        np.testing.assert_array_equal(rows[rows[:, 0].argsort()], expected[expected[:, 0].argsort()])
    assert not np.array_equal(epochs[0][0].x, epochs[1][0].x)


def test_early_stopping_keeps_the_best_weights(experiment: Callable) -> None:
    toy, history = experiment(training={"epochs": 300, "early_stopping": {"patience": 7}}), History()
    state = trained(toy, history)
    losses = [epoch["validation_loss"] for epoch in history.epochs]
    best = int(np.argmin(losses))
    assert 0 < best < len(losses) - 1 < 299
    assert len(losses) - 1 - best == 7
    assert state.best_epoch == best + 1
    np.testing.assert_array_equal(state.kept_parameters, history.epochs[best]["parameters"])
    assert evaluate(toy, state.kept_parameters, toy.validation)["loss"] == losses[best]
    assert state.metrics["validation_loss"] == losses[best]


def test_an_improvement_has_a_least_size(experiment: Callable) -> None:
    rule = {"patience": 3, "minimum_improvement": 1e9}
    state = trained(experiment(training={"epochs": 50, "early_stopping": rule}))
    assert (state.epoch, state.best_epoch) == (4, 1)  # any loss is better than none


def test_seconds_are_those_of_steps_with_their_batches(
    experiment: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0

    def passing(seconds: float, function: Callable) -> Callable:
        def later(*arguments: object) -> object:
            nonlocal now
            now += seconds
            return function(*arguments)

        return later

    monkeypatch.setattr(numpy_engine, "perf_counter", lambda: now)
    monkeypatch.setattr(numpy_engine, "is_finite", passing(1.0, numpy_engine.is_finite))
    monkeypatch.setattr(numpy_engine, "draws", passing(0.5, numpy_engine.draws))
    monkeypatch.setattr(trainer, "measure", passing(1000.0, trainer.measure))
    history = History()
    monkeypatch.setattr(history, "on_step", passing(1000.0, history.on_step))
    monkeypatch.setattr(history, "on_epoch", passing(1000.0, history.on_epoch))
    state = trained(experiment(), history)  # 4 epochs of 3 steps
    assert (state.epoch, state.step, state.seconds) == (4, 12, 14.0)


@pytest.mark.parametrize(
    "training", [{"epochs": 3, "batch_size": 20}, {"epochs": 1, "batch_size": 48}], ids=["step", "epoch"]
)
def test_a_loss_that_is_not_finite_ends_training_without_a_warning(
    experiment: Callable, training: dict
) -> None:
    toy = experiment(optimizer={"adam": {"learning_rate": 1e200}}, training=training)
    with pytest.raises(
        DivergedError,
        match=r"in epoch 1, after 1 step in all: the (train )?loss is inf( \(all outputs are finite\))?;",
    ):
        trained(toy)


@pytest.mark.parametrize(
    ("value", "gradient", "said"),
    [
        (math.nan, [0.0, 0.0], "the loss is nan"),
        (math.inf, [0.0, 0.0], "the loss is inf"),
        (1.0, [math.nan, 0.0], "1 entries of the gradient are not finite"),
        (1.0, [math.inf, -math.inf], "2 entries of the gradient are not finite"),
    ],
)
def test_what_is_not_finite_is_refused(
    experiment: Callable, value: float, gradient: list[float], said: str
) -> None:
    toy = experiment()
    state, size = TrainingState.start(toy), toy.network.size
    gradient = np.pad(gradient, (size - len(gradient), 0))
    with np.errstate(invalid="ignore"), pytest.raises(DivergedError, match=said):
        require_finite_gradient(value, gradient, toy, state, toy.first_batch(4))


def test_a_divergence_names_the_layer_where_it_began(experiment: Callable) -> None:
    toy = experiment()
    state, layout = TrainingState.start(toy), toy.network.layout
    first, last = layout.names[0], layout.names[-1]
    state.parameters[layout.slices[0]] = math.inf
    with np.errstate(all="ignore"), pytest.raises(DivergedError, match=f"those of {first.split('/')[0]}"):
        require_finite_gradient(math.nan, np.zeros(toy.network.size), toy, state, toy.first_batch(4))
    gradient = np.full(toy.network.size, math.nan)
    with np.errstate(all="ignore"), pytest.raises(DivergedError, match=f"those of {last} first"):
        require_finite_gradient(1.0, gradient, toy, state, toy.first_batch(4))


def test_a_sum_that_overflows_is_no_divergence(experiment: Callable) -> None:
    toy = experiment()
    gradient = np.full(toy.network.size, 1e308)
    with np.errstate(over="ignore"):
        require_finite_gradient(1.0, gradient, toy, TrainingState.start(toy), toy.first_batch(4))
    assert np.isfinite(gradient).all()


def test_a_training_that_is_interrupted_leaves_the_point_that_its_step_says(experiment: Callable) -> None:
    class Interrupting(History):
        def on_step(self, state: TrainingState, batch: Batch, result: GradientResult) -> None:
            super().on_step(state, batch, result)
            if state.step == 7:
                raise KeyboardInterrupt

    whole, history = History(), Interrupting()
    trained(experiment(), whole)
    toy = experiment()
    state = TrainingState.start(toy)
    with pytest.raises(KeyboardInterrupt):
        train(toy, state, [history])
    assert (state.epoch, state.step) == (2, 7)
    np.testing.assert_array_equal(state.parameters, whole.points[7])


def test_an_error_within_a_step_leaves_the_point_before_it(
    experiment: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, calls = History(), []
    trained(experiment(), whole)
    toy = experiment()
    state = TrainingState.start(toy)

    def failing(value: object, square: object) -> bool:
        calls.append(value)
        if len(calls) == 6:
            raise MemoryError
        return True

    monkeypatch.setattr(numpy_engine, "is_finite", failing)
    with pytest.raises(MemoryError):
        train(toy, state)
    assert state.step == 5
    np.testing.assert_array_equal(state.parameters, whole.points[5])
