"""A drawing within a page: it takes the page's ink and font, and shares no id with another."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from jactrain.report.drawings.base import INK
from jactrain.report.texts import clean

_NUMBER = re.compile(r"-?\d+\.\d+")
_FONT = re.compile(r"font-family:[^;]*;?\s*")
_REFERENCE = re.compile(r"url\(#([^)]*)\)")
_NO_TURN = re.compile(r"rotate\(-?0 [^)]*\)$")
_UNUSED = ("metadata", "style")


def inline(svg: str, prefix: str, title: str, description: str) -> str:
    """Return the `<svg>` element for a page, from a file that one of our drawings made.

    prefix: of every id, so that several drawings on one page do not refer to each other's parts. The element
    is named by `title` and described by `description` for those who do not see it.
    """
    root = ElementTree.fromstring(svg)  # noqa: S314 - matplotlib wrote it, a moment ago
    _strip(root)
    found = dict.fromkeys(match for element in root.iter() for match in _references(element))
    names = {identifier: f"{prefix}-{number}" for number, identifier in enumerate(found)}
    for element in root.iter():
        _rename(element, names)
    _unwrap(root)
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.set("class", "drawing")
    root.set("role", "img")
    root.set("aria-label", clean(title))
    for position, (tag, text) in enumerate((("title", title), ("desc", description))):
        child = ElementTree.Element(tag)
        child.text = clean(text)
        root.insert(position, child)
    return ElementTree.tostring(root, encoding="unicode")


def _strip(element: ElementTree.Element) -> None:
    """Leave out namespaces, which HTML has by itself, metadata, rules for the whole page, and line ends."""
    element.tag = element.tag.rpartition("}")[2]
    element.attrib = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
    for child in list(element):
        _strip(child)
        if child.tag in _UNUSED or (child.tag == "defs" and not len(child)):
            element.remove(child)
        child.tail = None
    if element.tag != "text":
        element.text = None


def _references(element: ElementTree.Element) -> list[str]:
    found = [match[1] for value in element.attrib.values() for match in _REFERENCE.finditer(value)]
    href = element.get("href", "")
    return [*found, href[1:]] if href.startswith("#") else found


def _rename(element: ElementTree.Element, names: dict[str, str]) -> None:
    """Give `element` its new id, refer to the new ids of others, and leave out what says nothing."""
    identifier = element.attrib.pop("id", None)
    if identifier in names:
        element.set("id", names[identifier])
    href = element.get("href", "")
    if href.startswith("#"):
        element.set("href", f"#{names[href[1:]]}")
    elif href:
        element.set("href", "".join(href.split()))
    for name in ("clip-path", "style", "d", "transform", "x", "y"):
        value = element.get(name)
        if value is None:
            continue
        value = _REFERENCE.sub(lambda match: f"url(#{names[match[1]]})", value)
        value = _FONT.sub("", value).replace(INK, "currentColor")
        if name not in ("style", "transform"):
            value = " ".join(_NUMBER.sub(_rounded, value).split())
        element.set(name, value)
    if _NO_TURN.match(element.get("transform", "")):
        del element.attrib["transform"]


def _unwrap(element: ElementTree.Element) -> None:
    """Put what groups without any attribute hold into their place."""
    children: list[ElementTree.Element] = []
    for child in element:
        _unwrap(child)
        children += list(child) if child.tag == "g" and not child.attrib else [child]
    element[:] = children


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
