"""What is the JAX engine's own: programs of many steps, refusals, devices, processes."""

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from cases import NETWORKS
from pydantic import Field, PrivateAttr
from small_trainings import difference, require_equal, trained, training_of, with_layers, written_out

from jactrain.errors import DivergedError, OptionError, UnsupportedError
from jactrain.layers.base import Product
from jactrain.layers.dropout import Dropout
from jactrain.layers.linear import Linear
from jactrain.layers.tanh import Tanh
from jactrain.losses.mean_absolute_error import MeanAbsoluteError
from jactrain.losses.mean_squared_error import MeanSquaredError
from jactrain.modes import modes
from jactrain.modes.reverse import Reverse
from jactrain.network import Network
from jactrain.objective import Batch, Objective
from jactrain.optimizers.sgd import SGD
from jactrain.training.compiled import execution, programs
from jactrain.training.compiled.checking import require_traceable
from jactrain.training.compiled.devices import placement_for, tracing
from jactrain.training.compiled.functions import TracedGradient
from jactrain.training.compiled.programs import StepsProgram, sample_of
from jactrain.training.events import Listener
from jactrain.training.experiment import Part

SMALL = "two layers, tanh"
QUICK = pytest.mark.usefixtures("quick")

# Devices add up a batch in another order: some ε for each of 20 steps of 0.1 g, and room for a thousand.
BY_ORDER = 1e-12


# ------------------------------------------------------------------------------------ programs and dtypes


@QUICK
@pytest.mark.parametrize(
    "optimizer", ["adam", "adamw", {"rmsprop": {"momentum": 0.5, "clip_norm": 0.1}}], ids=str
)
def test_float32_stays_float32(optimizer):
    """20 steps of at most 0.01, along directions that are off by some ten ε, 1e-6: 1e-5 leaves it room."""
    experiment = training_of("dropout", "jax", optimizer=optimizer)
    single = np.dtype(np.float32)
    x, targets, y = experiment.training
    experiment = replace(
        experiment,
        dtype=single,
        training=Part(x.astype(single), targets.astype(single), y),
        initial_parameters=experiment.initial_parameters.astype(single),
    )
    state = trained(experiment)
    assert {array.dtype for array in [state.parameters, *state.optimizer.values()]} == {single}
    require_equal(state, written_out(experiment), 1e-5)


@QUICK
@pytest.mark.parametrize("wide", [False, True])
def test_the_dtypes_and_precision_of_others_stay_as_they_were(wide):
    with jax.enable_x64(wide), jax.default_matmul_precision("tensorfloat32"):
        experiment = training_of(SMALL, "jax", epochs=1)
        experiment.engine.require(
            experiment.mode, experiment.objective, experiment.optimizer, 4, experiment.dtype
        )
        assert trained(experiment).parameters.dtype == np.float64
        gradient = experiment.engine.gradients(experiment.mode, experiment.objective)
        result = gradient(experiment.initial_parameters, experiment.first_batch(3), None)
        assert result.gradient.dtype == np.float64
        assert jax.numpy.ones(1).dtype == (np.float64 if wide else np.float32)
        assert jax.config.jax_enable_x64 == wide
        assert jax.config.jax_default_matmul_precision == "tensorfloat32"


@QUICK
def test_an_epoch_is_one_program_unless_its_batches_take_too_many_bytes(monkeypatch):
    experiment = training_of("dropout", "jax", batches=7.5, epochs=2, mode="random_forward")

    def most(size):
        with tracing():
            here = placement_for(4, 1, distributed=False)
            return StepsProgram(experiment, size, here, divided=True, most=7).most

    assert [most(4), most(2)] == [7, 7]
    parameters, outputs, hidden = experiment.network.size, 2, 5
    step = 8 * (4 * (3 + outputs + hidden) + parameters)  # inputs, targets, noise; a direction
    for given, expected in ((3 * step, 3), (4 * step - 1, 3), (step - 1, 1)):
        monkeypatch.setattr(programs, "_GIVEN", given)
        assert most(4) == expected
    monkeypatch.setattr(programs, "_GIVEN", 3 * step)
    require_equal(trained(experiment), written_out(experiment))


@pytest.mark.parametrize(
    "mode", ["finite_difference", "complex_step", {"forward": {"seeds": "parameters"}}], ids=str
)
def test_a_program_does_not_grow_with_the_number_of_parameters(mode, jax64):
    def length(units):
        network = Network([Linear(units=units), Tanh(), Linear(units=1)], (10,))
        objective, batch = Objective(network, MeanSquaredError()), Batch(np.ones((2, 10)), np.ones((2, 1)))
        in_chunks = modes.resolve(mode).model_copy(update={"memory": 2**16})
        gradient = TracedGradient(in_chunks, objective, sample_of(batch), np.dtype(np.float64))
        program = jax64.jit(gradient).lower(np.zeros(network.size), [batch.x, batch.targets], [])
        return network.size, len(program.as_text())

    (few, short), (many, long) = length(20), length(80)
    assert many > 3.9 * few
    assert long < 1.1 * short


# ------------------------------------------------------------------------------- what it refuses, in words


def broken(product):
    """Return a layer whose `product` looks at values."""

    def looking(self, xp, params, residual, stack):
        return stack if (stack > 0).all() else -stack

    def forward(self, xp, params, x, noise=None):
        return Tanh.forward(self, xp, params, abs(x) if (x > 0).any() else x, noise)

    rule = forward if product is Product.FORWARD else looking
    return type("Looking", (Tanh,), {"__doc__": Tanh.__doc__, product.value: rule})(name="mine")


@pytest.mark.parametrize(
    ("mode", "product"),
    [
        ("reverse", Product.FORWARD),
        ("reverse", Product.VJP),
        ("forward", Product.JVP),
        ("finite_difference", Product.FORWARD),
    ],
)
def test_a_rule_that_looks_at_values_is_named_before_training(mode, product):
    experiment = with_layers(training_of(SMALL, "jax", mode=mode), Linear(units=4), broken(product))
    with pytest.raises(
        UnsupportedError, match=rf"cannot trace {product} of mine \(Looking\): .*; write it with"
    ):
        experiment.engine.require(
            experiment.mode, experiment.objective, experiment.optimizer, 4, experiment.dtype
        )


@pytest.mark.parametrize(("mode", "product"), [("forward", Product.VJP), ("reverse", Product.JVP)])
def test_a_rule_that_the_mode_does_not_use_may_look_at_values(mode, product):
    experiment = with_layers(training_of(SMALL, "jax", mode=mode), Linear(units=4), broken(product))
    experiment.engine.require(
        experiment.mode, experiment.objective, experiment.optimizer, 4, experiment.dtype
    )


def test_a_loss_that_looks_at_values_is_named_before_training():
    def value(self, xp, difference):
        return 0 * difference if (difference > 0).any() else difference

    looking = type("Looking", (MeanSquaredError,), {"__doc__": "A loss.", "value": value})
    experiment = training_of(SMALL, "jax")
    objective = Objective(experiment.network, looking())
    with pytest.raises(UnsupportedError, match="cannot trace forward of the loss mean_squared_error: "):
        experiment.engine.require(experiment.mode, objective, experiment.optimizer, 4, experiment.dtype)


def test_an_optimizer_that_looks_at_values_is_named_before_training():
    def update(self, xp, state, parameters, gradient, learning_rate):
        return (parameters if gradient[0] > 0 else parameters - gradient), state

    looking = type("Looking", (SGD,), {"__doc__": "An optimizer.", "update": update})
    experiment = training_of(SMALL, "jax")
    with pytest.raises(UnsupportedError, match=r"cannot trace the step of optimizer sgd: .*; write it with"):
        experiment.engine.require(experiment.mode, experiment.objective, looking(), 4, experiment.dtype)


def test_a_mode_that_looks_at_what_it_draws_is_named_before_training():
    class Choosing(Reverse):
        """A mode."""

        def differentiate(self, objective, parameters, batch, decision, rng):
            result = super().differentiate(objective, parameters, batch, decision, rng)
            return result if rng.standard_normal(2)[0] > 0 else result._replace(gradient=-result.gradient)

    experiment = training_of(SMALL, "jax")
    with pytest.raises(UnsupportedError, match="cannot trace mode reverse: "):
        experiment.engine.require(Choosing(), experiment.objective, experiment.optimizer, 4, experiment.dtype)


@QUICK
def test_listeners_that_hear_every_step_do_not_gather_an_epoch_each_time(monkeypatch):
    given = []

    class Watching(StepsProgram):
        def __call__(self, point, examples, steps):
            given.append((self.most, len(steps.order)))
            return super().__call__(point, examples, steps)

    monkeypatch.setattr(execution, "StepsProgram", Watching)
    listener = Listener()
    listener.every = 2
    trained(training_of(SMALL, "jax", batches=5, epochs=1), listener)
    assert given == [(2, 2), (2, 2), (2, 1)]


@QUICK
def test_a_state_that_overflows_ends_its_epoch_and_is_no_reason_to_go_step_by_step(monkeypatch):
    optimizer = {"rmsprop": {"learning_rate": 1e-30}}
    experiment = with_layers(training_of(SMALL, "jax", optimizer=optimizer), Linear(units=2))
    experiment = replace(experiment, objective=Objective(experiment.network, MeanAbsoluteError()))
    x, targets, y = experiment.training
    experiment = replace(experiment, training=Part(1e170 * x, targets, y))  # whose squares are beyond float64
    one_by_one = []
    monkeypatch.setattr(execution, "require_finite_gradient", lambda *_: one_by_one.append(_))
    with pytest.raises(DivergedError, match="mean square is not finite"):
        trained(experiment)
    assert not one_by_one


@pytest.mark.parametrize("case", NETWORKS[::6], ids=lambda case: case.name)
def test_networks_of_the_table_are_not_refused(case):
    for mode in ("reverse", "forward", "finite_difference", "spsa"):
        experiment = training_of(case, "jax", mode=mode)
        objective, optimizer = experiment.objective, experiment.optimizer
        experiment.engine.require(experiment.mode, objective, optimizer, case.examples, experiment.dtype)


# ------------------------------------------------------------------------------------ devices and processes


class Watched(Tanh):
    """A hyperbolic tangent that notes how its inputs, `(1, N, I)`, lie on devices where a program is made."""

    _shardings: list = PrivateAttr(default_factory=list)

    def forward(self, xp, params, x, noise=None):
        if xp is not np:
            jax.debug.inspect_array_sharding(x, callback=self._shardings.append)
        return super().forward(xp, params, x, noise)


# For each training: its options, and where the batches of each of its programs lie: on how many devices, and
# in how many parts.
DIVIDED = [
    ({"devices": 1}, {"batch_size": 16}, [[1, 1]]),
    ({"devices": 8}, {"batch_size": 16}, [[8, 8]]),
    ({"devices": 4}, {"batch_size": 16, "batches": 2.5}, [[4, 4], [4, 1]]),
    ({}, {"batch_size": 16, "mode": "random_forward", "optimizer": "adam"}, [[8, 8]]),
    ({}, {"batch_size": 12}, [[6, 6]]),
    ({}, {"batch_size": 13}, [[1, 1]]),
]


def train_on_devices():
    """Print, for each training of DIVIDED, how far off it is, and where its batches were."""
    for devices, options, _ in DIVIDED:
        watched = Watched()
        experiment = training_of("dropout", {"jax": devices}, **options)
        experiment = with_layers(experiment, Linear(units=5), Dropout(rate=0.2), watched, Linear(units=2))
        state = trained(experiment)
        places = [[len(sharding.device_set), parts_of(sharding)] for sharding in watched._shardings]
        print("told", json.dumps([difference(state, written_out(experiment)), places]))


def parts_of(sharding):
    """Return in how many parts an array `(1, 48, 1)` would be divided."""
    return 48 // sharding.shard_shape((1, 48, 1))[1]


def train_as_one_of_two():
    """Print the processes and devices there are, how far off a training is, and its parameters."""
    engine = {"jax": {"distributed": True}}
    experiment = training_of("dropout", engine, batch_size=16, batches=2.5, mode="random_forward")
    state = trained(experiment)
    error = difference(state, written_out(experiment))
    print("told", json.dumps([jax.process_count(), jax.device_count(), error, state.parameters.tolist()]))
    with pytest.raises(OptionError, match="the first 1 of 2 devices leave one of the 2 processes without"):
        trained(training_of(SMALL, {"jax": {"distributed": True, "devices": 1}}))
    with pytest.raises(OptionError, match="5 examples cannot be divided evenly among 2 devices"):
        trained(training_of(SMALL, {"jax": {"distributed": True}}, batch_size=5))


def started(function, **variables):
    """Return another process that runs a function of this module."""
    here = Path(__file__).parent
    paths = os.pathsep.join([str(here), str(here.parent)])
    environment = {**os.environ, "PYTHONPATH": paths, "JAX_PLATFORMS": "cpu", **variables}
    command = [sys.executable, "-c", f"import {__name__}; {__name__}.{function.__name__}()"]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def printed(process):
    """Return what a process has printed, as data; its errors if it failed."""
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return [json.loads(line.removeprefix("told ")) for line in out.splitlines() if line.startswith("told ")]


def test_batches_are_divided_among_the_devices_of_a_machine():
    found = printed(started(train_on_devices, XLA_FLAGS="--xla_force_host_platform_device_count=8"))
    for (devices, options, places), (error, found_places) in zip(DIVIDED, found, strict=True):
        assert error <= BY_ORDER, (devices, options)
        assert found_places == places, (devices, options)


def test_two_processes_train_as_one():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    common = {"JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{port}", "JAX_NUM_PROCESSES": "2", "XLA_FLAGS": ""}
    both = [started(train_as_one_of_two, **common, JAX_PROCESS_ID=str(number)) for number in range(2)]
    try:
        ((first,), (second,)) = [printed(process) for process in both]
    finally:
        for process in both:
            process.kill()
    assert first == second
    assert first[:2] == [2, 2]
    assert first[2] <= BY_ORDER


@pytest.mark.parametrize("mode", ["spsa", "random_forward"])
def test_a_program_does_not_grow_with_the_number_of_directions(mode, jax64):
    network = Network([Linear(units=5), Tanh(), Linear(units=1)], (10,))
    objective, batch = Objective(network, MeanSquaredError()), Batch(np.ones((2, 10)), np.ones((2, 1)))

    def traced(directions):
        chosen = modes.resolve({mode: {"directions": directions, "memory": 2**16}})
        return TracedGradient(chosen, objective, sample_of(batch), np.dtype(np.float64))

    def length(directions):
        gradient = traced(directions)
        drawn = [np.zeros(each.shape, each.dtype) for each in gradient.requests]
        program = jax64.jit(gradient).lower(np.zeros(network.size), [batch.x, batch.targets], drawn)
        return len(program.as_text())

    assert length(1000) < 1.1 * length(200)
    with pytest.raises(UnsupportedError, match=r"at most 134,217,728, and 61,000,000,000 are asked for; low"):
        traced(10**9)


class Masking(Tanh):
    def forward(self, xp, params, x, noise=None):
        y = xp.tanh(x)
        return (y if (y > 2).any() else -y), y


class Careful(Tanh):
    careful: bool = Field(False, repr=False)

    def forward(self, xp, params, x, noise=None):
        if self.careful and (x > 2).any():
            return x, x
        return super().forward(xp, params, x, noise)


def test_whether_a_deep_network_can_be_traced_is_known_at_once():
    """A layer that is repeated is traced twice; the message names the one in the network all the same."""

    def trace(*last):
        chain = [Linear(units=4), *[Tanh(), Linear(units=4)] * 200, *last, Linear(units=1)]
        objective = Objective(Network(chain, (3,)), MeanSquaredError())
        require_traceable(Reverse(), objective, SGD(learning_rate=0.1), 8, np.dtype(np.float32))

    trace()
    began = time.process_time()
    trace()
    assert time.process_time() - began < 0.5
    with pytest.raises(UnsupportedError, match=r"cannot trace forward of tanh_201 \(Masking\): "):
        trace(Masking())
    with pytest.raises(UnsupportedError, match=r"cannot trace forward of tanh_\d+ \(Careful\): "):
        trace(Careful(), Careful(), Careful(careful=True))
    trace(Careful(), Careful(), Careful())
