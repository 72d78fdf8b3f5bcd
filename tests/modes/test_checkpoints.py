from functools import cache

import pytest

from jactrain.modes.checkpoints import (
    Advance,
    Keep,
    Reverse,
    advances,
    at_once,
    in_segments,
    revolve,
    square_root,
)


@cache
def least(links: int, slots: int) -> float:
    """Return the least number of links advanced over, by trying every first checkpoint."""
    if links == 1:
        return 0
    if slots == 0:
        return links * (links - 1) // 2
    return min(split + least(links - split, slots - 1) + least(split, slots) for split in range(1, links))


def played(actions, links: int) -> tuple[int, int]:
    """Return how many links are advanced over, and the most arrays kept besides the inputs.

    Asserts that every action starts from an array that is there, and every link is reversed once, in order.
    """
    kept, at, reversed_down_to, advanced, most = [0], 0, links, 0, 0
    for action in actions:
        match action:
            case Advance(start, stop):
                assert kept[-1] == start < stop
                at, advanced = stop, advanced + stop - start
            case Keep(position):
                assert at == position > kept[-1]
                kept.append(position)
                most = max(most, len(kept) - 1)
            case Reverse(start, stop):
                assert stop == reversed_down_to
                assert start in (kept[-1], at)
                if kept[-1] == start:
                    kept.pop()
                reversed_down_to = start
    assert reversed_down_to == 0
    assert kept == []
    return advanced, most


@pytest.mark.parametrize("slots", range(6))
def test_revolve_advances_as_little_as_is_possible(slots):
    for links in range(1, 40):
        advanced, most = played(revolve(links, slots), links)
        assert advanced == advances(links, slots) == least(links, slots)
        assert most <= slots


@pytest.mark.parametrize(
    ("links", "slots", "by_hand"),
    # r l - C(s + r, s + 1) for s = slots + 1 and C(s + r, s) >= l: where the two are equal, all arrays are
    # used r times.
    [(10, 2, 2 * 10 - 5), (56, 2, 5 * 56 - 70), (1001, 9, 4 * 1001 - 364), (1000, 9, 4 * 1000 - 364)],
)
def test_advances_are_the_published_optimum(links, slots, by_hand):
    assert advances(links, slots) == by_hand


@pytest.mark.parametrize("links", [1, 2, 3, 10, 99, 100, 1000])
def test_segments_run_every_link_at_most_twice_with_a_square_root_of_arrays(links):
    slots = square_root(links)
    advanced, most = played(in_segments(links, slots), links)
    assert advanced < links
    assert most == slots <= links**0.5


def test_at_once_advances_over_nothing():
    assert played(at_once(7), 7) == (0, 0)
