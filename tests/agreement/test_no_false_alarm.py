"""No check accuses a sound network.

Seeds 0 to 1999 are in every run of the tests; `make nightly` takes 20 000. A message gives the seed, and
`random_case(seed)` the network.
"""

import os
from collections import Counter

import numpy as np
import pytest
from random_networks import KINDS, LOSSES, random_case

from jactrain.agreement.check import check_layers
from jactrain.agreement.compare import Verdict
from jactrain.agreement.pairs import compare_pairs
from jactrain.agreement.specimen import survey
from jactrain.layers import layers
from jactrain.losses import losses
from jactrain.modes import modes

NETWORKS = int(os.environ.get("JACTRAIN_NETWORKS", "2000"))
PORTION = 100

MODES = [
    *(modes.resolve(name) for name in ["reverse", *sorted(set(modes.names()) - {"reverse", "auto"})]),
    *(modes.resolve({"finite_difference": {"scheme": scheme}}) for scheme in ("forward", "five_point")),
    modes.resolve({"forward": {"seeds": "parameters"}}),
]


def test_the_random_networks_are_of_everything_registered():
    assert set(KINDS) == set(layers.names())
    assert set(LOSSES) == set(losses.names())


@pytest.mark.parametrize("start", range(0, NETWORKS, PORTION))
def test_random_sound_networks_are_not_accused(start, record_property):
    verdicts, accused = Counter(), []
    for seed in range(start, start + PORTION):
        case, rng = random_case(seed), np.random.default_rng(seed)
        found = check_layers(survey(case.objective, case.parameters, case.batch, rng).specimens)
        pairs = compare_pairs(case.objective, case.parameters, case.batch, MODES, rng, budget=60)
        verdicts.update(each.verdict.value for each in (*found, *pairs))
        wrong = [each for each in (*found, *pairs) if each.verdict in (Verdict.DISAGREE, Verdict.FAILED)]
        if wrong:
            accused.append(f"{case}\n  {wrong[0]}")
    counts = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(verdicts.items()))
    record_property("told", f"random sound networks, seeds {start:5} to {start + PORTION - 1:5}: {counts}")
    assert not accused, "\n".join(accused)
    assert verdicts["agree"] > 0.8 * verdicts.total()
