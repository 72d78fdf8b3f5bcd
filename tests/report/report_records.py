"""A comparison as `jactrain compare` records it, complete and of sizes as on digits; and hostile texts."""

from __future__ import annotations

import copy
import json
import math
from typing import Any

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(2)>'
TEMPLATE = "{{7*7}}"
HOSTILE = (SCRIPT, IMAGE, TEMPLATE)
ANSI = "\x1b[31mred\x1b[0m"
BLOCKS = ("linear_1/weight", "linear_1/bias", "linear_2/weight", "linear_2/bias")

# mode, exactness, verdict, relative error, seconds, bytes, multiply-adds
_MODES = (
    ("reverse", "exact", "reference", None, 2.1e-4, 112_000, 640_000),
    ("mixed", "exact", "agree", 0.0, 2.2e-4, 113_000, 640_000),
    ("forward", "exact", "agree", 9.1e-8, 9.7e-4, 1_250_000, 1_410_000),
    ("complex_step", "exact", "agree", 2.3e-7, 0.041, 1_700_000, 55_000_000),
    ("finite_difference(dtype=float64)", "truncated", "agree", 1.3e-6, 0.036, 1_600_000, 110_000_000),
    ("finite_difference", "truncated", "undecided", 4.1e-3, 0.034, 900_000, 110_000_000),
    ("forward(seeds=parameters)", "exact", "skipped", None, None, None, 830_000_000),
    ("random_forward(directions=16)", "unbiased", "agree", 17.2, 0.0031, 2_100_000, 20_500_000),
    ("spsa(directions=16)", "unbiased", "agree", 17.4, 0.0024, 2_100_000, 10_700_000),
    ("feedback_alignment", "biased", "not comparable", 1.21, 2.4e-4, 140_000, 640_000),
    ("wrong_rule", "exact", "disagree", 0.031, 2.0e-4, 112_000, 640_000),
    ("one_way", "exact", "failed", None, None, None, None),
)  # fmt: skip
_REASONS = {
    "skipped": "predicted to take 38 s, over the budget of 10 s",
    "failed": "one_way_1 has no vjp, which one_way needs",
    "undecided": "rounding of float32 losses is as large as the difference",
    "disagree": "32 times what rounding allows",
}
_TRAINED = (
    "reverse",
    "forward",
    "random_forward(directions=16)",
    "spsa(directions=16)",
    "feedback_alignment",
)


def comparison() -> dict[str, Any]:
    """Return a whole record, new each time."""
    return copy.deepcopy(
        {
            "kind": "comparison",
            "schema_version": 1,
            "name": "digits",
            "command": "jactrain compare configs/digits.yaml --train --seeds 3 --scaling width",
            "created": "2026-11-23T15:00:00Z",
            "headline": "forward agrees with reverse to 9.1e-08 and takes 4.6 times as long, because it "
            "pushes 74 tangents through the layers behind; wrong_rule disagrees",
            "configuration": "name: digits\nseed: 0\ndata: {source: digits}\nnetwork:\n- tanh\n- linear\n",
            "environment": {
                "schema_version": 1,
                "seed": 0,
                "argv": ["jactrain", "compare", "configs/digits.yaml"],
                "versions": {"jactrain": "0.1.0", "python": "3.11.7", "numpy": "2.4.6", "scikit-learn": None},
                "machine": {"system": "Linux", "processor": "AMD EPYC", "cores": 2},
                "blas": [{"internal_api": "openblas", "version": "0.3.31", "num_threads": 1}],
                "git": {"commit": "3e9d54596b09", "dirty": False},
            },
            "examples": 64,
            "dtype": "float32",
            "parameters": 4810,
            "outputs": 10,
            "reference": "reverse",
            "modes": [_mode(*row) for row in _MODES],
            "training": _training(),
            "scaling": _scaling(),
        }
    )


def hostile() -> dict[str, Any]:
    """A comparison with markup, templates and escapes for every name that others can choose."""
    text = json.dumps(comparison())
    replacements = {
        BLOCKS[0]: f"{SCRIPT}/weight",
        BLOCKS[1]: f"{IMAGE}/bias",
        "wrong_rule": f"{SCRIPT}$\\frac{{1}}$ {'long ' * 40}",
        "spsa(directions=16)": IMAGE,
        "feedback_alignment": TEMPLATE,
        _REASONS["failed"]: f"{ANSI}\x00\ufffe",
        "validation_accuracy": f"$x$ {SCRIPT}",
        '"width"': json.dumps(f"width {SCRIPT}"),
        "AMD EPYC": IMAGE,
    }
    for old, new in replacements.items():
        quoted = new if old.startswith('"') else json.dumps(new)[1:-1]
        assert old in text, old
        text = text.replace(old, quoted)
    return {
        **json.loads(text),
        "name": SCRIPT,
        "headline": f"{SCRIPT} {IMAGE} {TEMPLATE} {ANSI}",
        "configuration": f"name: {SCRIPT}\n</pre></details>{IMAGE}\n{TEMPLATE}",
    }


def _mode(
    mode: str,
    exactness: str,
    verdict: str,
    error: float | None,
    seconds: float | None,
    peak: int | None,
    work: int | None,
) -> dict[str, Any]:
    ran = seconds is not None
    factors = (1.1, 1.7, 0.0, 0.8)
    allowed = {"exact": 3.1e-6, "truncated": 8.0e-4}.get(exactness) if ran and mode != "reverse" else None
    cosine = None if error is None else 1 - error**2 / 2 if error < 1 else 1 / math.sqrt(1 + error**2)
    return {
        "mode": mode,
        "exactness": exactness,
        "verdict": verdict,
        "relative_error": error,
        "cosine": cosine,
        "norm_ratio": None if error is None else 1 + error / 9,
        "allowed": allowed,
        "reason": _REASONS.get(verdict, ""),
        "kinked": 3 if mode == "finite_difference" else 0,
        "worst": _entry(error),
        "seconds": {"median": seconds, "iqr": 0.11 * seconds, "repeats": 21} if seconds else None,
        "times_fastest": seconds / 2.0e-4 if seconds else None,
        "peak_bytes": peak,
        "predicted_peak_bytes": int(peak * 1.13) if peak else None,
        "work": {
            "forward": 4,
            "jvp": 74 * (mode == "forward"),
            "vjp": 3,
            "parameter_jvp": 0,
            "parameter_vjp": 2,
        }
        if ran
        else None,
        "multiply_adds": {"predicted": work, "counted": work if ran else None},
        "blocks": [
            {
                "parameter": name,
                "relative_error": error * factor,
                "cosine": cosine,
                "norm_ratio": 1.0,
                "allowed": allowed,
                "verdict": verdict,
                "kinked": 0,
                "worst": _entry(error),
            }
            for name, factor in zip(BLOCKS, factors, strict=True)
        ]
        if error is not None
        else [],
    }


def _entry(error: float | None) -> dict[str, Any] | None:
    if error is None:
        return None
    value = -0.05933867
    return {"parameter": BLOCKS[0], "index": [30, 63], "value": value * (1 + error), "reference": value}


def _training() -> dict[str, Any]:
    return {
        "reference": "reverse",
        "seeds": [0, 1, 2],
        "epochs": 10,
        "metric": "validation_accuracy",
        "modes": [_trained(mode, index) for index, mode in enumerate(_TRAINED)]
        + [_diverged(), {"mode": "one_way", "status": "failed", "reason": _REASONS["failed"], "runs": [],
                         "final": {"train_loss": None, "validation_loss": None, "metric": None},
                         "estimator": None, "loss_drop_per_multiply_add": None, "loss_drop_per_second": None,
                         "cosine_at_start": None}],
    }  # fmt: skip


def _trained(mode: str, index: int) -> dict[str, Any]:
    rate = (1.0, 1.0, 0.34, 0.28, 0.8)[index]
    cost = (1.5e7, 3.3e7, 4.7e8, 2.5e8, 1.5e7)[index]
    second = (0.0051, 0.022, 0.071, 0.055, 0.0056)[index]
    epochs = range(11)
    runs = [
        {
            "seed": seed,
            "status": "finished",
            "reason": "",
            "step": [23 * epoch for epoch in epochs],
            "seconds": [second * epoch * (1 + 0.03 * seed) for epoch in epochs],
            "multiply_adds": [cost * epoch for epoch in epochs],
            "train_loss": [2.4 * math.exp(-rate * epoch / 2) + 0.01 * (1 + seed) for epoch in epochs],
            "validation_loss": [2.4 * math.exp(-rate * epoch / 2) + 0.09 for epoch in epochs],
            "metric": [1 - 0.9 * math.exp(-rate * epoch / 1.6) - 0.01 * seed for epoch in epochs],
            "divergence": [
                (0 if index == 0 else 1e-7 if index == 1 else 0.8) * min(epoch, 4) for epoch in epochs
            ],
        }
        for seed in range(3)
    ]
    estimates = index >= 2
    return {
        "mode": mode,
        "status": "finished",
        "reason": "",
        "runs": runs,
        "final": {
            key: {"median": runs[1][key][-1], "low": runs[0][key][-1], "high": runs[2][key][-1]}
            for key in ("train_loss", "validation_loss", "metric")
        },
        "estimator": {
            "step": [0, 46, 115, 161, 230],
            "relative_bias": [(2.4, 2.6, 0.95)[index - 2] * (1 + 0.05 * point) for point in range(5)],
            "bias_standard_error": [(2.43, 2.45, 0.0)[index - 2]] * 5,
            "relative_variance": [(300.0, 310.0, 0.0)[index - 2]] * 5,
            "cosine": [(0.058, 0.056, 0.55)[index - 2] * (1 - 0.04 * point) for point in range(5)],
        }
        if estimates
        else None,
        "loss_drop_per_multiply_add": 2.38 / (10 * cost),
        "loss_drop_per_second": 2.38 / (10 * second),
        "cosine_at_start": (1.0, 1.0, 0.058, 0.056, 0.57)[index],
    }


def _diverged() -> dict[str, Any]:
    run = {
        "seed": 0,
        "status": "diverged",
        "reason": "the loss is not finite at step 31",
        "step": [0, 23],
        "seconds": [0.0, 0.006],
        "multiply_adds": [0, 1.5e7],
        "train_loss": [2.41, 88.0],
        "validation_loss": [],
        "metric": [],
        "divergence": [0.0, None],
    }
    nothing = {"median": None, "low": None, "high": None}
    return {
        "mode": "wrong_rule",
        "status": "diverged",
        "reason": "seed 0 diverged",
        "runs": [run],
        "final": {"train_loss": nothing, "validation_loss": nothing, "metric": nothing},
        "estimator": None,
        "loss_drop_per_multiply_add": None,
        "loss_drop_per_second": None,
        "cosine_at_start": 0.97,
    }


def _scaling() -> dict[str, Any]:
    sizes = [16, 32, 64, 128, 256]
    laws = {"reverse": (2e-5, 1.1, 1.95), "forward": (8e-6, 1.55, 2.4), "finite_difference": (9e-4, 1.9, 3.3)}
    return {
        "along": "width",
        "sizes": sizes,
        "examples": 64,
        "fitted": True,
        "modes": [
            {
                "mode": mode,
                "exponent": {"measured": measured, "predicted": predicted},
                "points": [
                    {
                        "size": size,
                        "parameters": 64 * size + size + 10 * size + 10,
                        "seconds": None
                        if (late := mode == "finite_difference" and size == 256)
                        else {
                            "median": base * size**measured,
                            "iqr": 0.1 * base * size**measured,
                            "repeats": 9,
                        },
                        "multiply_adds": round(900 * size**predicted),
                        "peak_bytes": None if late else 1000 * size,
                        "reason": "predicted to take 41 s, over the budget" if late else "",
                    }
                    for size in sizes
                ],
            }
            for mode, (base, measured, predicted) in laws.items()
        ],
        "crossovers": [
            {
                "modes": ["reverse", "forward"],
                "measured_at": 7.7 * 5,
                "predicted_at": None,
                "sentence": "forward is the faster up to a width of 39, reverse from there on.",
            }
        ],
    }
