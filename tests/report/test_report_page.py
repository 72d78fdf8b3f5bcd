"""The HTML of a page, and the files of its figures."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from time import process_time
from xml.etree import ElementTree

import pytest
from report_records import ANSI, HOSTILE, comparison

from jactrain.errors import UsageError
from jactrain.report.comparison import comparison_page
from jactrain.report.drawings.bars import Bars
from jactrain.report.drawings.base import Axis
from jactrain.report.page import (
    Column,
    Figure,
    Page,
    Section,
    Table,
    flattened,
    render,
    verdict,
    write_figures,
)


def test_the_headline_comes_first_then_tables_then_figures_then_configuration(html: str) -> None:
    marks = ["<h1>", "<table>", "<figure>", "<summary>Configuration", "<summary>Environment"]
    places = [html.index(mark) for mark in marks]
    assert places == sorted(places)
    assert "forward agrees with reverse to 9.1e-08" in html[places[0] : places[1]]


def test_the_page_is_small_and_names_nothing_outside_itself(html: str) -> None:
    assert len(html.encode()) < 1_000_000
    assert re.findall(r"(?:src|href)=\"(?!#|data:)[^\"]*", html) == []
    assert "://" not in html
    assert "@import" not in html


def test_the_policy_allows_nothing_but_the_script_that_is_there(html: str) -> None:
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    directives = dict(part.strip().split(" ", 1) for part in unescape(policy).split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == f"'sha256-{digest}'"
    assert directives["img-src"] == "data:"


def test_the_same_record_gives_the_same_page(html: str) -> None:
    assert render(comparison_page(comparison())) == html


def test_a_page_takes_less_than_three_seconds(page: Page) -> None:
    start = process_time()  # what other processes take does not count
    render(page)
    assert process_time() - start < 3


def test_no_two_elements_have_the_same_id_and_every_reference_is_met(html: str) -> None:
    identifiers = re.findall(r'\bid="([^"]*)"', html)
    assert len(identifiers) == len(set(identifiers))
    referred = {*re.findall(r'href="#([^"]*)"', html), *re.findall(r"url\(#([^)]*)\)", html)}
    assert referred
    assert referred == {*identifiers}


def test_every_figure_says_in_words_what_it_shows(page: Page, html: str) -> None:
    assert len(page.figures) >= 15
    assert html.count("<figcaption>") == html.count('role="img"') == len(page.figures)
    assert html.count("<desc>") == len(page.figures)
    for figure in page.figures:
        assert len(figure.caption.split()) >= 6, figure.name
        assert figure.data.rows, figure.name
        assert all(len(row) == len(figure.data.columns) for row in figure.data.rows), figure.name


def test_inline_drawings_take_ink_and_font_from_the_page(html: str) -> None:
    drawings = re.findall(r"<svg .*?</svg>", html, re.DOTALL)
    assert all("currentColor" in drawing for drawing in drawings)
    assert not any("font-family" in drawing or "<style" in drawing for drawing in drawings)


def test_hostile_texts_are_text(hostile_html: str) -> None:
    html = hostile_html
    body = html[html.index("<body>") : html.rindex("<script>")]
    assert "<script" not in body
    assert "<img" not in body
    assert body.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 10
    assert "{{7*7}}" in body
    assert "\x1b" not in html
    assert "\ufffd[31mred" in html
    for drawing in re.findall(r"<svg .*?</svg>", html, re.DOTALL):
        ElementTree.fromstring(drawing)  # noqa: S314 - our own


def test_dollars_in_names_are_no_mathematics(page: Page) -> None:
    drawing = Bars(Axis("$x$"), ["$a_1$", r"\frac $"], {"one": [1.0, 2.0]}, [0, 1])
    svg = drawing.svg()
    assert ">$a_1$<" in svg
    assert ">$x$<" in svg


def test_every_colour_setting_of_the_caller_is_left_alone(page: Page) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"text.usetex": False, "axes.grid": False, "font.size": 40}):
        inside = dict(matplotlib.rcParams)
        first = page.figures[0].drawing.svg()
        assert dict(matplotlib.rcParams) == inside
    assert dict(matplotlib.rcParams) == before
    assert first == page.figures[0].drawing.svg()


def test_nothing_is_left_behind_that_only_a_screen_needs() -> None:
    program = (
        "import sys\n"
        "from jactrain.report.page import render\n"
        "assert 'matplotlib' not in sys.modules and 'jinja2' not in sys.modules\n"
        "from jactrain.report.drawings.bars import Bars\n"
        "from jactrain.report.drawings.base import Axis\n"
        "Bars(Axis('x'), ['a'], {'one': [1.0]}, [0]).svg()\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_verdicts_have_a_symbol_beside_the_word() -> None:
    symbols = {"agree": "✓", "disagree": "✗", "undecided": "?", "reference": "–", "failed": "✗", "new": "–"}
    assert {word: verdict(word) for word in symbols} == {word: f"{symbols[word]} {word}" for word in symbols}


def test_long_tables_are_thinned_and_say_so() -> None:
    table = Table([Column("x", "number")], [(index,) for index in range(1000)])
    thinned = table.thinned()
    assert len(thinned.rows) == 200
    assert thinned.note == "Every 5th of 1,000 rows; the recorded files have all."
    assert Table(table.columns, table.rows[:200]).thinned().note == ""


def test_an_environment_is_flattened_to_dotted_paths() -> None:
    value = {"a": {"b": [1, 2], "c": None}, "d": [{"e": True}], "f": {}}
    assert flattened(value) == [("a.b", "1 2"), ("a.c", "–"), ("d.0.e", "yes"), ("f", "{}")]


def test_figures_are_written_as_svg_and_png_with_plain_names(tmp_path: Path) -> None:
    drawing = Bars(Axis("x"), ["a", "b"], {"one": [1.0, 2.0]}, [0, 1])
    data = Table([Column("x")], [("a",)])
    names = ["agreement-forward(seeds=parameters)", "../../etc", "../../etc", "<>"]
    figures = [Figure(name, "title", "caption", drawing, data) for name in names]
    page = Page("t", "h", sections=[Section("s", figures=figures)])
    paths = write_figures(page, tmp_path / "new" / "figures")
    plain = ["agreement-forward-seeds-parameters", "etc", "etc-no-2", "figure"]
    assert [path.name for path in paths] == [f"{name}.{kind}" for name in plain for kind in ("svg", "png")]
    assert {path.parent for path in paths} == {tmp_path / "new" / "figures"}
    assert paths[0].read_text(encoding="utf-8").startswith("<?xml")
    assert paths[1].read_bytes().startswith(b"\x89PNG")


def test_a_folder_for_figures_that_cannot_be_made_is_named(tmp_path: Path, page: Page) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"figures cannot be made.*--figures"):
        write_figures(page, tmp_path / "file" / "figures")


def test_every_hostile_name_is_shown_whole(hostile_html: str) -> None:
    text = unescape(re.sub(r"<[^>]*>", "", hostile_html))
    assert all(name in text for name in HOSTILE)
    assert ANSI not in text
