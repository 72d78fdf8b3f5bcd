"""A sweep on Ray, which takes seconds to begin: one test."""

from pathlib import Path

import pytest
from small_sweeps import done, hashes, trained, written


@pytest.mark.parametrize("seeds", [3])
def test_ray_gives_the_same_weights(seeds: int, tmp_path: Path) -> None:
    trained(written(tmp_path / "here", seeds=seeds))
    path = written(tmp_path / "ray", seeds=seeds)
    result = done(path, "--backend", "ray")
    assert result.returncode == 0, result.stderr
    assert hashes(tmp_path / "ray/runs/e") == hashes(tmp_path / "here/runs/e")
    assert "Traceback" not in result.stderr
