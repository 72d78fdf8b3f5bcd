"""What modes say of themselves, what they refuse, and what they draw."""

import math
import time
import tracemalloc

import numpy as np
import pytest
from cases import NetworkCase

from jactrain.errors import OptionError, PlanError, UnsupportedError
from jactrain.layers import layers
from jactrain.losses import losses
from jactrain.modes import modes
from jactrain.modes.directions import draw, relative_variance
from jactrain.modes.foreseen import Noting, Playing, Request, drawn_from
from jactrain.modes.gradients import Gradients, arrays_of, leaves_of, noise_paths, noise_tree
from jactrain.network import Network
from jactrain.objective import Batch, Objective

CASE = NetworkCase(
    "small", [{"linear": {"units": 4}}, "tanh", {"linear": {"units": 2}}], (3,), "mean_squared_error", 5
)
OBJECTIVE, BATCH, PARAMETERS = CASE.objective(), CASE.batch(np.float64), CASE.parameters(np.float64)
SIZE = 3 * 4 + 4 + 4 * 2 + 2


def gradient(mode, rng=None, objective=OBJECTIVE, dtype=np.float64):
    mode = modes.resolve(mode)
    plan = mode.prepare(objective, 5, dtype)
    rng = rng or np.random.default_rng(0)
    return mode.value_and_gradient(objective, PARAMETERS.astype(dtype), BATCH.astype(dtype), plan, rng)


# ------------------------------------------------------------------------------------------------ labels


@pytest.mark.parametrize(
    ("mode", "label"),
    [
        ("reverse", "reverse"),
        ({"reverse": {"memory": "1MiB"}}, "reverse(memory=1MiB)"),
        ({"spsa": {"step": 0.5, "directions": 2}}, "spsa(directions=2, step=0.5)"),
        ({"spsa": {"directions": 1}}, "spsa"),
    ],
    ids=str,
)
def test_a_label_has_the_options_that_differ_from_their_defaults(mode, label):
    assert modes.resolve(mode).label == label


def test_only_modes_that_take_values_have_a_step():
    for dtype in (np.float32, np.float64):
        step = modes.resolve("spsa").step_in(np.dtype(dtype))
        assert step == pytest.approx(float(np.finfo(dtype).eps) ** (1 / 3), rel=1e-12)
    spsa = modes.resolve({"spsa": {"step": 0.25, "directions": 3}})
    assert spsa.step_in(np.dtype(np.float32)) == 0.25
    assert (spsa.with_step(0.5).step, spsa.with_step(0.5).directions, spsa.step) == (0.5, 3, 0.25)
    forward = modes.resolve("random_forward")
    assert forward.step_in(np.dtype(np.float64)) is None
    assert forward.with_step(0.5) is forward


def test_a_step_that_moves_no_parameter_is_refused():
    mode = modes.resolve({"spsa": {"step": 1e-8}})
    assert mode.prepare(OBJECTIVE, 5, np.float64).examples == 5
    with pytest.raises(OptionError, match="a step of 1e-08 moves no parameter of size 1 in float32") as error:
        mode.prepare(OBJECTIVE, 5, np.float32)
    assert error.value.option == "step"


def test_a_step_beyond_the_dtype_is_refused():
    mode = modes.resolve({"spsa": {"step": 1e90}})
    assert mode.prepare(OBJECTIVE, 5, np.float64).examples == 5
    with pytest.raises(OptionError, match=r"a step of 1e\+90 for 5 examples is beyond float32") as error:
        mode.prepare(OBJECTIVE, 5, np.float32)
    assert error.value.option == "step"
    mode = modes.resolve({"spsa": {"step": 1e37}})  # whose differences are divided by 2 · 1e37 · 5
    assert mode.prepare(OBJECTIVE, 5, np.float32).examples == 5
    with pytest.raises(OptionError, match=r"a step of 1e\+37 for 20 examples is beyond float32"):
        mode.prepare(OBJECTIVE, 20, np.float32)


def test_more_orthogonal_directions_than_parameters_are_refused():
    options = {"distribution": "orthogonal"}
    assert gradient({"random_forward": {"directions": SIZE, **options}}).gradient.shape == (SIZE,)
    with pytest.raises(OptionError, match=f"{SIZE + 1} orthogonal directions are more than the {SIZE} param"):
        gradient({"random_forward": {"directions": SIZE + 1, **options}})


@pytest.mark.parametrize(
    ("distribution", "variance"), [("gaussian", 27 / 3), ("rademacher", 25 / 3), ("orthogonal", 26 / 3 - 1)]
)
def test_the_error_of_an_estimate_is_expected_to_be_the_root_of_its_relative_variance(distribution, variance):
    assert relative_variance(distribution, SIZE, 3) == variance
    mode = modes.resolve({"random_forward": {"directions": 3, "distribution": distribution}})
    assert mode.expected_error(OBJECTIVE) == pytest.approx(math.sqrt(variance))
    result = gradient(mode)
    # ‖g‖² is on average (1 + variance) ‖∇‖², and the error is variance ‖∇‖².
    length = np.linalg.norm(result.gradient)
    assert result.error_estimate == pytest.approx(length * math.sqrt(variance / (1 + variance)))


def test_directions_have_mean_0_and_variance_1():
    rng = np.random.default_rng(0)
    for distribution in ("gaussian", "rademacher"):
        drawn = draw(rng, distribution, (100, 400), np.float32)
        assert drawn.dtype == np.float32
        assert abs(drawn.mean()) < 5 / 200
        assert drawn.var() == pytest.approx(1, abs=5 * math.sqrt(2) / 200)
    assert set(np.unique(drawn)) == {-1, 1}
    rows = draw(rng, "orthogonal", (5, 40), np.float64)
    np.testing.assert_allclose(rows @ rows.T, 40 * np.eye(5), atol=1e-13 * 40)


def test_directions_are_the_same_however_they_are_divided():
    for distribution in ("gaussian", "rademacher"):
        whole = draw(np.random.default_rng(0), distribution, (6, 10), np.float64)
        rng = np.random.default_rng(0)
        parts = [draw(rng, distribution, (count, 10), np.float64) for count in (1, 3, 2)]
        assert np.array_equal(np.concatenate(parts), whole)


# -------------------------------------------------------------------------------- differences of values


@pytest.mark.parametrize(
    ("scheme", "power", "order"), [("forward", 1 / 2, 1), ("central", 1 / 3, 2), ("five_point", 1 / 5, 4)]
)
def test_steps_balance_truncation_and_rounding_and_are_realised(scheme, power, order):
    mode = modes.resolve({"finite_difference": {"scheme": scheme}})
    for dtype in (np.float32, np.float64):
        parameters = np.array([0.0, -0.3, 5.0, -700.0], dtype)
        steps = mode.steps(np, parameters)
        size = np.maximum(1, abs(parameters.astype(np.float64)))
        np.testing.assert_allclose(steps, np.finfo(dtype).eps ** power * size, rtol=0.02)
        assert np.array_equal(parameters + steps - parameters, steps)
    # Weights times offsets: the slope is kept, and powers up to the order vanish.
    unit, offsets = np.ones(1), mode.offsets
    for degree in range(order + 1):
        losses = np.stack([np.full((1, 3), float(offset) ** degree) for offset in offsets])
        unmoved = np.full(3, 1.0 if degree == 0 else 0.0)
        expected = 1.0 if degree == 1 else 0.0
        assert mode.derivatives(np, losses, unmoved, unit) == pytest.approx(expected, abs=1e-14)
    beyond = np.stack([np.full((1, 3), float(offset) ** (order + 1)) for offset in offsets])
    assert abs(mode.derivatives(np, beyond, np.zeros(3), unit)[0]) > 0.5


def test_the_error_of_differences_is_estimated_as_twice_their_rounding():
    mode = modes.resolve("finite_difference")
    assert mode.error_estimate(-3.0, np.array([0.1, 0.2]), 1e-8) == pytest.approx(
        2 * 3e-8 * math.sqrt(100 + 25)
    )
    result = gradient("finite_difference")
    steps = mode.steps(np, PARAMETERS)
    expected = mode.error_estimate(result.value, steps, np.finfo(np.float64).eps)
    assert result.error_estimate == pytest.approx(expected)
    single = gradient({"finite_difference": {"dtype": "float32"}})
    assert single.gradient.dtype == np.float32
    assert single.error_estimate > 1e3 * result.error_estimate


def test_a_complex_step_is_far_above_the_smallest_number_and_its_square_is_nothing():
    mode = modes.resolve("complex_step")
    for dtype, step in ((np.float64, 4e-39), (np.float32, 3e-10)):  # as the documentation says
        (found,) = mode.steps(np, np.ones(1, dtype))
        assert found == pytest.approx(step, rel=0.15)
        assert mode.steps(np, np.array([0, 700], dtype)).tolist() == [found, found]


# ---------------------------------------------------------------------------------------------- refusals


class Real(type(layers.resolve("tanh"))):
    """Has no analytic extension."""

    analytic = False


class RealLoss(type(losses.resolve("mean_squared_error"))):
    """Has no analytic extension."""

    analytic = False


def test_a_complex_step_refuses_what_has_no_analytic_extension():
    chain = [layers.resolve({"linear": {"units": 4}}), Real(name="mine")]
    objective = Objective(Network(chain, (3,)), losses.resolve("mean_squared_error"))
    with pytest.raises(UnsupportedError, match=r"complex numbers, but mine \(Real\) says that it has no"):
        modes.resolve("complex_step").prepare(objective, 5, np.float64)
    objective = Objective(Network(chain[:1], (3,)), RealLoss())
    with pytest.raises(UnsupportedError, match="a loss of complex numbers, but mean_squared_error says"):
        modes.resolve("complex_step").prepare(objective, 5, np.float64)


def test_a_plan_for_other_arrays_says_all_that_differs():
    mode = modes.resolve("reverse")
    plan = mode.prepare(OBJECTIVE, 4, np.float32)
    with pytest.raises(PlanError) as error:
        modes.resolve("mixed").value_and_gradient(CASE.objective(), PARAMETERS, BATCH, plan, None)
    assert str(error.value) == (
        "this plan was prepared for mode reverse, not mixed; examples 4, not 5; dtype float32, not float64; "
        "another objective; call `prepare` again"
    )


# -------------------------------------------------------------------------------------------- auto, told


def test_auto_takes_reverse_among_equals_and_tells_the_others_by_what_they_cost():
    plan = modes.resolve("auto").prepare(OBJECTIVE, 5, np.float64)
    assert plan.computed_by.mode == modes.resolve("reverse")
    plans = {
        mode.label: mode.prepare(OBJECTIVE, 5, np.float64).multiply_adds
        for mode in map(
            modes.resolve,
            ["mixed", "forward", "complex_step"]
            + [{"reverse": {"checkpoints": kept}} for kept in ("sqrt", "revolve")],
        )
    }
    expected = sorted(f"{label} {cost / plan.multiply_adds:.3g} times" for label, cost in plans.items())
    told = plan.note.split("of that, ")[1].split(" times, ")
    assert sorted(f"{each.removesuffix(' times')} times" for each in told) == expected
    costs = [float(each.removesuffix(" times").rsplit(" ", 1)[1]) for each in told]
    assert costs == sorted(costs)
    assert plan.note.startswith(f"auto chose reverse: {plan.multiply_adds:,} multiply-adds and about ")


def test_auto_hands_its_bound_on_and_says_what_the_least_demanding_mode_needs():
    with pytest.raises(OptionError) as error:
        modes.resolve({"auto": {"memory": 64}}).prepare(OBJECTIVE, 5, np.float64)
    needed = []
    for mode in ("reverse", "forward", "mixed", "complex_step"):
        with pytest.raises(OptionError) as own:
            modes.resolve({mode: {"memory": 64}}).prepare(OBJECTIVE, 5, np.float64)
        needed.append(own.value.needed)
    assert error.value.needed <= min(needed)


# ---------------------------------------------------------------------------------------------- feedback


def test_direct_feedback_is_drawn_with_the_variance_that_keeps_lengths():
    case = NetworkCase(
        "wide", [{"linear": {"units": 300}}, "tanh", {"linear": {"units": 100}}], (3,), "huber", 5
    )
    plan = modes.resolve("direct_feedback_alignment").prepare(case.objective(), 5, np.float32)
    ((position, matrix),) = plan.decision.details().items()
    assert (position, matrix.shape, matrix.dtype) == (2, (100, 300), np.float32)
    assert matrix.var() == pytest.approx(1 / 100, rel=0.05)


def test_feedback_alignment_fixes_parameters_for_every_layer_but_the_first_as_they_are_initialised():
    case = NetworkCase("deep", ["tanh", *[{"linear": {"units": 3}}, "relu"] * 3], (3,), "huber", 5)
    plan = modes.resolve({"feedback_alignment": {"seed": 4}}).prepare(case.objective(), 5, np.float64)
    assert sorted(plan.decision.details()) == [3, 5]
    rng = np.random.default_rng(4)
    for position in (3, 5):
        link = case.objective().links[position]
        expected = link.layer.initial_parameters(rng, link.input_shape)["weight"]
        assert np.array_equal(plan.decision.details()[position]["weight"], expected[None])


# --------------------------------------------------------------------- draws that are foreseen, and noise


def test_what_a_mode_asks_for_is_noted_and_given_back_as_it_was_drawn():
    noting = Noting(np.zeros)
    first = drawn_from(noting, Request(lambda rng: rng.standard_normal((2, 3)), (2, 3), np.dtype(np.float64)))
    second = noting.integers(0, 5, size=4)
    third = noting.random(2, dtype=np.float32)
    assert [first.shape, second.shape, third.shape] == [(2, 3), (4,), (2,)]
    assert (second.dtype, third.dtype) == (np.int64, np.float32)
    assert len(noting.requests) == 3
    answers = [request.call(np.random.default_rng(7)) for request in noting.requests]
    playing = Playing(answers)
    assert drawn_from(playing, Request(lambda rng: 1 / 0, (), np.dtype(np.float64))) is answers[0]
    assert playing.integers(0, 5, size=4) is answers[1]
    assert playing.random(2, dtype=np.float32) is answers[2]
    rng, same = np.random.default_rng(3), np.random.default_rng(3)
    assert drawn_from(rng, Request(lambda own: own.random(), (), np.dtype(np.float64))) == same.random()


@pytest.mark.parametrize("kind", [lambda: Noting(np.zeros), lambda: Playing([])])
@pytest.mark.parametrize("name", ["shuffle", "spawn", "_bit_generator", "gaussian"])
def test_what_draws_no_arrays_cannot_be_asked_for(kind, name):
    with pytest.raises(AttributeError, match=f"a generator's {name} is asked for; draw arrays"):
        getattr(kind(), name)


def test_the_arrays_of_a_step_are_those_of_its_noise_that_there_are():
    noise = {"dropout_1": np.ones(2), "residual_1": {"tanh_1": None, "dropout_1": np.zeros(3)}}
    paths = noise_paths(noise)
    assert paths == (("dropout_1",), ("residual_1", "dropout_1"))
    assert [leaf.tolist() for leaf in leaves_of(noise)] == [[1, 1], [0, 0, 0]]
    assert noise_paths(None) == ()
    assert leaves_of(None) == []
    again = noise_tree(paths, leaves_of(noise))
    assert again["residual_1"]["dropout_1"] is noise["residual_1"]["dropout_1"]
    assert noise_tree((), []) is None
    batch = Batch(np.ones((2, 1)), np.zeros((2, 1)), noise)
    assert [array.shape for array in arrays_of(batch)] == [(2, 1), (2, 1), (2,), (3,)]


def test_a_gradient_is_recorded_at_its_second_use_and_played_from_the_third_on():
    ran = []

    class Noticing(type(layers.resolve("tanh"))):
        """Tells when its rules run."""

        def value(self, xp, x):
            ran.append("forward")
            return super().value(xp, x)

    chain = [layers.resolve({"linear": {"units": 4}}), Noticing(), layers.resolve({"linear": {"units": 2}})]
    objective = Objective(Network(chain, (3,)), losses.resolve("mean_squared_error"))
    gradients, counts, found = Gradients(modes.resolve("reverse"), objective), [], []
    for scale in (1.0, 2.0, 3.0, 3.0):
        ran.clear()
        found.append(gradients(scale * PARAMETERS, BATCH, np.random.default_rng(0)))
        counts.append(len(ran))
    assert counts[0] == 1
    assert counts[1] > 1
    assert counts[2:] == [0, 0]
    assert np.array_equal(found[2].gradient, found[3].gradient)
    assert {each.work.multiply_adds for each in found} == {found[0].work.multiply_adds}
    assert len({id(each.work) for each in found[1:]}) == 3


@pytest.mark.parametrize("seeds", ["outputs", "parameters"])
def test_forward_mode_compiled_pushes_the_same_tangents_in_pieces(seeds, jax64, quick_jit):
    objective = CASE.objective(jax64.numpy)
    mode = modes.resolve({"forward": {"seeds": seeds, "memory": "8KiB"}})
    plan = mode.prepare(objective, 5, np.float64)

    @quick_jit
    def compiled(parameters, x, targets):
        return mode.value_and_gradient(objective, parameters, Batch(x, targets), plan, None)[:2]

    value, got = compiled(PARAMETERS, BATCH.x, BATCH.targets)
    expected = gradient({"forward": {"seeds": seeds}})
    np.testing.assert_allclose(np.asarray(got), expected.gradient, rtol=1e-12)
    assert float(value) == pytest.approx(expected.value, rel=1e-14)


def test_seeds_of_forward_mode_fill_the_cache_and_no_more():
    cache, linear = 3 * 2**19, {"linear": {"units": 10}}
    case = NetworkCase("filled", [linear, linear, linear], (10,), "mean_squared_error", 2400)
    plan = modes.resolve("forward").prepare(case.objective(), 2400, np.float64)
    width = cache // (20 * 2400 * 8)  # both ends of a link, of which a tangent is pushed through each
    chunks = plan.decision.details.chunks()
    assert [sum(seeds.width for seeds in chunk) for chunk in chunks] == [width] * 7 + [30 - 7 * width]
    # The room behind the few parameters of the first layer would hold more rows of theirs than of the next's.
    case = NetworkCase("rows", ["scale", {"linear": {"units": 300}}], (4,), "mean_squared_error", 1)
    plan = modes.resolve({"forward": {"seeds": "parameters"}}).prepare(case.objective(), 1, np.float64)
    assert plan.peak_bytes <= cache + 8 * (2 * 1504 + 4)


def test_millions_of_chunks_are_planned_at_once():
    case = NetworkCase("wide", [{"linear": {"units": 10**6}}] * 2, (64,), "mean_squared_error", 10**4)
    began = time.process_time()
    plan = modes.resolve({"forward": {"seeds": "parameters"}}).prepare(case.objective(), 10**4, np.float32)
    assert time.process_time() - began < 0.5
    assert sum(len(own.starts) for own in plan.decision.details.by_link) == 10**12 + 66 * 10**6


@pytest.mark.parametrize("kind", ["spsa", "random_forward"])
def test_millions_of_stacks_of_directions_are_planned_at_once(kind):
    began = time.process_time()
    many, few = (
        modes.resolve({kind: {"directions": count}}).prepare(OBJECTIVE, 5, np.float64)
        for count in (10**12, 10**6)
    )
    assert time.process_time() - began < 0.5
    assert many.multiply_adds == pytest.approx(10**6 * few.multiply_adds, rel=1e-4)
    assert many.peak_bytes == few.peak_bytes


@pytest.mark.parametrize("kind", modes.names())
def test_planning_takes_no_memory(kind):
    case = NetworkCase("wide", [{"linear": {"units": 10**5}}] * 2, (64,), "mean_squared_error", 64)
    objective = case.objective()
    tracemalloc.start()
    modes.resolve(kind).prepare(objective, 64, np.float32)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken < 1_000_000


@pytest.mark.parametrize("kind", modes.names())
def test_every_mode_tells_the_mean_loss(kind):
    outputs = OBJECTIVE.network.outputs(PARAMETERS, BATCH.x)
    assert gradient(kind).value == pytest.approx(((outputs - BATCH.targets) ** 2).mean(), rel=1e-12)


@pytest.mark.parametrize(
    "options",
    [{"checkpoints": "sqrt"}, {"checkpoints": "revolve"}, {"checkpoints": "revolve", "memory": 3100}],
)
def test_checkpoints_of_a_deep_chain_behind_layers_without_parameters_change_no_digit(options):
    chain = [
        "tanh",
        "softplus",
        "sigmoid",
        *[{"linear": {"units": 3}}, "tanh"] * 11,
        {"linear": {"units": 2}},
    ]
    objective = Objective(Network([layers.resolve(each) for each in chain], (3,)), OBJECTIVE.loss)
    rng = np.random.default_rng(0)
    parameters = objective.network.initial_parameters(rng)
    batch = Batch(rng.standard_normal((4, 3)), rng.standard_normal((4, 2)))

    def by(mode):
        plan = mode.prepare(objective, 4, np.float64)
        return mode.value_and_gradient(objective, parameters, batch, plan, rng).gradient

    assert np.array_equal(by(modes.resolve({"reverse": options})), by(modes.resolve("reverse")))
