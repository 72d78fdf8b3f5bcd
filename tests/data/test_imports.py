"""What is imported when: scikit-learn and SciPy cost most of a second."""

import subprocess
import sys

import pytest

HEAVY = "import sys; print([name for name in ('sklearn', 'scipy') if name in sys.modules])"
EACH = "[sources.resolve(kind) for kind in sources.names() if kind not in ('csv', 'npz')]"


def heavy_after(code: str) -> str:
    command = [sys.executable, "-W", "error", "-c", f"{code}\n{HEAVY}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # our own code


@pytest.mark.parametrize(
    "code",
    [
        "import jactrain.data",
        f"from jactrain.data.base import sources; [source.outline() for source in {EACH}]",
    ],
    ids=["importing", "outlining"],
)
def test_needs_no_scikit_learn(code: str) -> None:
    import jactrain.data  # noqa: F401  # to fail here, not in the child, if it cannot be imported

    assert heavy_after(f"import jactrain.data\n{code}") == "[]"


def test_loading_from_a_warm_cache_needs_no_scikit_learn() -> None:
    load = f"import jactrain.data\nfrom jactrain.data.base import sources; [s.load() for s in {EACH}]"
    assert heavy_after(load) == "['sklearn', 'scipy']"
    assert heavy_after(load) == "[]"
