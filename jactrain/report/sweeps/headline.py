"""What the page of a sweep says first: the best setting, and whether another is told apart from it."""

from __future__ import annotations

from math import comb

from jactrain.report.metric_words import worded
from jactrain.report.sweeps.record import NOT_BEGUN, SweepRecord
from jactrain.report.sweeps.settings import Ranking, Setting, Spread, short_names, value_text
from jactrain.report.texts import called, counted, listing, one_line

_CHANCE = 0.05  # how often chance alone may win so many seeds, for it to be called more than chance
_MOST_NAMED = 3
_STATES = ("diverged", "failed", "killed", "interrupted", "pruned", "damaged", "running")
_WERE = ("killed", "interrupted", "pruned")
_IS = ("running", "damaged")


def headline(sweep: SweepRecord, ranking: Ranking) -> str:
    """Return the headline of the page."""
    name = one_line(sweep.name) or "the sweep"
    if not ranking.ranked:
        return (
            f"{name}: none of its {counted(len(sweep.cells), 'cell')} has finished with a figure to compare."
        )
    best = ranking.ranked[0]
    figure = _figure(best, ranking)
    if len(ranking.everything) == 1:
        return (
            f"{name} reaches a {worded(ranking.metric)} of {figure.text(ranking.unit)}{_over(best, figure)}."
        )
    word = "lowest" if ranking.lower else "highest"
    among = counted(len(ranking.ranked), ranking.noun)
    if len(ranking.ranked) == 1:
        return (
            f"{name}: {called(best.label)}, the only one that can be ranked, reaches a "
            f"{worded(ranking.metric)} of {figure.text(ranking.unit)}{_over(best, figure)}."
        )
    if sweep.search:
        return (
            f"{called(best.label)} has the {word} {worded(ranking.metric)} of {among}, "
            f"{figure.text(ranking.unit)}, with {_values(sweep, best)}."
        )
    mean = "mean " if figure.count > 1 else ""
    return (
        f"{called(best.label)} has the {word} {mean}{worded(ranking.metric)} of {among}, "
        f"{figure.text(ranking.unit)}{_over(best, figure)}; {_next(best, ranking.ranked[1], ranking)}."
    )


def lead(sweep: SweepRecord, ranking: Ranking) -> str:
    """Return what follows: how far the sweep is, what ± means, what is as good, what is not ranked."""
    sentences = [_progress(sweep)]
    if ranking.ranked:
        sentences += [_deviation(ranking), _seed_by_seed(ranking), _as_good(ranking)]
        sentences += [*([] if sweep.search else [_unranked(ranking)]), _unlike(sweep)]
    if sweep.search and ranking.ranked:
        sentences.append("Each trial was trained once: what a repeat would differ by is not known.")
    return " ".join(sentence for sentence in sentences if sentence)


def _figure(setting: Setting, ranking: Ranking) -> Spread:
    spread = setting.spread(ranking.metric)
    if spread is None:  # ranked are settings that have it
        raise AssertionError(setting.label)
    return spread


def _over(setting: Setting, figure: Spread) -> str:
    """Return over how many seeds a figure is, and of how many where not all finished."""
    total = len(setting.cells)
    if figure.count < total:
        return f" over {figure.count:,} of {counted(total, 'seed')}"
    return f" over {counted(total, 'seed')}" if total > 1 else ""


def _values(sweep: SweepRecord, setting: Setting) -> str:
    names = short_names(sweep.factors)
    return listing(
        f"{called(name)} {called(value_text(value))}"
        for name, value in zip(names, setting.values, strict=True)
    )


def _next(best: Setting, other: Setting, ranking: Ranking) -> str:
    """Return how the second best compares, and whether that can be more than chance."""
    one, two = _figure(best, ranking), _figure(other, ranking)
    name, unit = called(other.label), ranking.unit
    if one.mean == two.mean:
        if one.low == one.high == two.low == two.high:
            return f"{name} reaches just the same"
        return f"{name} has the same mean, {two.text(unit)}"
    over = _over(other, two) if two.count != one.count else ""
    words = f"{name} comes next with {two.text(unit)}{over}"
    if one.deviation is None or two.deviation is None:
        return f"{words}, and single seeds do not tell whether that is more than chance"
    if not overlap(one, two):
        few = ", as far as two seeds tell" if min(one.count, two.count) == 2 else ""
        return f"{words}, and their spreads do not overlap{few}"
    wins, losses = _by_seed(best, other, ranking)
    if wins > losses and chance(wins, losses) < _CHANCE:
        return (
            f"{words}: their spreads overlap, but seed by seed the first is better {_times(wins, losses)}, "
            "which is more than chance"
        )
    return f"{words}: their spreads overlap, and these seeds do not tell the two apart"


def _times(wins: int, losses: int) -> str:
    return f"{wins:,} of {wins + losses:,} times"


def overlap(one: Spread, other: Spread) -> bool:
    """Tell whether the means, less and plus their standard deviations, have values in common."""
    return one.interval[0] <= other.interval[1] and other.interval[0] <= one.interval[1]


def _by_seed(best: Setting, other: Setting, ranking: Ranking) -> tuple[int, int]:
    """Return with how many of the seeds that both have the one is better, and with how many the other."""
    mine, theirs = best.by_seed(ranking.metric), other.by_seed(ranking.metric)
    common = [seed for seed in mine if seed in theirs]
    wins = sum(ranking.is_better(mine[seed], theirs[seed]) for seed in common)
    return wins, sum(ranking.is_better(theirs[seed], mine[seed]) for seed in common)


def chance(wins: int, losses: int) -> float:
    """Return how probable so uneven a result is if both are as good: the sign test, to both sides."""
    count = wins + losses
    if count > 1000 or count == 0:
        return 1.0
    tail = sum(comb(count, number) for number in range(max(wins, losses), count + 1))
    return min(1.0, 2.0 * tail / 2.0**count)


def _progress(sweep: SweepRecord) -> str:
    noun = "trial" if sweep.search else "cell"
    total, done = len(sweep.cells), len(sweep.with_status("finished"))
    if done == total:
        return f"All {counted(total, noun)} finished." if total > 1 else f"Its one {noun} finished."
    parts = []
    for state in _STATES:
        count = len(sweep.with_status(state))
        were = ("was " if count == 1 else "were ") if state in _WERE else ""
        still = f"{_are(count)} " if state in _IS else ""
        if count:
            parts.append(f"{count:,} {were}{still}{state}")
    waiting = len(sweep.with_status(NOT_BEGUN))
    if waiting:
        parts.append(f"{waiting:,} {'has' if waiting == 1 else 'have'} not begun")
    other = total - done - waiting - sum(len(sweep.with_status(state)) for state in _STATES)
    if other:
        parts.append(f"{other:,} ended otherwise")
    return f"{done:,} of {counted(total, noun)} finished; {listing(parts, 9)}."


def _deviation(ranking: Ranking) -> str:
    if any(_figure(setting, ranking).deviation is not None for setting in ranking.ranked):
        return "± is the standard deviation over seeds."
    return ""


def _seed_by_seed(ranking: Ranking) -> str:
    """Return with how many seeds the best is better than the second, where their spreads overlap."""
    if len(ranking.ranked) < 2:
        return ""
    best, other = ranking.ranked[:2]
    one, two = _figure(best, ranking), _figure(other, ranking)
    if one.deviation is None or two.deviation is None or not overlap(one, two):
        return ""
    wins, losses = _by_seed(best, other, ranking)
    if wins + losses < 2 or (wins > losses and chance(wins, losses) < _CHANCE):  # or told in the headline
        return ""
    return f"With the same seed the first of the two is better {_times(wins, losses)}."


def _as_good(ranking: Ranking) -> str:
    """Return how many settings after the second have spreads that overlap with the best one's."""
    best = _figure(ranking.ranked[0], ranking)
    if best.deviation is None:
        return ""
    near = [
        setting
        for setting in ranking.ranked[2:]
        if (figure := _figure(setting, ranking)).deviation is not None and overlap(best, figure)
    ]
    if not near:
        return ""
    verb = "overlaps" if len(near) == 1 else "overlap"
    return (
        f"The {'spread' if len(near) == 1 else 'spreads'} of {counted(len(near), 'further setting')} "
        f"{verb} with the best one's, too: {listing((called(one.label) for one in near), _MOST_NAMED)}."
    )


def _unranked(ranking: Ranking) -> str:
    """Return which settings are ranked, if not all, and whether one that is not would come first."""
    if not ranking.others:
        return ""
    best = _figure(ranking.ranked[0], ranking)
    better = [
        (setting, figure)
        for setting in ranking.others
        if (figure := setting.spread(ranking.metric)) is not None
        and ranking.is_better(figure.mean, best.mean)
    ]
    count = len(ranking.others)
    have = "has" if len(ranking.ranked) == 1 else "have"
    why = f" {ranking.why}" if ranking.why else f" that {have} a finished repeat"
    kept = f"{_are(len(ranking.ranked))} the {counted(len(ranking.ranked), 'setting')}"
    words = f"Ranked {kept}{why}; {count:,} {_are(count)} left out."
    if better:
        setting, figure = better[0]
        words += (
            f" Of these {called(setting.label)} would come before the best, with {figure.text(ranking.unit)} "
            f"over the {figure.count:,} of its {counted(len(setting.cells), 'repeat')} that finished."
        )
    return words


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _unlike(sweep: SweepRecord) -> str:
    """Return a warning where settings differ in what the figures are about."""
    about = [factor for factor in sweep.factors if factor.partition(".")[0] in ("data", "loss")]
    if not about:
        return ""
    return (
        f"The settings differ in {listing(map(called, about))}, and their figures compare only as far as "
        "that lets them."
    )
