"""Laws of trainings that are computed together: each comes to what it comes to by itself."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from cases import MODE_CASES, NETWORKS
from small_trainings import require_equal, rounding_of, training_of, vectors, with_layers, written_out

from jactrain.errors import DivergedError
from jactrain.layers.linear import Linear
from jactrain.layers.tanh import Tanh
from jactrain.modes import modes
from jactrain.modes.spsa import SPSA
from jactrain.optimizers import optimizers
from jactrain.optimizers.sgd import SGD
from jactrain.runs.together import train_together
from jactrain.training.agreement import AgreementListener
from jactrain.training.compiled import together as compiled
from jactrain.training.compiled.together import Table, TableProgram
from jactrain.training.events import Listener
from jactrain.training.experiment import Part
from jactrain.training.meeting import Meeting
from jactrain.training.settings import EarlyStopping
from jactrain.training.state import TrainingState
from jactrain.training.together import likeness
from jactrain.training.trainer import train

pytestmark = pytest.mark.usefixtures("quick")
SMALL = "two layers, tanh"
EPSILON = np.finfo(np.float64).eps


@pytest.fixture
def tables(monkeypatch):
    """Return a list that every table adds to, how many it served at once."""
    served = []

    def call(self, asked: Mapping):
        served.append(len(asked))
        return original(self, asked)

    original = Table.__call__
    monkeypatch.setattr(Table, "__call__", call)
    return served


def seeds_of(experiment, count=3):
    """Return the same training with several seeds: other examples, initial parameters, order and draws."""
    found = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        shuffled = rng.permutation(len(experiment.training.x))
        found.append(
            replace(
                experiment,
                seed=seed,
                training=Part(*(array[shuffled] for array in experiment.training)),
                initial_parameters=experiment.network.initial_parameters(rng, experiment.dtype),
            )
        )
    return found


def trained_together(experiments, *listeners, states=None):
    """Return the states at the end of trainings in one group, or what they raised."""
    states = states or [TrainingState.start(experiment) for experiment in experiments]
    return train_together(
        [
            partial(train, *pair, [listener] if (listener := dict(enumerate(listeners)).get(number)) else [])
            for number, pair in enumerate(zip(experiments, states, strict=True))
        ]
    )


def same_bits(one, other):
    return all(np.array_equal(array, vectors(other)[name]) for name, array in vectors(one).items())


# ------------------------------------------------------------------------------------------ the same steps


@pytest.mark.parametrize("case", NETWORKS, ids=lambda case: case.name)
def test_seeds_of_every_network_train_as_by_themselves(case, tables):
    experiments = seeds_of(training_of(case, "jax", batches=2.5, epochs=3))
    for experiment, state in zip(experiments, trained_together(experiments), strict=True):
        require_equal(state, written_out(experiment), 1e-12)
    assert max(tables) > 1


@pytest.mark.parametrize("name", MODE_CASES)
def test_seeds_train_by_every_mode_as_by_themselves(name, tables):
    """15 steps of 0.1 g; values that are divided by a step have its roundings, as of the engines' law."""
    mode = MODE_CASES[name]
    experiments = [
        replace(each, mode=mode) for each in seeds_of(training_of(SMALL, "jax", epochs=3, batches=5))
    ]
    for experiment, state in zip(experiments, trained_together(experiments), strict=True):
        require_equal(state, written_out(experiment), max(1e-12, 100 * rounding_of(mode)))
    assert max(tables) == 3


NUMBERS = {
    "sgd": [{"momentum": 0.9, "weight_decay": 0.1}, {"momentum": 0.5, "weight_decay": 1e-3}],
    "nesterov": [{"momentum": 0.9, "nesterov": True}, {"momentum": 0.1, "nesterov": True}],
    "adam": [{"beta1": 0.9, "beta2": 0.999}, {"beta1": 0.5, "beta2": 0.9}],
    "clipped": [{"clip_norm": 0.1, "weight_decay": 0.1}, {"clip_norm": 0.1, "weight_decay": 0.2}],
    "adamw": [{"weight_decay": 0.1}, {"weight_decay": 0.01, "beta1": 0.8}],
    "rmsprop": [{"decay": 0.9, "momentum": 0.5}, {"decay": 0.99, "momentum": 0.9}],
}
KINDS = {"nesterov": "sgd", "clipped": "adam"}
# Low: steps of adaptive optimizers are as long as the rate, in a direction that rounding may decide.
RATES = [0.001, {"cosine": {"initial": 0.005}}, {"step": {"initial": 0.002, "every": 1}}]


@pytest.mark.parametrize(("dtype", "allowed"), [(np.float32, 1e-5), (np.float64, 1e-12)])
@pytest.mark.parametrize("name", NUMBERS)
def test_rates_and_numbers_of_an_optimizer_may_differ(name, dtype, allowed, tables):
    kind = KINDS.get(name, name)
    experiments = [
        replace(
            each,
            dtype=np.dtype(dtype),
            training=Part(*(array.astype(dtype) for array in each.training[:2]), each.training.y),
            initial_parameters=each.initial_parameters.astype(dtype),
            optimizer=optimizers.resolve({kind: {**NUMBERS[name][number % 2], "learning_rate": rate}}),
        )
        for number, (each, rate) in enumerate(
            zip(seeds_of(training_of(SMALL, "jax", batches=4)), RATES, strict=True)
        )
    ]
    for experiment, state in zip(experiments, trained_together(experiments), strict=True):
        assert state.parameters.dtype == dtype
        require_equal(state, written_out(experiment), allowed)
    assert set(tables) == {3}


def test_the_step_of_a_mode_may_differ(tables):
    steps = [1e-3, 1e-5, 1e-2]
    experiments = [
        replace(each, mode=SPSA(directions=2, step=step))
        for each, step in zip(seeds_of(training_of(SMALL, "jax")), steps, strict=True)
    ]
    for experiment, state, step in zip(experiments, trained_together(experiments), steps, strict=True):
        require_equal(state, written_out(experiment), 100 * EPSILON / step)
    assert set(tables) == {3}


# --------------------------------------------------------------------------------- whoever else is there


def test_what_comes_of_a_training_does_not_depend_on_who_else_is_there():
    experiments = seeds_of(training_of("dropout", "jax", batches=2.5, mode="random_forward"), count=11)
    whole = trained_together(experiments)
    for part in (slice(0, 1), slice(3, 11), slice(2, 5)):
        for one, other in zip(trained_together(experiments[part]), whole[part], strict=True):
            assert same_bits(one, other)
    assert all(same_bits(*pair) for pair in zip(trained_together(experiments), whole, strict=True))


def test_who_is_unlike_the_others_trains_by_itself(tables):
    first, second, third = seeds_of(training_of(SMALL, "jax", batches=2.5))
    more = training_of(SMALL, "jax", batches=3)
    others = [
        with_layers(first, Linear(units=3), Tanh(), Linear(units=2)),
        replace(first, optimizer=SGD(momentum=0.0)),
        replace(first, mode=modes.resolve("forward")),
        more,
        replace(first, engine=training_of(SMALL, "numpy").engine),
    ]
    experiments = [first, *others, second, third]
    for experiment, state in zip(experiments, trained_together(experiments), strict=True):
        require_equal(state, written_out(experiment), 1e-12)
    assert set(tables) <= {1, 2, 3}
    assert 3 in tables


class Looking(SGD):
    """Looks at one of its numbers."""

    def update(self, xp, state, parameters, gradient, learning_rate):
        """Return the next parameters and state."""
        rate = learning_rate * 2 if self.momentum > 0.5 else learning_rate
        return super().update(xp, state, parameters, gradient, rate)


def test_a_rule_that_looks_at_its_numbers_is_trained_with_alone(tables):
    experiments = seeds_of(training_of(SMALL, "jax", optimizer=Looking(momentum=0.9)))
    for experiment, state in zip(experiments, trained_together(experiments), strict=True):
        require_equal(state, written_out(experiment), 1e-12)
    assert tables == []


def test_few_large_trainings_share_a_table_and_many_small_ones(monkeypatch):
    experiments = seeds_of(training_of(SMALL, "jax", epochs=1), 5)
    widths = set()
    original = TableProgram.of_all

    def of_all(self, seats, x, targets):
        widths.add((len(seats), x.shape[0]))
        return original(self, seats, x, targets)

    monkeypatch.setattr(TableProgram, "of_all", of_all)
    for name, given, width in (("_CACHE", 2**10, 1), ("_CACHE", 2**30, 8), ("_EXAMPLES", 1, 1)):
        with monkeypatch.context() as patched:
            patched.setattr(compiled, name, given)
            trained_together(experiments)
        assert widths == {(width, width)}
        widths.clear()


# ------------------------------------------------------------------------------------------ what may happen


def test_one_that_diverges_harms_no_other():
    experiments = seeds_of(training_of(SMALL, "jax", epochs=6, batches=2.5), 4)
    wild = optimizers.resolve({"sgd": {"momentum": 0.9, "learning_rate": 1e150}})
    experiments[1] = replace(experiments[1], optimizer=wild)
    found = trained_together(experiments)
    with pytest.raises(DivergedError) as alone, np.errstate(all="ignore"):
        train(experiments[1], TrainingState.start(experiments[1]))
    assert isinstance(found[1], DivergedError)
    assert str(found[1]) == str(alone.value)
    for number in (0, 2, 3):
        require_equal(found[number], written_out(experiments[number]), 1e-12)


def test_one_that_stops_early_leaves_the_others_on_their_way():
    experiments = seeds_of(training_of(SMALL, "jax", epochs=8, batches=3), 4)
    experiments = [replace(each, validation=each.training) for each in experiments]
    rule = EarlyStopping(patience=1, minimum_improvement=1e6)
    settings = experiments[2].settings.model_copy(update={"early_stopping": rule})
    experiments[2] = replace(experiments[2], settings=settings)
    found = trained_together(experiments)
    assert [state.epoch for state in found] == [8, 8, 2, 8]
    for number in (0, 1, 3):
        require_equal(found[number], written_out(experiments[number]), 1e-12)


class Breaking(Listener):
    """Fails at the end of an epoch."""

    def on_epoch(self, state):
        if state.epoch == 2:
            raise OSError("no room")


def test_one_that_fails_harms_no_other():
    experiments = seeds_of(training_of(SMALL, "jax"))
    found = trained_together(experiments, Breaking())
    assert isinstance(found[0], OSError)
    for number in (1, 2):
        require_equal(found[number], written_out(experiments[number]), 1e-12)


def test_who_goes_on_within_an_epoch_comes_to_the_same_as_ever(tables):
    """Stopped in front of its leftover batch, another an epoch ahead: they catch up with each other."""
    experiments = seeds_of(training_of("dropout", "jax", batches=3.5, epochs=4), 4)
    states = [TrainingState.start(experiment) for experiment in experiments]
    asked = iter([False, True])
    train(experiments[1], states[1], stop=lambda: next(asked))
    ahead = experiments[2].settings.model_copy(update={"epochs": 1})
    train(replace(experiments[2], settings=ahead), states[2])
    assert [(state.epoch, state.step) for state in states] == [(0, 0), (0, 3), (1, 4), (0, 0)]
    found = trained_together(experiments, states=states)
    for experiment, state in zip(experiments, found, strict=True):
        require_equal(state, written_out(experiment), 1e-12)
    assert tables[0] == 1  # who is behind
    assert tables[1:] == [4] * 6 + [2] * 2


class Heard:
    """Keeps what agreement says."""

    def __init__(self):
        self.measured = []

    def __call__(self, step, measurement):
        self.measured.append((step, measurement.mode, measurement.comparison.whole.relative_error < 1e-9))


def test_agreement_is_measured_as_by_itself():
    options = {"agreement_modes": (modes.resolve("forward"),), "agreement_every": 3}
    experiments = [
        replace(each, agreement_examples=4, **options) for each in seeds_of(training_of(SMALL, "jax"))
    ]
    together, alone = [Heard() for _ in experiments], [Heard() for _ in experiments]
    found = trained_together(experiments, *(AgreementListener(each) for each in together))
    for experiment, state, one, other in zip(experiments, found, together, alone, strict=True):
        train(experiment, TrainingState.start(experiment), [AgreementListener(other)])
        assert one.measured == other.measured
        assert len(one.measured) == 7
        assert all(close for *_, close in one.measured)
        require_equal(state, written_out(experiment), 1e-12)


# ------------------------------------------------------------------------------------------------ the parts


def test_likeness_is_of_all_but_rates_and_numbers():
    like = likeness(SGD(momentum=0.9, weight_decay=0.1))
    assert like == likeness(SGD(momentum=0.5, weight_decay=0.2, learning_rate=3.0))
    others = [SGD(momentum=0.9), SGD(weight_decay=0.1), SGD(momentum=0.9, weight_decay=0.1, clip_norm=1)]
    others += [Looking(momentum=0.9, weight_decay=0.1), SGD(momentum=0.9, nesterov=True, weight_decay=0.1)]
    assert all(likeness(other) != like for other in others)
    assert likeness(SPSA(step=1e-3)) == likeness(SPSA(step=1e-4)) != likeness(SPSA())
    assert likeness(SPSA(directions=2)) != likeness(SPSA())


def asked_in_threads(meeting, keys):
    """Return what members got who all asked at once."""
    found = {}

    def ask(member, key):
        try:
            found[member] = meeting.ask(member, key, member)
        except BaseException as error:
            found[member] = error
        finally:
            meeting.leave(member)

    threads = [threading.Thread(target=ask, args=item) for item in keys.items()]
    for thread in threads:
        thread.start()
    return found, threads


def test_a_meeting_serves_the_largest_key_first():
    served = []

    def serve(asked):
        served.append(sorted(asked))
        return {member: member * 10 for member in asked}

    found, threads = asked_in_threads(Meeting(range(4), serve), {0: 1, 1: 2, 2: 1, 3: 3})
    for thread in threads:
        thread.join()
    assert found == {0: 0, 1: 10, 2: 20, 3: 30}
    assert served == [[3], [1], [0, 2]]


def test_a_meeting_tells_a_failure_to_whom_it_was_for():
    def serve(asked):
        raise ValueError("broken") if 1 in asked else KeyError("no")

    found, threads = asked_in_threads(Meeting(range(3), serve), {0: 1, 1: 2, 2: 2})
    for thread in threads:
        thread.join()
    assert [type(found[member]) for member in range(3)] == [KeyError, ValueError, ValueError]


def test_a_meeting_that_ends_keeps_nobody():
    meeting = Meeting(range(3), lambda asked: asked)
    found, threads = asked_in_threads(meeting, {0: 1, 1: 1})
    meeting.end()
    for thread in threads:
        thread.join()
    assert [type(error) for error in found.values()] == [KeyboardInterrupt] * 2
