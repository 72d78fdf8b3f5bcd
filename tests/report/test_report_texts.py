import pytest

from jactrain.report.texts import clean, labels, listing, one_line, plain, seconds, shortened, shown


@pytest.mark.parametrize(
    ("text", "shown_as"),
    [
        ("\x1b[31mred\x1b[0m", "\ufffd[31mred\ufffd[0m"),
        ("a\x00b\x85\ud800\ufffe\u202e", "a\ufffdb\ufffd\ufffd\ufffd\ufffd"),
        ("kept\tand\nkept, σ 😀", "kept\tand\nkept, σ 😀"),
    ],
)
def test_characters_that_xml_or_a_terminal_must_not_get_are_replaced(text: str, shown_as: str) -> None:
    assert clean(text) == shown_as


def test_a_label_is_on_one_line_and_short() -> None:
    assert one_line("two\n  lines\t") == "two lines"
    assert shortened("abcdefghij", 7) == "abc…hij"
    assert shortened("abcdefg", 7) == "abcdefg"


def test_labels_stay_apart_and_put_options_on_a_second_line() -> None:
    long = "layer_" * 20
    found = labels([f"{long}a{long}", f"{long}b{long}", "finite_difference(dtype=float64)", "", "\n"])
    assert len(set(found)) == 5
    assert found[2] == "finite_difference\n(dtype=float64)"
    assert found[3] == "(no name)"
    assert max(len(line) for label in found for line in label.split("\n")) <= 30


def test_labels_of_several_settings_break_between_them() -> None:
    found = labels(
        [
            "reverse · rate=0.1",
            "feedback_alignment · learning_rate=0.1",
            "random_forward(directions=64) · learning_rate=0.1",
            "a_long_setting=1 · another_setting=2 · yet_another_setting=3 · and_one_more=4",
        ]
    )
    assert found[:3] == [
        "reverse · rate=0.1",
        "feedback_alignment ·\nlearning_rate=0.1",
        "random_forward\n(directions=64) ·\nlearning_rate=0.1",
    ]
    assert found[3].count("\n") == 2
    assert max(len(line) for label in found for line in label.split("\n")) <= 26


def test_a_listing_counts_what_is_too_much() -> None:
    assert listing([]) == ""
    assert listing(["a"]) == "a"
    assert listing(["a", "b", "c"]) == "a, b and c"
    assert listing("abcdefgh", 3) == "a, b, c and 5 more"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "s", "–"),
        (float("nan"), "", "–"),
        (0.0, "s", "0 s"),
        (0.00123456, "s", "1.23 ms"),
        (0.0009999, "s", "1 ms"),
        (36.4, "s", "36.4 s"),
        (1250000, "B", "1.19 MiB"),
        (0.98333, "%", "98.33 %"),
        (4810, "count", "4,810"),
        (1.5e7, "count", "1.5×10⁷"),
        (9.12e-8, "error", "9.1e-08"),
        (17.24, "error", "17.2"),
        (0, "error", "0"),
        (1 - 1e-9, "cosine", "0.999999999"),
        (0.0583, "cosine", "0.0583"),
        (4.6, "×", "4.6 ×"),
        (0.03617, "", "0.03617"),
    ],
)
def test_numbers_are_shown_in_their_unit(value: float | None, unit: str, text: str) -> None:
    assert shown(value, unit) == text


def test_very_large_and_small_numbers_have_powers_of_ten() -> None:
    assert plain(1e-9) == "10⁻⁹"
    assert plain(-1e-9) == "-10⁻⁹"
    assert plain(-2.5e30) == "-2.5×10³⁰"
    assert plain(123456) == "123,500"
    assert plain(4169.3) == "4,169"
    assert seconds(3e-10) == "0.3 ns"
