"""A page: what was found first, then tables and figures, as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from jactrain.errors import UsageError
from jactrain.files import write_bytes, write_text
from jactrain.report.drawings.base import Drawing
from jactrain.report.texts import clean, shown

if TYPE_CHECKING:
    from markupsafe import Markup


@dataclass(frozen=True)
class Noted:
    """A cell's value with a few words in small below it, and the numbers of the notes that explain it."""

    value: str | float | None
    small: str = ""
    notes: tuple[int, ...] = ()


Cell: TypeAlias = str | float | Noted | None


class Notes:
    """Notes below a table: each distinct text has one number, from 1."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def number(self, *texts: str) -> tuple[int, ...]:
        """Return the numbers of those of `texts` that are not empty, which become notes if they are new."""
        self.texts += [text for text in dict.fromkeys(texts) if text and text not in self.texts]
        return tuple(self.texts.index(text) + 1 for text in dict.fromkeys(texts) if text)


SYMBOLS: Mapping[str, str] = {
    "agree": "✓",
    "agree on average": "✓",
    "finished": "✓",
    "disagree": "✗",
    "failed": "✗",
    "diverged": "✗",
    "killed": "✗",
    "damaged": "✗",
    "undecided": "?",
    "interrupted": "?",
    "running": "?",
    "pruned": "?",
}
_TONES = {"✓": "good", "✗": "bad", "?": "open"}
_MOST_ROWS = 200  # of a table beside a figure; what is left out lies in the recorded file


@dataclass(frozen=True)
class Column:
    """A column: `unit`, for numbers, is one that `texts.shown` knows; a verdict is a word with a symbol."""

    name: str
    kind: Literal["text", "number", "verdict"] = "text"
    unit: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of cells, one for each column; None is blank and sorts last, as do words among numbers.

    note: a sentence below all rows; notes: numbered texts below it, which cells refer to.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    note: str = ""
    notes: Sequence[str] = ()

    def thinned(self) -> Table:
        """Return this table with evenly chosen rows where it has very many, which its note then says."""
        stride = -(-len(self.rows) // _MOST_ROWS)
        if stride <= 1:
            return self
        note = f"Every {stride}th of {len(self.rows):,} rows; the recorded files have all. {self.note}"
        return Table(self.columns, self.rows[::stride], self.title, note.strip(), self.notes)


@dataclass(frozen=True)
class Figure:
    """A drawing with its title, what is seen on it in words, and its data. `name` is that of its files."""

    name: str
    title: str
    caption: str
    drawing: Drawing
    data: Table


@dataclass(frozen=True)
class Section:
    """A heading with paragraphs, tables and figures below it."""

    title: str
    text: Sequence[str] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()

    def __bool__(self) -> bool:
        """Tell whether there is anything below the heading."""
        return bool(self.text or self.tables or self.figures)


@dataclass(frozen=True)
class Page:
    """What a page says, in its order.

    lead: what follows the headline, in sentences. facts: short texts below, by name. warnings: what could
    not be read, in words. configurations: texts by name. environments: mappings by name, as deep as they are.
    """

    title: str
    headline: str
    lead: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    sections: Sequence[Section] = ()
    configurations: Mapping[str, str] = field(default_factory=dict)
    environments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def figures(self) -> list[Figure]:
        """All figures, in the order of the page."""
        return [figure for section in self.sections for figure in section.figures]


def render(page: Page) -> str:
    """Return `page` as one HTML file: its styles, script and drawings are in it, and it asks for nothing."""
    import jinja2
    from markupsafe import Markup

    from jactrain.report.drawings.svg import inline

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("jactrain.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalized,
    )
    environment.filters |= {
        "shown": shown, "verdict": verdict, "tone": tone, "flattened": flattened, "breakable": _breakable,
        "noted": lambda cell: cell if isinstance(cell, Noted) else Noted(cell),
    }  # fmt: skip

    def source(name: str) -> str:
        text = environment.loader.get_source(environment, name)[0]  # type: ignore[union-attr]
        return text.replace("\r\n", "\n")

    drawings: dict[int, Markup] = {}
    for number, figure in enumerate(page.figures, 1):
        svg = inline(figure.drawing.svg("none"), f"f{number}", figure.title, figure.caption)
        drawings[id(figure)] = Markup(svg)  # noqa: S704 - our own drawing, escaped by the XML library
    script = source("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("page.html.j2").render(
        page=page,
        drawing=lambda figure: drawings[id(figure)],
        style=Markup(source("page.css")),  # noqa: S704 - a file of this package
        script=Markup(script),  # noqa: S704 - a file of this package
        script_source=f"'sha256-{digest}'",
    )


def write_figures(page: Page, folder: Path) -> list[Path]:
    """Write every figure as `<name>.svg` and `<name>.png` into `folder`, made if need be; return the paths.

    Raises UsageError where that is not possible.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"the folder {folder} for figures cannot be made: {error.strerror}; choose another with --figures"
        ) from None
    paths = []
    for name, figure in zip(_file_names(page.figures), page.figures, strict=True):
        svg, png = folder / f"{name}.svg", folder / f"{name}.png"
        write_text(svg, figure.drawing.svg())
        write_bytes(png, figure.drawing.png())
        paths += [svg, png]
    return paths


def _file_names(figures: Iterable[Figure]) -> list[str]:
    """Return a plain name for each figure's files, no two the same."""
    names: list[str] = []
    for figure in figures:
        plain = re.sub(r"[^a-z0-9]+", "-", figure.name.lower()).strip("-")[:60] or "figure"
        number = sum(other == plain or other.startswith(f"{plain}-no-") for other in names)
        names.append(f"{plain}-no-{number + 1}" if number else plain)
    return names


def verdict(word: str) -> str:
    """Return a verdict with a symbol before it, so that its colour is not needed."""
    return f"{SYMBOLS.get(word, '–')} {word}"


def tone(word: str) -> str:
    """Return the class that gives a verdict its colour."""
    return _TONES.get(SYMBOLS.get(word, ""), "plain")


def flattened(value: Any, path: str = "") -> list[tuple[str, str]]:
    """Return the leaves of nested mappings and lists, each with its dotted path."""
    if isinstance(value, Mapping) and value:
        return [leaf for key, item in value.items() for leaf in flattened(item, f"{path}.{key}".strip("."))]
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        return [leaf for index, item in enumerate(value) for leaf in flattened(item, f"{path}.{index}")]
    if isinstance(value, list):
        return [(path, " ".join(map(str, value)))]
    words = {None: "–", True: "yes", False: "no"}
    return [(path, words[value] if value is None or isinstance(value, bool) else str(value))]


def _breakable(name: str) -> Markup:
    """Return `name` with places where a narrow table may break it: after `_`, `/`, `.`, `=`, before `(`."""
    from markupsafe import Markup, escape

    text = re.sub(r"([_/.=])(?=\w)|(?=\()", r"\1<wbr>", str(escape(clean(name))))
    return Markup(text)  # noqa: S704 - escaped before


def _finalized(value: Any) -> Any:
    """Clean every text on its way into the page; markup of our own is left alone."""
    return clean(value) if type(value) is str else value
