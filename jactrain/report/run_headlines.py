"""What a page of runs says first: the figure reached, by which mode, and what is wrong with a run."""

from __future__ import annotations

from collections.abc import Sequence

from jactrain.report.agreement_over_steps import grouped
from jactrain.report.curves import column, metric_names
from jactrain.report.metric_words import lower_is_better, metric_unit, worded
from jactrain.report.run_record import RunRecord
from jactrain.report.texts import counted, listing, one_line, shown
from jactrain.runs.directory import ENDINGS

SCORES = (
    "validation_accuracy",
    "validation_r2",
    "validation_loss",
    "train_accuracy",
    "train_r2",
    "train_loss",
)


def headline_of_one(run: RunRecord) -> str:
    """Return the headline of a run's own page."""
    name = one_line(run.meta.name or run.label)
    ending = ENDINGS.get(run.meta.status, "")
    if not run.metrics:
        return f"{name} {ending or 'finished no epoch'}: {one_line(run.meta.exit_reason)}".rstrip(": ")
    score = _score(run)
    took = _took(run)
    if ending:
        words = f"{name} {ending} {took}: {one_line(run.meta.exit_reason)}"
        words += f"; its metrics end {run.cut_short}" if run.cut_short else ""
    elif run.cut_short:
        words = f"{name}: its metrics end {run.cut_short}"
        words += f", with a {_reached(run, score)}" if score else ""
        words += f", {took}"
    elif score:
        early = run.kept is not None and run.kept is not run.metrics[-1]
        where = f", at epoch {run.kept_epoch:,}" if early else ""
        words = f"{name} reaches a {_reached(run, score)}{where} {took}"
    else:
        words = f"{name} ended {took}"
    return f"{words}{_agreement(run)}."


def headline_of_several(runs: Sequence[RunRecord]) -> str:
    """Return the headline of a page of several runs: the best and the worst, if they can be compared.

    Damaged runs are not ranked, and neither are runs of which it is not known that their data are the same.
    """
    having = [(run, score) for run in runs if run.metrics and (score := _score(run))]
    sound = [run for run, _ in having if not run.faults]
    tasks = {
        tuple(item for item in run.settings.items() if item[0].startswith(("data.", "loss")))
        for run in runs
        if run.settings
    }
    if len({score for _, score in having}) == 1 and len(tasks) == 1 and len(sound) > 1:
        ranked = _ranked(sound, having[0][1])
        if ranked:
            return f"{ranked}{_not_ranked([run for run in runs if run not in sound])}."
    figures = [f"{one_line(run.label)} with a {_reached(run, score)}{_end(run)}" for run, score in having]
    differing = " on different data, whose figures do not compare" if len(tasks) > 1 else ""
    words = f"{counted(len(runs), 'run')}{differing}"
    return f"{words}: {listing(figures, 4)}." if figures else f"{words}."


def _ranked(runs: Sequence[RunRecord], score: str) -> str:
    """Return who has the best figure and who the worst; empty where none is defined."""
    known = [(value, one_line(run.label)) for run in runs if (value := run.figures.get(score)) is not None]
    if not known:
        return ""
    lower = lower_is_better(score)
    best, worst = (min(known), max(known)) if lower else (max(known), min(known))
    word, unit = "lowest" if lower else "highest", metric_unit(score)
    if best[0] == worst[0]:
        who = "Both" if len(known) == 2 else f"All {len(known)}"
        return f"{who} runs reach a {worded(score)} of {shown(best[0], unit)}"
    return (
        f"{best[1]} has the {word} {worded(score)} of {counted(len(runs), 'run')}, "
        f"{shown(best[0], unit)}; {worst[1]} has {shown(worst[0], unit)}"
    )


def _not_ranked(runs: Sequence[RunRecord]) -> str:
    if not runs:
        return ""
    names = [
        f"{one_line(run.label)}{f' (its metrics end {run.cut_short})' if run.cut_short else ''}"
        for run in runs
    ]
    return f"; {listing(names, 4)} {'is' if len(runs) == 1 else 'are'} damaged and not ranked"


def _end(run: RunRecord) -> str:
    return f" where its metrics end, {run.cut_short}" if run.cut_short else ""


def _reached(run: RunRecord, score: str) -> str:
    return f"{worded(score)} of {shown(run.figures.get(score), metric_unit(score))}"


def _took(run: RunRecord) -> str:
    """Return how long the training went on, and by which mode."""
    last = run.metrics[-1]
    mode = one_line(run.settings.get("mode", "") or _mode(run))
    took = f"after {counted(int(last.get('epoch') or 0), 'epoch')}"
    took += f" and {counted(int(last['step'] or 0), 'step')}"
    if last.get("seconds") is not None:
        took += f", {shown(last['seconds'], 's')} of training{f' by {mode}' if mode else ''}"
    return took


def _mode(run: RunRecord) -> str:
    """Return the mode that trained: what others were compared with, or what the settings begin with."""
    if run.agreement:
        return run.agreement[-1].reference
    return next((key.split(".")[1] for key in run.settings if key.startswith("mode.")), "")


_WRONG = {"disagree": ("disagrees with it", "disagree with it"), "failed": ("failed", "failed")}
_WAS_WRONG = {"disagree": "disagreed with it", "failed": "failed"}


def _agreement(run: RunRecord) -> str:
    modes = grouped(run)
    last = {mode: these[-1] for mode, these in modes.items()}
    told = []
    for verdict, words in _WRONG.items():
        if wrong := [one_line(mode) for mode, one in last.items() if one.verdict == verdict]:
            told.append(f"{listing(wrong)} {words[len(wrong) > 1]}")
    for mode, these in modes.items():
        before = [one for one in these if one.verdict in _WRONG]
        if before and last[mode].verdict not in _WRONG:
            verbs = " or ".join(dict.fromkeys(_WAS_WRONG[str(one.verdict)] for one in before))
            told.append(
                f"{one_line(mode)} {verbs} at {len(before):,} of "
                f"{counted(len(these), 'comparison')}, the first at step {before[0].step:,}"
            )
    if told:
        return "".join(f"; {each}" for each in told)
    known = [
        f"{one_line(mode)} to {shown(one.relative_error, 'error')}"
        for mode, one in last.items()
        if one.relative_error is not None and one.verdict in ("agree", None)
    ]
    return f"; the gradient agrees with that of {listing(known, 3)}" if known else ""


def _score(run: RunRecord) -> str:
    names = [name for name in metric_names([run]) if any(value is not None for value in column(run, name))]
    return next((name for name in SCORES if name in names), names[0] if names else "")
