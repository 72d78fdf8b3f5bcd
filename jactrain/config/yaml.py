"""YAML as configurations use it: plain values, and the place of every key and item.

PyYAML's safe loader delivers parser events; this module makes them into values. Nothing is constructed by
tag, so a document can never run code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import yaml

from jactrain.config.places import Place, fail
from jactrain.config.scalars import is_integer, scalar
from jactrain.config.wording import dotted, set_option, shortened, shown
from jactrain.errors import KeyPath

MAXIMUM_BYTES = 1_000_000
MAXIMUM_DEPTH = 50
MAXIMUM_VALUES = 10_000  # scalars, lists and mappings: what takes at most a second to validate
_MAXIMUM_DIGITS = 100  # of one integer; Python refuses to print those of more than 4300
_TOO_DEEP, _FLATTEN = f"this nests deeper than {MAXIMUM_DEPTH} levels", "flatten it; is it the right file?"

# libyaml's parser, where PyYAML was built with it, gives the same events and is 20 times as fast.
_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UNUSABLE = re.compile("[\0\ud800-\udfff]")  # what escapes in double quotes can still bring in

# What the parser complains of (in the words of both its builds), what we say, and what to try.
_COMPLAINTS = (
    ("mapping values are not allowed", "a ':' cannot stand here", "quote text with ': ', and indent alike"),
    ("unexpected end of stream", "this quoted text is not closed", "add the closing quote"),
    ("unknown escape", "unknown escape in this quoted text", "double the backslash, or use single quotes"),
    ("invalid Unicode", "an escape in this quoted text is not Unicode", "write the character itself"),
    ("incompatible YAML", "only YAML 1 is read", "remove the line that begins with %YAML"),
    ("expected ':'", "expected ':' after a key", "write key: value, with a space after the colon"),
    ("expected ',' or ']'", "expected ',' or ']'", "close the list with ']'"),
    ("expected ',' or '}'", "expected ',' or '}'", "close the mapping with '}'"),
    ("node content", "a value is missing here", "write a value, or null"),
    ("expected <block end>", "this line does not fit those above it", "indent what belongs together alike"),
    ("expected '-'", "this line does not fit those above it", "indent what belongs together alike"),
    ("expected key", "this line does not fit those above it", "indent what belongs together alike"),
)  # fmt: skip


def check_size(size: int, origin: str) -> None:
    """Raise ConfigurationError if a configuration of `size` bytes is larger than any is read."""
    if size > MAXIMUM_BYTES:
        message = f"this has {size:,} bytes; a configuration has at most {MAXIMUM_BYTES:,}"
        fail(
            Place(origin), message, "is it the right file? data belong into a csv or npz file that data names"
        )


@dataclass(frozen=True)
class Document:
    """A configuration as plain values, and where each of its keys and items stands.

    `value` holds dicts with text keys, lists and scalars, and is not to be modified. `places` has an entry
    for every key path in it: the place of the key for an entry of a mapping, of the item for one of a list.
    `data` is the text as it was given, before any override.
    """

    value: Any
    origin: str
    places: Mapping[KeyPath, Place]
    data: bytes = b""

    def place(self, path: KeyPath) -> Place:
        """Return the place of the longest part of `path` that exists, which is the `path` of the result."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return self.places[()]

    def with_override(self, assignment: str) -> Document:
        """Return this document with `a.b.0.c=value` applied; `value` is YAML, usually in flow style.

        Integers select items of a list. Mappings on the way are made where there are none, and a component
        given by its bare name becomes `{name: {options}}`. Places within `value` name the argument.

        Raises ConfigurationError for an argument of another form, a value that is not YAML, an index out of
        range, and a path through a scalar.
        """
        name, equals, _ = assignment.partition("=")
        source = _Source(f"--set {shortened(assignment)}", assignment, numbered=False)
        segments = tuple(name.split("."))
        if not equals or "" in segments:
            fail(source.place(0, 0), "expected KEY=VALUE with a dotted key", "for example training.epochs=3")
        _check_characters(assignment, source)
        # Spaces in place of the key leave every column where it is in the argument.
        composer = _Composer(" " * (len(name) + 1) + assignment[len(name) + 1 :], source, segments)
        places = {at[len(segments) :]: place for at, place in composer.places.items()}
        return self._with(segments, composer.value, places, source.place(0, 0))

    def with_value(self, name: str, value: Any, places: Mapping[KeyPath, Place]) -> Document:
        """Return this document with `value` at the dotted `name`, as `with_override` sets it.

        places: where the value and what is in it stand, by key paths below it; messages name these.
        """
        segments = tuple(name.split("."))
        if "" in segments:
            fail(places[()], f"{shown(name)} is no dotted key", "for example training.epochs")
        return self._with(segments, value, places, places[()])

    def _with(
        self, segments: tuple[str, ...], value: Any, places: Mapping[KeyPath, Place], place: Place
    ) -> Document:
        """Return this document with `value` at `segments`; `place` is where that was asked for."""
        changed, path = _assigned(self.value, segments, value, (), place)
        kept = {at: place for at, place in self.places.items() if at[: len(path)] != path}
        for length in range(len(path) + 1):
            kept.setdefault(path[:length], replace(places[()], path=path[:length]))
        for below, there in places.items():
            kept[*path, *below] = replace(there, path=(*path, *below))
        return replace(self, value=changed, places=kept)


def parse(text: str | bytes, origin: str) -> Document:
    """Return the one YAML document in `text`; `origin` is what messages call it, a file name mostly.

    Raises ConfigurationError, with the place, for text that is empty, too large, not UTF-8 or not YAML, that
    nests deeper than 50 levels, and that has more than one document, a key twice, a key that is not text,
    or an anchor, alias, merge key or tag.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    check_size(len(data), origin)
    if isinstance(text, bytes):
        text = _decoded(text, origin)
    text = text.removeprefix("\ufeff")
    source = _Source(origin, text)
    _check_characters(text, source)
    composer = _Composer(text, source, ())
    return Document(composer.value, origin, composer.places, data)


class _Source:
    """The lines of a text, and how a place in it is named."""

    def __init__(self, origin: str, text: str, numbered: bool = True) -> None:
        self.origin = origin
        self.lines = _LINE_BREAK.split(text)
        self.numbered = numbered

    def place(self, line: int, column: int, path: KeyPath = ()) -> Place:
        """Return the place at `line` and `column` counted from 0, as the parser counts."""
        text = self.lines[line] if line < len(self.lines) else ""
        return Place(self.origin, line + 1 if self.numbered else 0, column + 1, text, path)


def _decoded(data: bytes, origin: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        lines = _LINE_BREAK.split(data[: error.start].decode("utf-8"))
        place = Place(origin, len(lines), len(lines[-1]) + 1, lines[-1])
        fail(place, f"the byte 0x{data[error.start]:02x} is not UTF-8", "save the file as text in UTF-8")


def _check_characters(text: str, source: _Source) -> None:
    if found := _UNREADABLE.search(text):
        lines = _LINE_BREAK.split(text[: found.start()])
        message = f"the character U+{ord(found.group()):04X} cannot stand in YAML"
        fail(source.place(len(lines) - 1, len(lines[-1])), message, "remove it; is this a text file?")


class _Composer:
    """Makes the events of one document into `value`, and notes in `places` where everything stands.

    `root` is the key path of the document itself; its length counts towards the depth.
    """

    def __init__(self, text: str, source: _Source, root: KeyPath) -> None:
        self.source = source
        self.places: dict[KeyPath, Place] = {}
        self._text, self._root = text, root
        self._parser = _Parser(text)
        self._values = 0
        self._last = source.place(0, 0)
        try:
            self.value = self._document(root)
        finally:
            self._parser.dispose()

    def _document(self, root: KeyPath) -> Any:
        self._next()  # the start of the stream
        if isinstance(self._next(), yaml.StreamEndEvent):
            self._fail_empty()
        event = self._next()
        self.places[root] = self._place(event, root)
        value = self._node(event, root)
        if value is None and event.start_mark.index == event.end_mark.index:
            self._fail_empty()
        self._next()  # the end of the document
        if not isinstance(event := self._next(), yaml.StreamEndEvent):
            fail(self._place(event, root), "a second document begins here", "keep one document per file")
        return value

    def _fail_empty(self) -> NoReturn:
        if self.source.numbered:
            fail(
                self.source.place(0, 0),
                "the configuration is empty",
                "jactrain init writes one to begin with",
            )
        end = self.source.place(0, len(self.source.lines[0]))
        fail(end, "there is no value after '='", "write null for none, '' for empty text")

    def _next(self) -> Any:
        try:
            event = self._parser.get_event()
        except yaml.MarkedYAMLError as error:
            self._fail_unparseable(error)
        except (yaml.YAMLError, ValueError, OverflowError):
            # Escapes beyond Unicode and endless version numbers: PyYAML converts them unchecked.
            fail(self._last, "what follows is not YAML", "look for a number or an escape that is too long")
        self._last = self._place(event)
        return event

    def _place(self, event: Any, path: KeyPath = ()) -> Place:
        return self.source.place(event.start_mark.line, event.start_mark.column, path)

    def _earlier(self, place: Place) -> str:
        return str(place) if place.line else f"column {place.column}"  # the report names the argument

    def _node(self, event: Any, path: KeyPath) -> Any:
        if len(path) + isinstance(event, yaml.CollectionStartEvent) > MAXIMUM_DEPTH:
            fail(self._place(event, path[:1]), _TOO_DEEP, _FLATTEN)
        self._values += 1
        if self._values > MAXIMUM_VALUES:
            message = f"this is more than the {MAXIMUM_VALUES:,} values that a configuration has at most"
            fail(self._place(event, path[:1]), message, "keep data in a csv or npz file")
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            message = f"anchors and aliases are not read: {shortened(event.anchor)}"
            fail(
                self._place(event, path),
                message,
                "write the value out, or quote text that begins with & or *",
            )
        if event.tag is not None:
            message = f"tags are not read: {shortened(event.tag)}"
            fail(self._place(event, path), message, "remove the tag, or quote text that begins with !")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        return self._list(path) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(path)

    def _until(self, end: type[yaml.Event]) -> Iterator[Any]:
        while not isinstance(event := self._next(), end):
            yield event

    def _list(self, path: KeyPath) -> list[Any]:
        items: list[Any] = []
        for event in self._until(yaml.SequenceEndEvent):
            at = (*path, len(items))
            self.places[at] = self._place(event, at)
            items.append(self._node(event, at))
        return items

    def _mapping(self, path: KeyPath) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        for event in self._until(yaml.MappingEndEvent):
            key = self._key(event, path)
            at = (*path, key)
            if key in entries:
                message = (
                    f"the key {shown(key)} is here a second time, after {self._earlier(self.places[at])}"
                )
                fail(self._place(event, at), message, "keep one of the two")
            self.places[at] = self._place(event, at)
            entries[key] = self._node(self._next(), at)
        return entries

    def _key(self, event: Any, path: KeyPath) -> str:
        if isinstance(event, yaml.CollectionStartEvent):
            fail(self._place(event, path), "a key is text, not a list or a mapping", "write key: value")
        key = self._node(event, path)
        if not isinstance(key, str):
            fail(self._place(event, path), f"a key is text, not {shown(key)}", "put the key in quotes")
        if key == "<<" and not event.style:
            fail(self._place(event, path), "merge keys (<<) are not read", "write the keys out")
        return key

    def _scalar(self, event: Any, path: KeyPath) -> Any:
        text: str = event.value
        if found := _UNUSABLE.search(text):
            message = f"text may not hold the character U+{ord(found.group()):04X}"
            fail(self._place(event, path), message, "remove the escape")
        if event.style:  # quoted, or a block of text
            return text
        if is_integer(text) and len(text) > _MAXIMUM_DIGITS:
            message = f"this integer has {len(text)} digits; at most {_MAXIMUM_DIGITS} are read"
            fail(self._place(event, path), message, "put it in quotes if it is text")
        return scalar(text)

    def _fail_unparseable(self, error: yaml.MarkedYAMLError) -> NoReturn:
        problem, opened = error.problem or "", error.context_mark
        place = self._problem_place(error.problem_mark)
        indentation = place.text[: len(place.text) - len(place.text.lstrip())]
        if "\t" in indentation and not any(word in (error.context or "") for word in ("flow", "quoted")):
            tab = replace(place, column=indentation.index("\t") + 1)
            fail(tab, "a tab cannot indent", "indent with spaces")
        if "cannot start any token" in problem:
            if (character := place.text[place.column - 1 : place.column]) == "\t":
                fail(place, "a tab cannot stand here", "write a space instead")
            fail(place, f"{character!r} cannot begin a value", "put the value in quotes")
        if "nesting depth" in problem and error.problem_mark is not None:
            self._fail_too_deep(error.problem_mark.index)
        for complaint, message, advice in _COMPLAINTS:
            if complaint in problem:
                if opened and "quoted" in message:  # where a quotation begins says more than where it fails
                    place = self.source.place(opened.line, opened.column)
                elif place.column > len(place.text) and ("',' or" in message or "value" in message):
                    message, advice = "the text ends inside a list or a mapping", "close it with ']' or '}'"
                elif opened and "',' or" in message:
                    begun = self.source.place(opened.line, opened.column)
                    message += f" to go on with what begins at {self._earlier(begun)}"
                fail(place, message, advice)
        fail(place, f"this is not YAML: {problem}", "put text with special characters in quotes")

    def _fail_too_deep(self, index: int) -> NoReturn:
        """Fail where our limit is: in the text up to `index`, where libyaml, looking ahead, met its own."""
        _Composer(self._text[:index], self.source, self._root)
        fail(self._last, _TOO_DEEP, _FLATTEN)

    def _problem_place(self, mark: Any) -> Place:
        if mark is None:
            return self._last
        # What is missing at the end of the text is shown behind the last line that has any.
        lines = self.source.lines
        last = max((number for number, line in enumerate(lines) if line.strip()), default=0)
        if mark.line > last:
            return self.source.place(last, len(lines[last].rstrip()))
        return self.source.place(mark.line, mark.column)


def _assigned(
    node: Any, segments: tuple[str, ...], value: Any, path: KeyPath, place: Place
) -> tuple[Any, KeyPath]:
    """Return a copy of `node`, at `path`, with `value` set at `segments` below it, and the path set."""
    if not segments:
        return value, path
    key, *rest = segments
    place = replace(place, path=path)
    where = dotted(path) or "the configuration"
    if isinstance(node, list):
        index = int(key) if key.isascii() and key.isdigit() and len(key) < 10 else -1
        if not 0 <= index < len(node):
            advice = f"use 0 to {len(node) - 1}" if node else f"give the whole list: {where}=[…]"
            fail(place, f"{where} is {shown(node)} and has no item {shown(key)[1:-1]}", advice)
        item, changed = _assigned(node[index], tuple(rest), value, (*path, index), place)
        return [*node[:index], item, *node[index + 1 :]], changed
    if node is None or node == key:  # nothing yet, or a component's bare name
        node = {} if node is None else {key: None}
    if not isinstance(node, dict):
        for segment in reversed(segments):
            value = {segment: value}
        message = f"{where} is {shown(node)} and has no key {shown(key)}"
        fail(place, message, f"to replace it: {set_option(path, value)}")
    entry, changed = _assigned(node.get(key), tuple(rest), value, (*path, key), place)
    return {**node, key: entry}, changed
