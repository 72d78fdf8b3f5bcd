"""What `jactrain compare` writes is what the report reads: no key of it is unknown, and none is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from jactrain.report.comparison import comparison_page
from jactrain.report.page import render
from jactrain.report.record import read_comparison

CONFIGURATION = """\
name: small
data: {source: {moons: {examples: 60}}, validation: 0.25, scale: standard}
network:
  - linear: {units: 3}
  - tanh
  - linear
loss: binary_cross_entropy
mode: reverse
optimizer: {sgd: {learning_rate: 0.1}}
training: {epochs: 2, batch_size: 15}
"""


def test_a_real_comparison_has_every_section(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(CONFIGURATION, encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "jactrain", "compare", "small.yaml", "--modes",
         "reverse,forward,finite_difference,random_forward,feedback_alignment", "--train", "--seeds", "2",
         "--scaling", "width", "--sizes", "2,4,8", "--runs", "runs"],
        check=True, capture_output=True, cwd=tmp_path,
        env={**os.environ, "JACTRAIN_CACHE": str(tmp_path / "cache")},
    )  # fmt: skip
    (file,) = tmp_path.glob("runs/*/comparison.json")
    record = read_comparison(file)
    page = comparison_page(record)
    assert [section.title for section in page.sections if section] == [
        "The modes side by side", "What a gradient costs", "Where they differ", "Training",
        "Growing networks: width",
    ]  # fmt: skip
    expected = {
        "cost-against-error", "seconds", "multiply-adds", "peak-memory", "error-by-parameter",
        "loss-by-steps", "loss-by-seconds", "loss-by-multiply-adds", "metric-by-steps", "divergence",
        "estimator-bias", "estimator-relative_bias", "estimator-relative_variance", "estimator-cosine",
        "loss-drop-a-multiply-add", "loss-drop-a-second",
        "scaling-seconds", "scaling-multiply-adds", "scaling-memory",
    }  # fmt: skip
    assert {figure.name for figure in page.figures} == expected
    html = render(page)
    assert all(f">{mode['mode']}" in html.replace("<wbr>", "") for mode in record["modes"])
    assert json.loads(file.read_text(encoding="utf-8")) == record
