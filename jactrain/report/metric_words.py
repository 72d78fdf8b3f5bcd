"""How metrics are named, in which unit they are shown, and which way is better."""

from __future__ import annotations

from jactrain.report.texts import one_line


def worded(name: str) -> str:
    """Return a metric's name as people say it: `validation R²`."""
    text = one_line(name).replace("_", " ")
    return {"r2": "R²", "rmse": "RMSE"}.get(text, text.replace(" r2", " R²").replace(" rmse", " RMSE"))


def capital(text: str) -> str:
    """Return `text` with a capital at its beginning."""
    return f"{text[:1].upper()}{text[1:]}"


def metric_unit(name: str) -> str:
    """Return the unit that a metric is shown in: accuracies are percentages."""
    return "%" if name.endswith("accuracy") else ""


def lower_is_better(name: str) -> bool:
    """Tell whether a smaller figure is the better one."""
    return name.endswith(("loss", "rmse", "RMSE", "error"))
