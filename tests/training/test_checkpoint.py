"""A checkpoint gives back what was written, or says which member is not that."""

import hashlib
import json
import math
import tracemalloc

import numpy as np
import pytest

from jactrain.errors import CheckpointError, RunError
from jactrain.training.checkpoint import FORMAT, load, require_fits, save
from jactrain.training.state import TrainingState

RECORD = {"lengths": {"metrics": 7}, "config": {"name": "toy", "rate": 0.1}, "none": None}


@pytest.fixture
def toy(experiment):
    return experiment(optimizer={"adam": {"learning_rate": 0.01}})


@pytest.fixture
def state(toy):
    """Return a state in which nothing is as it was at the start."""
    state = TrainingState.start(toy)
    for generator in state.random:
        generator.standard_normal(3)
    state.random.noise.integers(0, 2**20, dtype=np.uint32)  # keeps half of a draw
    state.parameters = state.parameters + 1
    state.optimizer = {name: array + 2 for name, array in state.optimizer.items()}
    state.step, state.epoch, state.seconds, state.multiply_adds = 13, 4, 1.25, 10**15
    state.metrics = {"train_loss": 0.1, "validation_accuracy": None}
    state.best_parameters, state.best_epoch, state.best_loss = state.parameters - 3, 3, 0.0625
    state.order = state.random.order.permutation(len(toy.training.x))
    state.rate_factor, state.retries = 0.25, 2
    return state


@pytest.fixture
def path(tmp_path, state):
    path = tmp_path / "step-0000000013.npz"
    save(path, state, RECORD)
    return path


def members(path):
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def rewritten(path, arrays=(), facts=None, without=(), text=None):
    """Write the checkpoint anew with other arrays, or other facts that vouch for themselves."""
    found = members(path) | dict(arrays)
    if facts is not None or text is not None:
        text = json.dumps(json.loads(found["facts"].tobytes()) | (facts or {})) if text is None else text
        found["facts"] = np.frombuffer(text.encode(), np.uint8)
        found["digest"] = np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint8)
    np.savez(path, **{name: array for name, array in found.items() if name not in without})
    return path


def refusal(path):
    with pytest.raises(CheckpointError) as caught:
        load(path)
    said = str(caught.value)
    assert said.startswith(str(path))
    return said


def same(one, other):
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


def test_all_of_a_state_comes_back(path, state):
    found, record = load(path)
    assert record == RECORD
    for name in ("parameters", "best_parameters", "order"):
        assert same(getattr(found, name), getattr(state, name)), name
    assert found.optimizer.keys() == state.optimizer.keys()
    assert all(same(found.optimizer[name], array) for name, array in state.optimizer.items())
    for name in (
        *("step", "epoch", "seconds", "multiply_adds", "metrics", "best_epoch", "best_loss"),
        *("rate_factor", "retries"),
    ):
        assert getattr(found, name) == getattr(state, name), name
    for one, other in zip(found.random, state.random, strict=True):
        assert one.bit_generator.state == other.bit_generator.state
        assert one.integers(0, 2**20, dtype=np.uint32) == other.integers(0, 2**20, dtype=np.uint32)
        assert one.standard_normal() == other.standard_normal()


def test_what_a_state_does_not_have_is_left_out(path, state, toy):
    state.order = state.best_parameters = None
    state.best_loss = math.inf
    save(path, state, {})
    assert set(members(path)) == {
        *("facts", "digest", "parameters"),
        *(f"optimizer/{name}" for name in state.optimizer),
    }
    found, record = load(path)
    assert (found.order, found.best_parameters, found.best_loss, record) == (None, None, math.inf, {})
    require_fits(path, toy, found)


def test_every_member_vouches_for_its_bytes_shape_and_dtype(path):
    whole = path.read_bytes()
    for name, array in members(path).items():
        if name in ("facts", "digest"):
            continue
        other = np.uint8 if array.dtype == np.int64 else np.int32
        for changed in (array.reshape(1, -1), array.view(other), np.roll(array, 1) + array.dtype.type(1)):
            path.write_bytes(whole)
            assert refusal(rewritten(path, {name: changed})).endswith(f"{name} is not what was written")


@pytest.mark.parametrize("name", ["facts", "digest", "parameters", "order", "best_parameters"])
def test_a_missing_member_is_named(path, name):
    assert f"{name!r}" in refusal(rewritten(path, without=[name]))


def test_a_member_that_was_not_written_is_named(path):
    assert "zebra was not written" in refusal(rewritten(path, {"zebra": np.zeros(3)}))


def test_facts_that_do_not_match_their_digest_are_refused(path):
    whole, written = path.read_bytes(), members(path)["facts"]
    ones = np.flatnonzero(written == ord("1"))[:8]
    changed = [np.where(np.arange(len(written)) == at, ord("2"), written).astype(np.uint8) for at in ones]
    for facts in (*changed, written.astype(np.float64), written.view(np.int8)):
        path.write_bytes(whole)
        assert "facts are not what was written" in refusal(rewritten(path, {"facts": facts}))


def test_metrics_that_are_not_finite_are_none(path, state):
    state.metrics = {"train_loss": 0.5, "train_rmse": math.inf, "train_r2": math.nan}
    save(path, state, {})
    assert load(path).state.metrics == {"train_loss": 0.5, "train_rmse": None, "train_r2": None}


def test_numbers_that_json_has_not_are_not_written(path, state):
    whole = path.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        save(path, state, {"nothing": math.nan})
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("facts", "place"),
    [
        ({"step": -1}, "step"),
        ({"step": "1"}, "step"),
        ({"epoch": -1}, "epoch"),
        ({"seconds": -0.5}, "seconds"),
        ({"multiply_adds": -1}, "multiply_adds"),
        ({"metrics": {"train_loss": "low"}}, "metrics.train_loss"),
        ({"best_epoch": -1}, "best_epoch"),
        ({"best_loss": "low"}, "best_loss"),
        ({"rate_factor": 0.0}, "rate_factor"),
        ({"rate_factor": 1.5}, "rate_factor"),
        ({"retries": -1}, "retries"),
        ({"record": []}, "record"),
        ({"digests": {"parameters": 3}}, "digests.parameters"),
        ({"seconds": math.inf}, "seconds"),
        ({"zebra": 1}, "zebra"),
        ({"generators": {"order": {}}}, "generators.order.bit_generator"),
    ],
    ids=str,
)
def test_facts_that_no_checkpoint_has_are_named(path, facts, place):
    assert refusal(rewritten(path, facts=facts)).endswith(
        f"is damaged: {place} of facts is not what a checkpoint has"
    )


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("bit_generator",), "MT19937"),
        (("bit_generator",), "PCG64DXSM"),
        (("state", "state"), 2**128),
        (("state", "state"), -1),
        (("state", "inc"), 2**128),
        (("has_uint32",), 2),
        (("has_uint32",), -1),
        (("uinteger",), 2**32),
        (("uinteger",), -1),
        (("has_uint32",), "1"),
        (("state", "state"), "5"),
        (("zebra",), 1),
        (("state", "zebra"), 1),
    ],
    ids=str,
)
def test_a_generator_that_numpy_has_not_is_refused(path, keys, value):
    generators = json.loads(members(path)["facts"].tobytes())["generators"]
    inner = generators["noise"]
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    assert f"generators.noise.{'.'.join(keys)} of facts" in refusal(
        rewritten(path, facts={"generators": generators})
    )


@pytest.mark.parametrize(
    ("keys", "value"),
    [(("state", "state"), 2**128 - 1), (("state", "inc"), 2**128 - 1), (("uinteger",), 2**32 - 1)],
    ids=str,
)
def test_the_largest_numbers_of_a_generator_are_read(path, keys, value):
    generators = json.loads(members(path)["facts"].tobytes())["generators"]
    inner = generators["noise"]
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    found = load(rewritten(path, facts={"generators": generators})).state.random.noise.bit_generator.state
    for key in keys:
        found = found[key]
    assert found == value


def test_generators_of_another_training_are_refused(path):
    whole, generators = path.read_bytes(), json.loads(members(path)["facts"].tobytes())["generators"]
    one = generators["noise"]
    fewer = {name: each for name, each in generators.items() if name != "noise"}
    for others in (fewer, generators | {"zebra": one}):
        path.write_bytes(whole)
        assert "generators of facts are not those" in refusal(rewritten(path, facts={"generators": others}))


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\ufffd", "NaN"])
def test_facts_that_are_no_json_are_refused(path, text):
    assert "of facts is not what a checkpoint has" in refusal(rewritten(path, text=text))


def test_facts_that_are_no_mapping_are_refused(path):
    assert "of facts is not what a checkpoint has" in refusal(rewritten(path, text="[]"))


@pytest.mark.parametrize("number", [FORMAT - 1, FORMAT + 1, None])
def test_another_format_says_what_to_do(path, number):
    with pytest.raises(RunError) as caught:
        load(rewritten(path, facts={"format": number}))
    assert not isinstance(caught.value, CheckpointError)  # it is whole
    said = str(caught.value)
    assert said.startswith(f"{path} has format {number}, and this jactrain reads {FORMAT}; ")
    assert said.endswith("resume it with the version that wrote it")


def test_a_checkpoint_without_parameters_is_refused(path):
    digests = json.loads(members(path)["facts"].tobytes())["digests"]
    del digests["parameters"]
    changed = rewritten(path, facts={"digests": digests}, without=["parameters"])
    assert refusal(changed).endswith("there are no parameters")


def test_a_training_goes_on_from_a_state_of_its_own_only(path, toy, state):
    require_fits(path, toy, state)
    size = toy.network.size
    cases = [
        ("parameters", state.parameters[:-1], f"parameters is float64 of shape ({size - 1},)"),
        ("parameters", np.append(state.parameters, 0), f"parameters is float64 of shape ({size + 1},)"),
        ("best_parameters", state.best_parameters.astype(np.float32), "best_parameters is float32"),
        ("order", state.order[:-1], "order is int64 of shape"),
        ("order", state.order.astype(np.float64), "order is float64 of shape"),
    ]
    for name, value, said in cases:
        kept = getattr(state, name)
        setattr(state, name, value)
        with pytest.raises(CheckpointError, match=r"give the settings that it was written with") as caught:
            require_fits(path, toy, state)
        assert str(caught.value).startswith(f"{path}: {said}")
        setattr(state, name, kept)
    twice = state.order.copy()
    twice[0] = twice[1]
    state.order = twice
    with pytest.raises(CheckpointError, match=f"order does not have each of the {len(twice)} examples once"):
        require_fits(path, toy, state)


def test_the_state_of_another_optimizer_is_refused(path, toy, experiment, state):
    other = experiment(optimizer={"sgd": {"learning_rate": 0.1}})
    for training, one in ((other, state), (toy, TrainingState.start(other))):
        with pytest.raises(CheckpointError, match=r"but this training goes on from") as caught:
            require_fits(path, training, one)
        assert str(caught.value).startswith(str(path))


def test_what_is_compressed_to_take_more_than_a_checkpoint_can_is_not_read(tmp_path):
    path = tmp_path / "step-1.npz"
    np.savez_compressed(path, facts=np.zeros(2**25, np.uint8), digest=np.zeros(32, np.uint8))
    assert path.stat().st_size < 2**17
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match="is damaged"):
            load(path)
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()
