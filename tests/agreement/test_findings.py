"""How findings are judged, told and sorted, and on how much they are made."""

import math
from dataclasses import replace

import numpy as np
import pytest

from jactrain.agreement.check import Check
from jactrain.agreement.compare import Comparison, Verdict, compare, listed
from jactrain.agreement.estimates import judge
from jactrain.agreement.finding import Finding, Sensitivity, broken, judged, rank, worst_of
from jactrain.agreement.kinks import crossings, within_a_step
from jactrain.agreement.monitor import AgreementMonitor
from jactrain.agreement.pairs import Pair, compare_pairs
from jactrain.agreement.planting import planted, scaled
from jactrain.agreement.reference import distinct, reason_of, reference_of, require_form
from jactrain.agreement.sides import Sides
from jactrain.agreement.specimen import (
    Examined,
    Specimen,
    fewer,
    layer_specimen,
    loss_specimen,
    probe,
    probe_values,
)
from jactrain.agreement.tolerance import Uncertainty
from jactrain.errors import ShapeError, UsageError
from jactrain.layers import layers
from jactrain.layers.base import Placed
from jactrain.layers.forms import Moved, SingleEntry
from jactrain.linearization import Work
from jactrain.losses import losses
from jactrain.modes import modes
from jactrain.modes.base import GradientResult
from jactrain.modes.random_forward import RandomForward
from jactrain.network import Layout, Network
from jactrain.objective import Batch, Objective


def linear(units, **options):
    return {"linear": {"units": units, **options}}


def objective_of(*chain, inputs=3, loss="mean_squared_error"):
    return Objective(Network([layers.resolve(each) for each in chain], (inputs,)), losses.resolve(loss))


def point(objective, examples=6):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((examples, *objective.network.input_shape))
    targets = rng.standard_normal((examples, *objective.network.output_shape))
    return objective.network.initial_parameters(rng), Batch(x, targets)


SMOOTH = objective_of(linear(4), "tanh", linear(2))


# --------------------------------------------------------------------------------------------- verdicts


def test_a_difference_may_be_as_large_as_is_allowed_which_must_be_less_than_what_is_compared():
    assert Verdict.of(1.0, 1.0, 2.0) is Verdict.AGREE
    assert Verdict.of(1.1, 1.0, 2.0) is Verdict.DISAGREE
    assert Verdict.of(0.0, 2.0, 2.0) is Verdict.UNDECIDED
    assert Verdict.of(3.0, 2.0, 2.0) is Verdict.DISAGREE
    assert Verdict.of(math.nan, 1.0, 2.0) is Verdict.DISAGREE


def sides(got, expected, allowed=0.1, **more):
    return Sides("vjp", "adjoint", np.array(got), np.array(expected), allowed, "because", **more)


def test_both_sides_of_a_law_become_a_finding():
    found = judged("mine", sides([3.0, 4.0, 1.0], [3.0, 3.0, 1.5], part="weight", advice="mend it"))
    length = math.sqrt(9 + 9 + 2.25)
    assert found.verdict is Verdict.DISAGREE
    assert (found.layer, found.product, found.law, found.part) == ("mine", "vjp", "adjoint", "weight")
    assert found.error == pytest.approx(math.sqrt(1.25) / length)
    assert found.allowed == pytest.approx(0.1 / length)
    assert found.excess == pytest.approx(math.sqrt(1.25) / 0.1)
    assert (found.value, found.reference) == (4.0, 3.0)  # where they differ most
    assert (found.reason, found.advice) == ("because", "mend it")
    assert judged("mine", sides([3.05], [3.0], advice="mend it")).advice == ""


def test_entries_set_apart_are_not_judged():
    found = judged("mine", sides([3.0, 9.0], [3.0, 4.0], apart=np.array([False, True])))
    assert found.verdict is Verdict.AGREE
    assert (found.error, found.allowed) == (0.0, pytest.approx(0.1 / 3))


def test_what_cannot_be_judged_is_undecided_and_says_why():
    zero = judged("mine", sides([0.0], [0.0]))
    assert (zero.verdict, zero.reason, zero.error) == (Verdict.UNDECIDED, "it is zero here", 0.0)
    vague = judged("mine", sides([3.0], [3.0], allowed=3.0))
    assert vague.verdict is Verdict.UNDECIDED
    assert vague.reason == "because, is no smaller than what is compared"
    infinite = judged("mine", sides([1.0, 2.0], [np.inf, 2.0]))
    assert infinite.verdict is Verdict.UNDECIDED
    assert (infinite.value, infinite.reference) == (1.0, None)
    lost = judged("mine", sides([1.0, np.nan], [1.0, 2.0]))
    assert lost.verdict is Verdict.DISAGREE
    assert (lost.value, lost.reference, lost.error) == (None, 2.0, None)
    shape = judged("mine", sides([1.0, 2.0], [1.0]))
    assert (shape.verdict, shape.reason) == (Verdict.DISAGREE, "gives (2,), not (1,)")


def finding(verdict, error=None, allowed=None, **more):
    return Finding("mine", "vjp", "adjoint", error, allowed, "because", verdict, **more)


def test_the_worst_come_first_and_places_that_decide_nothing_say_nothing():
    wrong, worse = finding(Verdict.DISAGREE, 0.2, 0.1), finding(Verdict.DISAGREE, 0.4, 0.1)
    fine, vague = finding(Verdict.AGREE, 0.01, 0.1), finding(Verdict.UNDECIDED, 0.3, 0.1)
    assert sorted([fine, vague, wrong, worse], key=rank) == [worse, wrong, vague, fine]
    assert worst_of([fine, vague]) == fine
    assert worst_of([vague]) == vague
    assert worst_of([fine, wrong, worse, vague]) == worse
    assert [each.excess for each in (finding(Verdict.AGREE, 0.0, 0.0), finding(Verdict.DISAGREE))] == [0, 0]
    assert finding(Verdict.DISAGREE, 0.1, 0.0).excess == math.inf
    assert finding(Verdict.DISAGREE, 0.1, None).excess == math.inf


def test_a_rule_that_raises_is_told_with_its_type_unless_it_is_a_wrong_shape():
    assert broken("mine", "vjp", ZeroDivisionError("by zero")).reason == "raised ZeroDivisionError: by zero"
    assert broken("mine", "vjp", ShapeError("gives (2,), not (1,)")).reason == "gives (2,), not (1,)"
    assert broken("mine", "vjp", ZeroDivisionError()).verdict is Verdict.DISAGREE


def test_a_check_disagrees_if_anything_does_and_agrees_if_anything_was_decided():
    def verdict(*found):
        return Check([finding(each) for each in found], [], []).verdict

    assert verdict(Verdict.AGREE, Verdict.FAILED, Verdict.DISAGREE) is Verdict.DISAGREE
    assert verdict(Verdict.AGREE, Verdict.FAILED, Verdict.UNDECIDED) is Verdict.FAILED
    assert verdict(Verdict.UNDECIDED, Verdict.AGREE) is Verdict.AGREE
    assert verdict(Verdict.UNDECIDED) is verdict() is Verdict.UNDECIDED
    pair = Pair("forward", "reverse", Verdict.FAILED, "raised")
    whole = Check([finding(Verdict.AGREE)], [pair], [Sensitivity("mine", "vjp", 0.5)])
    assert whole.verdict is Verdict.FAILED
    written = whole.as_json()
    assert written["verdict"] == "failed"
    assert [each["verdict"] for each in written["layers"]] == ["agree"]
    assert written["modes"] == [
        {"mode": "forward", "reference": "reverse", "verdict": "failed", "reason": "raised"}
    ]
    assert written["sensitivity"] == [{"layer": "mine", "product": "vjp", "smallest_caught": 0.5}]


# --------------------------------------------------------------------------------- gradients, compared

LAYOUT = Layout({"linear_1": {"weight": (2, 2), "bias": (2,)}})
REFERENCE = np.array([1.0, 2.0, -2.0, 4.0, 1.0, -3.0])


def uncertain(entries, crossings=0):
    return Uncertainty(np.full(6, entries), "rounding", np.full(6, 0) + crossings)


def test_a_parameter_that_disagrees_makes_the_whole_disagree_and_is_named():
    g = REFERENCE.copy()
    g[4] += 0.05
    found = compare(g, REFERENCE, LAYOUT, uncertain(0.03))  # ‖0.03‖ is 0.073 over all, 0.042 over the bias
    assert found.blocks["linear_1/bias"].verdict is Verdict.DISAGREE
    assert found.blocks["linear_1/weight"].verdict is Verdict.AGREE
    assert found.verdict is Verdict.DISAGREE
    assert found.reason == "linear_1/bias is off by more than rounding"
    assert found.whole.allowed == pytest.approx(0.03 * math.sqrt(6) / np.linalg.norm(REFERENCE))
    assert found.blocks["linear_1/bias"].allowed == pytest.approx(0.03 * math.sqrt(2) / math.sqrt(10))
    g[4] -= 0.01
    assert compare(g, REFERENCE, LAYOUT, uncertain(0.03)).reason == "rounding"


def test_names_are_listed_with_their_verb():
    assert listed(["a"]) == "a is"
    assert listed(["a", "b"]) == "a, b are"
    assert listed(["a", "b", "c"]) == "a, b, c are"
    assert listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more are"


def test_entries_that_cross_a_kink_are_counted_and_left_out():
    g = REFERENCE.copy()
    g[[1, 5]] += 1
    crossed = np.array([0, 1, 0, 0, 0, 3])
    found = compare(g, REFERENCE, LAYOUT, uncertain(0.01, crossed))
    assert found.verdict is Verdict.AGREE
    assert (found.whole.kinked, found.whole.relative_error) == (2, 0)
    assert [block.kinked for block in found.blocks.values()] == [1, 1]
    assert found.whole.allowed == pytest.approx(0.01 * math.sqrt(4 / 22))


@pytest.mark.parametrize(
    ("g", "r", "verdict"),
    [(np.nan, 1.0, "disagree"), (1.0, np.inf, "disagree"), (np.nan, np.nan, "undecided")],
)
def test_what_is_not_finite_is_undecided_where_neither_is(g, r, verdict):
    one, other = REFERENCE.copy(), REFERENCE.copy()
    one[2], other[2] = g, r
    found = compare(one, other, LAYOUT, uncertain(0.01))
    assert found.whole.verdict == found.blocks["linear_1/weight"].verdict == verdict
    assert found.reason == "1 of 6 entries are not finite"
    assert found.blocks["linear_1/bias"].verdict is Verdict.AGREE


def test_a_pair_exceeds_by_its_error_over_what_is_allowed():
    g = REFERENCE * 1.5
    comparison = compare(g, REFERENCE, LAYOUT, uncertain(0.1))
    pair = Pair("one", "other", Verdict.DISAGREE, "because", comparison)
    assert pair.excess == pytest.approx(0.5 * np.linalg.norm(REFERENCE) / (0.1 * math.sqrt(6)))
    assert Pair("one", "other", Verdict.FAILED, "raised").excess == 0
    unbounded = Comparison(replace(comparison.whole, allowed=None), {})
    assert Pair("one", "other", Verdict.UNDECIDED, "", unbounded).excess == 0


def test_pairs_are_of_every_mode_with_those_before_it_the_worst_first():
    parameters, batch = point(SMOOTH)
    chosen = [modes.resolve(each) for each in ("reverse", "forward", "mixed", "feedback_alignment")]
    found = compare_pairs(SMOOTH, parameters, batch, chosen, np.random.default_rng(0), 60)
    pairs = [(pair.mode, pair.reference, pair.verdict.value) for pair in found]
    assert pairs == [
        ("feedback_alignment", "reverse", "not comparable"),
        ("forward", "reverse", "agree"),
        ("mixed", "reverse", "agree"),
        ("mixed", "forward", "agree"),
    ]


# -------------------------------------------------------------------------------- what is planted, where


def test_a_planted_error_makes_every_array_larger():
    spoil = scaled(0.25)
    x = np.array([2.0, -4.0])
    assert spoil(x).tolist() == [2.5, -5]
    assert spoil({"a": {"b": x}})["a"]["b"].tolist() == [2.5, -5]
    factors = spoil((x, x))
    assert [factor.tolist() for factor in factors] == [[2, -4], [2.5, -5]]
    single = spoil(SingleEntry((3,), np.array([1]), x[None]))
    assert (single.shape, single.places.tolist(), single.values.tolist()) == ((3,), [1], [[2.5, -5]])
    moved = spoil(Moved(x[None, :, None], np.array([0]), x[None]))
    assert (moved.around.ravel().tolist(), moved.values.tolist()) == ([2, -4], [[2.5, -5]])
    layer = planted(layers.resolve(linear(2)), "vjp", scaled(1.0))
    params = {"weight": np.ones((1, 3, 2)), "bias": np.zeros((1, 2))}
    assert layer.vjp(np, params, None, np.ones((1, 1, 2))).tolist() == [[[4, 4, 4]]]
    assert layer.jvp(np, params, None, np.ones((1, 1, 3))).tolist() == [[[3, 3]]]


def placed(kind, inputs, examples, noise=None):
    layer, rng = layers.resolve(kind), np.random.default_rng(0)
    initial = layer.initial_parameters(rng, (inputs,))
    params = {name: leaf[None] for name, leaf in initial.items()}
    return Placed("mine", layer, params, np.zeros((1, examples, inputs)), noise)


@pytest.mark.parametrize(
    ("kind", "inputs", "examined"),
    [
        ("tanh", 8, 100),  # all there are
        ("tanh", 1024, 32),  # of 2^16 entries, on both sides
        ("tanh", 2**16, 2),  # two at least
        (linear(256), 256, 7),  # of 2^19 entries of the parameters' gradients
        (linear(1024), 1024, 2),
    ],
    ids=str,
)
def test_fewer_examples_of_a_wide_layer_are_examined(kind, inputs, examined):
    place = placed(kind, inputs, 100, np.zeros((100, inputs)))
    few = fewer(place)
    assert few.x.shape == (1, examined, inputs)
    assert few.noise.shape == (examined, inputs)
    assert probe(place, np.random.default_rng(0)).x.shape == (1, min(16, examined), inputs)


def test_probes_are_of_all_sizes_and_parameters_lie_around_their_initial_values():
    sizes = np.log10(abs(probe_values(np.random.default_rng(0), (100_000,))))
    # log10 |normal| has mean -0.2758 and variance 0.2326; the powers add -3/4 and 4.5²/12.
    assert sizes.mean() == pytest.approx(-0.2758 - 0.75, abs=0.03)
    assert sizes.var() == pytest.approx(0.2326 + 4.5**2 / 12, rel=0.03)
    place = placed(linear(50, initializer="zeros"), 200, 4)
    drawn = probe(place, np.random.default_rng(0)).params
    assert drawn["weight"].std() == pytest.approx(0.3 / math.sqrt(200), rel=0.05)
    assert drawn["bias"].std() == pytest.approx(0.3, rel=0.5)
    gains = probe(placed("layer_norm", 500, 4), np.random.default_rng(0)).params["gain"]
    assert gains.mean() == pytest.approx(1, abs=0.1)
    assert gains.std() == pytest.approx(0.3, rel=0.2)


def test_the_smallest_error_that_is_caught_is_a_power_of_two_and_half_of_it_is_not_caught():
    place = placed(linear(3), 4, 6)._replace(x=np.random.default_rng(0).standard_normal((1, 6, 4)))
    specimen = layer_specimen(place, np.random.default_rng(0))
    for each in specimen.sensitivities():
        assert math.log2(each.smallest_caught).is_integer()
        for size, caught in ((each.smallest_caught, True), (each.smallest_caught / 2, False)):
            wrong = planted(place.layer, each.product, scaled(size))
            found = specimen.findings(each.product, wrong)
            assert any(one.verdict is Verdict.DISAGREE for one in found) == caught
    products = [each.product for each in specimen.sensitivities()]
    assert products[:2] == ["jvp", "vjp"]
    assert "forward" not in products


def test_the_sharper_of_two_places_says_what_is_caught_though_the_other_looks_worse():
    def place(off, allowed):
        def of(component, product):
            got = component.vjp(np, {}, np.zeros((1, 1, 1)), np.ones((1, 1, 1)))  # 1, and what is planted
            yield Sides(product, "law", got * (1 + off), np.ones((1, 1, 1)), allowed, "because")

        return Examined(["vjp"], of)

    specimen = Specimen("mine", layers.resolve("tanh"), [place(0.9e-3, 1e-3), place(0.0, 1e-6)])
    (found,) = specimen.findings()
    assert found.allowed == 1e-3
    (sensitivity,) = specimen.sensitivities()
    assert sensitivity.smallest_caught == 2.0**-19


def test_a_forward_whose_complex_values_are_a_little_wrong_is_told():
    class Partly(type(layers.resolve("tanh"))):
        """A twentieth of its slope is that of the real part alone."""

        def value(self, xp, x):
            return xp.tanh(x) + 0.05 * x.real

        def slope(self, xp, kept):
            return 1.05 - (kept - 0 * kept) ** 2

    place = placed("tanh", 3, 6)._replace(
        layer=Partly(), x=np.random.default_rng(0).uniform(-1, 1, (1, 6, 3))
    )
    found = layer_specimen(place, np.random.default_rng(0)).findings("forward")
    wrong = {each.law for each in found if each.verdict is Verdict.DISAGREE}
    assert wrong == {"analytic extension"}


# ---------------------------------------------------------------------------------------- kinks, and steps


def test_differences_cross_kinks_as_far_as_their_farthest_value():
    objective = objective_of(linear(1, bias=False), "relu", linear(1), inputs=1)
    batch = Batch(np.ones((1, 1)), np.ones((1, 1)))
    for scheme, sides in (("forward", {-1: 1}), ("central", {-1: 1, 1: 1}), ("five_point", {-1: 2, 1: 2})):
        mode = modes.resolve({"finite_difference": {"scheme": scheme}})
        step = float(mode.steps(np, np.zeros(1))[0])
        for side in (-1, 1):
            farthest = sides.get(side, 0)  # forward differences do not look below
            for distance in (0.9, 1.1, 1.9, 2.1):
                parameters = np.array([side * distance * step, 1.0, 0.0])
                crossed = crossings(objective, mode, parameters, batch)
                assert (crossed[0] > 0) == (distance < farthest), (scheme, side, distance)


def test_a_kink_within_a_step_is_one_that_a_unit_crosses_in_a_random_direction():
    objective = objective_of(linear(1, bias=False), "relu", linear(1), inputs=1)
    batch, rng = Batch(np.ones((1, 1)), np.ones((1, 1))), np.random.default_rng(0)
    for distance, crossed in ((0.9, True), (1.1, False)):
        parameters = np.array([distance * 1e-3, 1.0, 0.0])
        assert within_a_step(objective, parameters, batch, 1e-3, rng) == crossed
    assert not within_a_step(SMOOTH, *point(SMOOTH), 10.0, rng)


# ------------------------------------------------------------------------------------------- the reference


def test_reasons_have_the_type_of_errors_that_are_not_ours():
    assert reason_of(UsageError("take less")) == "take less"
    assert reason_of(ValueError("bad")) == "ValueError: bad"
    assert reason_of(ValueError()) == "ValueError"


def test_modes_are_told_apart_by_their_options():
    names = ["reverse", "forward", "reverse", {"forward": {"seeds": "outputs"}}, "forward"]
    found = distinct([modes.resolve(name) for name in names])
    assert [mode.label for mode in found] == ["reverse", "forward", "forward(seeds=outputs)"]


def test_an_exact_mode_is_its_own_reference_and_reverse_that_of_others():
    forward = modes.resolve("forward")
    assert reference_of(forward, SMOOTH, 6, np.float64) is forward
    for kind in ("spsa", "finite_difference", "feedback_alignment"):
        assert reference_of(modes.resolve(kind), SMOOTH, 6, np.float64).kind == "reverse"


def test_a_gradient_of_another_shape_is_refused():
    require_form(GradientResult(0.0, np.zeros(3), Work()), np.zeros(3))
    with pytest.raises(ShapeError, match=r"the gradient has shape \(2,\), not \(3,\)"):
        require_form(GradientResult(0.0, np.zeros(2), Work()), np.zeros(3))


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("feedback_alignment", "a biased estimate: only its angle means something"),
        ("activity_perturbation", "one draw of an estimate, which no single one equals"),
        (
            {"spsa": {"directions": 2}},
            f"one draw of an estimate, which is off by {math.sqrt(25 / 2):.3g} times the gradient on average",
        ),
    ],
    ids=str,
)
def test_an_estimate_is_measured_and_not_judged_while_training(mode, told):
    parameters, batch = point(SMOOTH)
    watch = AgreementMonitor(
        SMOOTH, modes.resolve("reverse"), [modes.resolve(mode)], 6, np.random.default_rng(0)
    )
    (found,) = watch.measure(parameters, batch)
    assert SMOOTH.network.size == 26
    assert found.comparison.verdict is Verdict.NOT_COMPARABLE
    assert found.comparison.reason == told
    assert found.comparison.whole.cosine is not None


def test_a_mode_that_trains_without_being_exact_is_compared_itself_and_once():
    parameters, batch = point(SMOOTH)
    training = modes.resolve("finite_difference")
    chosen = [modes.resolve("forward"), training]
    found = AgreementMonitor(SMOOTH, training, chosen, 6, np.random.default_rng(0)).measure(parameters, batch)
    assert [(each.mode, each.reference) for each in found] == [
        ("finite_difference", "reverse"),
        ("forward", "reverse"),
    ]
    assert {each.comparison.verdict for each in found} == {Verdict.AGREE}


# --------------------------------------------------------------------------------------------- estimates


class Off(RandomForward):
    """Normal noise around the gradient, and around what is added to it."""

    def differentiate(self, objective, parameters, batch, decision, rng):
        right = modes.resolve("reverse")
        plan = right.prepare(objective, batch.examples, parameters.dtype)
        result = right.value_and_gradient(objective, parameters, batch, plan, rng)
        noise = self._deviation * rng.standard_normal(len(parameters))
        return result._replace(gradient=result.gradient + self._added + noise)


Off.kind = "off"


def off(added, deviation):
    mode = Off()
    object.__setattr__(mode, "_added", added)
    object.__setattr__(mode, "_deviation", deviation)
    return mode


WIDE = objective_of(linear(20, bias=False), inputs=20)


@pytest.mark.parametrize("deviation", [1e-4, 1e-2, 1.0])
def test_a_mean_may_be_off_across_the_gradient_by_what_chance_explains_at_any_size(deviation):
    # Of 400 entries the standard errors of 100 draws, 0.1 of a deviation each, have the length 2 deviations.
    parameters, batch = point(WIDE, examples=50)
    plan = modes.resolve("reverse").prepare(WIDE, 50, np.float64)
    exact = modes.resolve("reverse").value_and_gradient(WIDE, parameters, batch, plan, None).gradient
    across = np.random.default_rng(5).standard_normal(400)
    across -= exact * (across @ exact) / (exact @ exact)
    across /= np.linalg.norm(across)
    # Twice their length is allowed, and 5/√400 more: 2.5. Besides what is added, chance makes up 1 of it.
    for times, verdict in ((0.0, Verdict.AGREE), (2.0, Verdict.AGREE), (2.8, Verdict.DISAGREE)):
        mode = off(times * 2 * deviation * across, deviation)
        rng = np.random.default_rng(0)
        scaled_to = exact / np.linalg.norm(exact) * 1e3 * deviation  # of no weight in what is across
        found, _ = judge(
            off(mode._added + scaled_to - exact, deviation),
            WIDE, parameters, batch, scaled_to, np.zeros(400), rng,
        )  # fmt: skip
        assert found.verdict is verdict, (times, found.reason)
        assert found.whole.relative_error < 0.01


def test_what_a_long_step_adds_to_a_mean_is_explained_and_not_accused():
    parameters, batch = point(SMOOTH)
    plan = modes.resolve("reverse").prepare(SMOOTH, 6, np.float64)
    exact = modes.resolve("reverse").value_and_gradient(SMOOTH, parameters, batch, plan, None).gradient
    for step, least, most in ((1e-4, 0.0, 1e-6), (0.5, 1e-2, 0.5), (3.0, 0.5, 100.0)):
        mode = modes.resolve({"spsa": {"step": step, "directions": 400}})
        rng = np.random.default_rng(0)
        found, _ = judge(mode, SMOOTH, parameters, batch, exact, np.zeros(len(parameters)), rng)
        explained = float(found.reason.split("standard errors, and ")[1].split()[0])
        assert least <= explained < most
        assert found.verdict is (Verdict.UNDECIDED if least == 0.5 else Verdict.AGREE)
        assert ("its steps are too long for this loss" in found.reason) == (least == 0.5)


def test_kinks_within_a_step_excuse_an_estimate_that_is_off_and_no_other():
    objective = objective_of(linear(4), "relu", linear(2))
    parameters, batch = point(objective)
    weight = parameters[:12].reshape(3, 4)
    near = parameters.copy()
    near[12] = 1e-4 - batch.x[0] @ weight[:, 0]  # the first unit is next to its kink for the first example
    for there, excused in ((near, True), (parameters, False)):
        plan = modes.resolve("reverse").prepare(objective, 6, np.float64)
        right = modes.resolve("reverse").value_and_gradient(objective, there, batch, plan, None).gradient
        mode = modes.resolve({"spsa": {"step": 1e-3, "directions": 300}})
        for reference, sound in ((right, True), (right / 1.2, False)):
            rng = np.random.default_rng(0)
            found, _ = judge(mode, objective, there, batch, reference, np.zeros(len(there)), rng)
            wrong = Verdict.UNDECIDED if excused else Verdict.DISAGREE
            assert found.verdict is (Verdict.AGREE if sound else wrong)
            assert ("units have kinks within a step" in found.reason) == (excused and not sound)


def test_an_estimate_by_products_is_drawn_as_often_as_is_asked():
    parameters, batch = point(SMOOTH)
    plan = modes.resolve("reverse").prepare(SMOOTH, 6, np.float64)
    exact = modes.resolve("reverse").value_and_gradient(SMOOTH, parameters, batch, plan, None).gradient
    drawn = []

    class Counted(RandomForward):
        def differentiate(self, *given):
            drawn.append(given)
            return super().differentiate(*given)

    Counted.kind = "counted"
    found, _ = judge(
        Counted(directions=20),
        SMOOTH,
        parameters,
        batch,
        exact,
        np.zeros(26),
        np.random.default_rng(0),
        draws=50,
    )
    assert found.verdict is Verdict.AGREE
    assert len(drawn) == 50


def test_a_loss_is_probed_around_its_targets_with_as_many_outputs_and_enough_examples():
    seen = []

    class Seen(type(losses.resolve("mean_squared_error"))):
        def forward(self, xp, outputs, targets):
            seen.append((outputs.shape[1:], targets.shape))
            return super().forward(xp, outputs, targets)

    outputs, targets = np.zeros((1, 5, 3)), np.arange(15.0).reshape(5, 3)
    found = loss_specimen(Seen(), outputs, targets, np.random.default_rng(0)).findings()
    assert {each.verdict for each in found} == {Verdict.AGREE}
    assert set(seen) == {((5, 3), (5, 3)), ((65, 3), (65, 3))}


def test_what_is_planted_makes_another_component():
    layer = layers.resolve(linear(2))
    one, other = (planted(layer, "vjp", scaled(size)) for size in (1.0, 2.0))
    assert one != other
    assert one != layer
