"""The page in a real browser: quiet, without requests, sortable, harmless, and readable everywhere."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from report_records import HOSTILE
from sweep_records import write_hostile, write_large, write_search

from jactrain.report.page import render
from jactrain.report.runs import read_runs, runs_page
from jactrain.report.sweeps.page import sweep_page
from jactrain.report.sweeps.record import read_sweep

# The relative luminance of a colour as `getComputedStyle` gives it (WCAG 2.2).
LUMINANCE = """
(text) => {
  const [red, green, blue] = text.match(/[\\d.]+/g).map(Number).slice(0, 3).map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
"""
# Every kind of text on the page, and where it stands.
TEXTS = (
    "h1", ".title", ".facts dt", ".facts dd", "h2", "h3", "p", "figcaption", "th button", "tbody th", "td",
    "td.good", "td.bad", "td.open", ".note", "summary", ".caption",
)  # fmt: skip


@dataclass
class Visit:
    """An opened page, and what the browser said and asked for meanwhile."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium")
    if executable is None:
        pytest.fail("there is no chromium to open pages with; apt-get install chromium", pytrace=False)
    with sync_playwright() as playwright:
        # As root, as in containers, Chromium runs only without its sandbox; what it opens is our own.
        started = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def files(
    tmp_path_factory: pytest.TempPathFactory, html: str, hostile_html: str, trained: Path
) -> dict[str, Path]:
    """Pages by name, as files."""
    folder = tmp_path_factory.mktemp("pages")
    other = Path(shutil.copytree(trained, folder / "20260101T000000Z-<script>alert(3)<-0001"))
    pages = {
        "comparison": html,
        "hostile": hostile_html,
        "run": render(runs_page(read_runs([trained]))),
        "runs": render(runs_page(read_runs([trained, other, folder / "nowhere"]))),
        "sweep": render(sweep_page(read_sweep(write_large(folder / "large")))),
        "search": render(sweep_page(read_sweep(write_search(folder / "search")))),
        "hostile sweep": render(sweep_page(read_sweep(write_hostile(folder / "hostile")))),
    }
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in pages}


@pytest.fixture
def visit(browser: Browser, files: dict[str, Path]) -> Iterator[Callable[..., Visit]]:
    opened: list[Page] = []

    def open_page(name: str, width: int = 1280, **emulated: Any) -> Visit:
        page = browser.new_page(viewport={"width": width, "height": 800}, **emulated)
        opened.append(page)
        seen = Visit(page)
        page.on("console", lambda message: seen.said.append(message.text))
        page.on("pageerror", lambda error: seen.said.append(str(error)))
        page.on("request", lambda request: seen.asked.append(request.url))
        page.on("dialog", lambda dialog: (seen.dialogs.append(dialog.message), dialog.dismiss()))
        page.goto(files[name].as_uri())
        return seen

    yield open_page
    for page in opened:
        page.close()


NAMES = ("comparison", "hostile", "run", "runs", "sweep", "search", "hostile sweep")


@pytest.mark.parametrize("name", NAMES)
def test_the_page_is_quiet_asks_for_nothing_and_runs_nothing_foreign(
    visit: Callable[..., Visit], files: dict[str, Path], name: str
) -> None:
    seen = visit(name)
    seen.page.wait_for_load_state("networkidle")
    assert seen.said == []
    assert seen.asked == [files[name].as_uri()]
    assert seen.dialogs == []
    assert seen.page.locator("img").count() == 0
    assert seen.page.locator("script").count() == 1


def test_an_inline_script_from_elsewhere_would_be_refused(visit: Callable[..., Visit]) -> None:
    seen = visit("comparison")
    seen.page.evaluate(
        "() => { const script = document.createElement('script');"
        " script.textContent = 'document.title = \"taken\"'; document.body.append(script); }"
    )
    assert seen.page.title() == "Comparison of modes: digits"
    assert any("Content Security Policy" in text for text in seen.said)


def test_hostile_names_are_read_as_they_were_written(visit: Callable[..., Visit]) -> None:
    page = visit("hostile").page
    text = page.locator("body").evaluate("(body) => body.textContent")
    for name in HOSTILE:
        assert name in text
    assert HOSTILE[0] in page.locator("h1").inner_text()
    swept = visit("hostile sweep").page.locator("body").evaluate("(body) => body.textContent")
    assert all(name in swept for name in HOSTILE)
    drawn = " ".join(page.locator("svg text").all_text_contents())
    assert "{{7*7}}" in drawn
    assert "49" not in page.locator("h1").inner_text()
    assert "<script>alert(3)<" in visit("runs").page.locator("thead").first.evaluate(
        "(head) => head.closest('body').textContent"
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_has_a_title_a_caption_and_its_data(visit: Callable[..., Visit], name: str) -> None:
    page = visit(name).page
    found = page.locator("figure").evaluate_all(
        """(figures) => figures.map((figure) => ({
          title: figure.querySelector("h3").textContent.trim(),
          caption: figure.querySelector("figcaption").textContent.trim(),
          label: figure.querySelector("svg[role=img]").getAttribute("aria-label"),
          described: figure.querySelector("svg > desc").textContent,
          rows: figure.parentElement.querySelectorAll("details table tbody tr").length,
          height: figure.querySelector("svg").getBoundingClientRect().height,
        }))"""
    )
    assert len(found) >= 6
    for figure in found:
        assert figure["title"] == figure["label"].strip()
        assert figure["caption"]
        assert figure["described"]
        assert figure["rows"] > 0
        assert figure["height"] > 60


def column(page: Page, position: int) -> list[str]:
    return page.locator("main table").first.locator(f"tbody tr > :nth-child({position})").all_inner_texts()


def test_tables_sort_by_value_at_a_click_and_by_keyboard_blanks_last(visit: Callable[..., Visit]) -> None:
    page = visit("comparison").page
    header = page.locator("main table").first.locator("th", has_text="time").first
    button, place = header.locator("button"), header.evaluate("(th) => th.cellIndex + 1")
    ascending = [
        "200 µs",
        "210 µs",
        "220 µs",
        "240 µs",
        "970 µs",
        "2.4 ms",
        "3.1 ms",
        "34 ms",
        "36 ms",
        "41 ms",
    ]
    assert header.get_attribute("aria-sort") == "none"
    button.click()
    assert header.get_attribute("aria-sort") == "ascending"
    assert column(page, place) == [*ascending, "–", "–"]
    button.focus()
    page.keyboard.press("Enter")
    assert header.get_attribute("aria-sort") == "descending"
    assert column(page, place) == [*reversed(ascending), "–", "–"]
    page.keyboard.press("Space")
    assert header.get_attribute("aria-sort") == "ascending"
    mode = page.locator("main table").first.locator("th", has_text="mode").first
    mode.locator("button").press("Enter")
    assert header.get_attribute("aria-sort") == "none"
    assert column(page, 1) == sorted(column(page, 1))


@pytest.mark.parametrize("name", NAMES)
def test_a_phone_shows_the_page_without_scrolling_sideways(visit: Callable[..., Visit], name: str) -> None:
    page = visit(name, width=360).page
    page.locator("details").evaluate_all("(all) => all.forEach((details) => { details.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    wide = page.locator(".scroll").first
    assert wide.evaluate("(box) => getComputedStyle(box).overflowX") == "auto"


@pytest.mark.parametrize("name", NAMES)
def test_the_letters_of_drawings_are_large_enough_on_a_phone(visit: Callable[..., Visit], name: str) -> None:
    page = visit(name, width=360).page
    heights = page.locator("svg.drawing text").evaluate_all(
        """(texts) => texts.map((text) => {
          const scale = text.ownerSVGElement.clientWidth / text.ownerSVGElement.viewBox.baseVal.width;
          return scale * parseFloat(getComputedStyle(text).fontSize);
        })"""
    )
    assert min(heights) >= 9
    assert page.locator("svg.drawing").first.evaluate("(svg) => svg.clientWidth") >= 480


def test_names_of_modes_break_between_words_only_and_numbers_nowhere(visit: Callable[..., Visit]) -> None:
    page = visit("comparison", width=360).page
    table = page.locator("main table").first
    lines = table.locator("tbody th").evaluate_all(
        """(cells) => cells.flatMap((cell) => {
          const range = document.createRange(), text = cell.firstChild.textContent;
          range.selectNodeContents(cell);
          const found = [];
          for (const node of cell.childNodes) {
            if (node.nodeType !== Node.TEXT_NODE) continue;
            range.selectNodeContents(node);
            found.push(range.getClientRects().length);
          }
          return found;
        })"""
    )
    assert set(lines) == {1}  # what lies between two places to break at is on one line
    heights = table.locator("td[data-value]").evaluate_all(
        """(cells) => cells.map((cell) => {
          const range = document.createRange();
          range.selectNodeContents(cell);
          return range.getClientRects().length;
        })"""
    )
    assert set(heights) == {1}


@pytest.mark.parametrize("name", ["comparison", "sweep", "search"])
def test_the_first_table_fits_a_wide_page(visit: Callable[..., Visit], name: str) -> None:
    page = visit(name, width=1200).page
    box = page.locator("main .scroll").first
    assert box.evaluate("(box) => box.scrollWidth <= box.clientWidth")


def test_settings_sort_by_what_they_reached_and_by_their_factors(visit: Callable[..., Visit]) -> None:
    page = visit("sweep").page
    head = page.locator("main table").first.locator("th")
    head.filter(has_text="learning_rate").locator("button").click()
    assert column(page, 2) == ["0.001"] * 4 + ["0.003"] * 4 + ["0.01"] * 4 + ["0.03"] * 4 + ["0.1"] * 4
    head.filter(has_text="validation loss").locator("button").click()
    losses = [float(text.split()[0]) for text in column(page, 5)]
    assert losses == sorted(losses)
    assert len(losses) == 20


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_are_read_on_light_and_dark_pages(visit: Callable[..., Visit], scheme: str) -> None:
    page = visit("comparison", color_scheme=scheme).page
    background = page.evaluate(
        f"({LUMINANCE})(getComputedStyle(document.body).backgroundColor)",
    )
    assert background > 0.9 if scheme == "light" else background < 0.02
    for selector in (*TEXTS, "svg text[style*=currentColor]"):
        property_name = "fill" if selector.startswith("svg") else "color"
        place = page.locator(selector).first
        ink = place.evaluate(f"(element) => ({LUMINANCE})(getComputedStyle(element).{property_name})")
        contrast = (max(ink, background) + 0.05) / (min(ink, background) + 0.05)
        assert contrast >= 4.5, (selector, contrast)


def test_drawings_let_the_dark_page_through(visit: Callable[..., Visit]) -> None:
    page = visit("comparison", color_scheme="dark").page
    assert page.locator("svg path[style*='fill: #ffffff']").count() == 0


def test_print_is_light_and_opens_what_is_folded_but_for_data(
    visit: Callable[..., Visit], tmp_path: Path
) -> None:
    page = visit("comparison", color_scheme="dark").page
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details.data[open]").count() == 1
    assert page.locator("details:not(.data):not([open])").count() == 0
    data = page.pdf(path=tmp_path / "page.pdf", format="A4")
    assert len(re.findall(rb"/Type\s*/Page\b", data)) <= 9
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0
