"""Components by name: what a configuration can ask for, and how a name becomes an object.

A component is a frozen pydantic model: its fields are its options, its methods are its rules. In a
configuration it is its name, or `{name: {options}}`. Third parties register through entry points of
the group `jactrain.<registry>` or a module given to `--plugin`; a configuration names kinds only, so
it can never import code.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import pkgutil
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Generic, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic.annotated_handlers import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from jactrain.aliases import ALIASES
from jactrain.errors import KeyPath, RegistrationError

_NOWHERE: KeyPath = ()
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


class PlacedValueError(ValueError):
    """What a validator of options says of one of them, at `path` below."""

    def __init__(self, message: str, path: KeyPath) -> None:
        self.path = path
        super().__init__(message)


class Options(BaseModel):
    """Base of every model that a configuration is validated by: strict, frozen, no unknown key, no NaN."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    @model_validator(mode="wrap")
    @classmethod
    def _name_the_nearest_option(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Say "did you mean" for an unknown key; pydantic knows the fields only here."""
        try:
            return handler(value)
        except ValidationError as error:
            details = [
                _unknown_key(detail, cls.model_fields)
                if detail["type"] == "extra_forbidden" and len(detail["loc"]) == 1
                else _moved(detail, ())
                for detail in error.errors(include_url=False)
            ]
            raise ValidationError.from_exception_data(cls.__name__, details) from None


class Component(Options):
    """Base of everything that has a registered kind; `kind` is set by its registry."""

    kind: ClassVar[str] = ""


C = TypeVar("C", bound=Component)


class Registry(Generic[C]):
    """The kinds of one sort of component, by name.

    `word` is what a message calls one of them ("layer"); `group` is the plural that names the
    registry, its entry points (`jactrain.<group>`) and its JSON Schema definition.
    """

    def __init__(self, word: str, group: str) -> None:
        self.word = word
        self.group = group
        self._kinds: dict[str, type[C]] = {}
        self._entry_points_loaded = False

    def register(self, name: str) -> Callable[[type[C]], type[C]]:
        """Return a class decorator that registers a component as `name`.

        Raises RegistrationError for a name that is taken or is not `lower_case_words`, and for a
        class without a docstring of its own or with abstract methods left.
        """

        def decorate(component: type[C]) -> type[C]:
            if not _NAME.match(name):
                raise RegistrationError(
                    f"{with_article(self.word)} is named in lower_case_words, not {name!r}; rename it"
                )
            if name in self._kinds:
                raise RegistrationError(
                    f"the {self.word} {name!r} is registered already, by "
                    f"{self._kinds[name].__module__}; choose another name"
                )
            if not component.__dict__.get("__doc__"):
                raise RegistrationError(
                    f"the {self.word} {name!r} ({component.__qualname__}) has no docstring; "
                    "its first line is what `jactrain list` prints"
                )
            missing = sorted(getattr(component, "__abstractmethods__", ()))
            if missing:
                raise RegistrationError(
                    f"the {self.word} {name!r} ({component.__qualname__}) does not define "
                    f"{', '.join(missing)}"
                )
            component.kind = name
            self._kinds[name] = component
            return component

        return decorate

    def get(self, name: str) -> type[C]:
        """Return the class registered as `name`; KeyError with the nearest names if there is none."""
        if name not in self._kinds:
            self._load_entry_points()
        if name not in self._kinds:
            raise KeyError(self.unknown(name))
        return self._kinds[name]

    def names(self) -> list[str]:
        """Return all registered names, sorted."""
        self._load_entry_points()
        return sorted(self._kinds)

    def unknown(self, name: object) -> str:
        """Return the message for a `name` that is not registered, with "did you mean"."""
        own = "" if self._near(str(name)) else "; one of your own has to be imported first (--plugin)"
        return f"there is no {self.word} {name!r}; {self.suggestion(str(name))}{own}"

    def suggestion(self, name: str) -> str:
        """Return "did you mean …?" for the kind that `name` may stand for elsewhere, or for the nearest."""
        return _suggestion(self._near(name), self.names())

    def _near(self, name: str) -> list[str]:
        meant = ALIASES.get(self.group, {}).get(_spelled(name))
        return [meant] if meant in self._kinds else nearest(name, self.names())

    def resolve(self, value: Any, context: dict[str, Any] | None = None) -> C:
        """Turn `value`, a component, a name or `{name: {options}}`, into a component.

        `context` is pydantic's validation context: `{"folder": Path}` of the configuration.

        Raises pydantic's ValidationError whose locations start at `value`, the kind included.
        """
        if isinstance(value, Component):
            return value  # type: ignore[return-value]  # checked by the caller's field type
        options: Any
        place = _NOWHERE
        if isinstance(value, str):
            name, options = value, {}
        elif isinstance(value, dict) and len(value) == 1 and isinstance(next(iter(value)), str):
            name, options = next(iter(value.items()))
            options, place = ({} if options is None else options), (name,)
        else:
            raise _invalid(self.word, "component", self._shape_message(value), (), value)
        try:
            kind = self.get(name)
        except KeyError as error:
            raise _invalid(self.word, "unknown_kind", error.args[0], place, value) from None
        if not isinstance(options, dict):
            message = f"the options of {name} are a mapping of names to values, not {options!r}"
            raise _invalid(self.word, "options", message, place, value)
        try:
            return kind.model_validate(options, context=context)
        except ValidationError as error:
            raise ValidationError.from_exception_data(
                self.word, [_moved(detail, place) for detail in error.errors(include_url=False)]
            ) from None

    def _shape_message(self, value: Any) -> str:
        example = self.names()[0]
        keys = f" with the {len(value)} keys {', '.join(map(str, value))}" if isinstance(value, dict) else ""
        came = f"a mapping{keys}" if isinstance(value, dict) else repr(value)
        return f"{with_article(self.word)} is its name ({example}) or {{name: {{options}}}}, not {came}"

    def _load_entry_points(self) -> None:
        if not self._entry_points_loaded:
            self._entry_points_loaded = True
            for entry_point in importlib.metadata.entry_points(group=f"jactrain.{self.group}"):
                entry_point.load()


class ComponentOf:
    """Annotation for a pydantic field that holds a component of `registry`.

    `Annotated[Layer, ComponentOf(layers)]` accepts a component, a name, or `{name: {options}}`, and
    serialises back to the shortest of the last two.
    """

    def __init__(self, registry: Registry[Any]) -> None:
        self.registry = registry

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate through the registry at validation time, so that plug-ins are seen."""

        def validate(value: Any, info: core_schema.ValidationInfo) -> Any:
            return self.registry.resolve(value, info.context)

        return core_schema.with_info_plain_validator_function(
            validate,
            serialization=core_schema.plain_serializer_function_ser_schema(as_configuration),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Refer to the definition that `jactrain.config.schema` assembles from the registry."""
        # Within `allOf`, since pydantic would look up a plain reference among its own definitions.
        return {"allOf": [{"$ref": f"#/$defs/{self.registry.group}"}]}


def as_configuration(component: Component) -> Any:
    """Return `component` as a configuration writes it, without the options that are null by default."""
    fields = type(component).model_fields
    written = component.model_dump(mode="json")
    options = {
        name: value
        for name, value in written.items()
        if value is not None or fields[name].default is not None
    }
    return {component.kind: options} if options else component.kind


def summary(component: type[Component]) -> str:
    """Return the first paragraph of a component's docstring, on one line."""
    return " ".join((component.__doc__ or "").strip().split("\n\n")[0].split())


def suggest(word: str, known: Iterable[str]) -> str:
    """Return "did you mean …?" for the nearest of `known`, or the list of all."""
    known = sorted(known)
    return _suggestion(nearest(word, known), known)


def nearest(word: str, known: Iterable[str]) -> list[str]:
    """Return those of `known` that are spelled much like `word`, at most three, the nearest first."""
    return difflib.get_close_matches(_spelled(word), sorted(known), n=3, cutoff=0.6)


def _suggestion(near: Sequence[str], known: Sequence[str]) -> str:
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"there are {', '.join(known)}" if known else "there are none"


def with_article(noun: str) -> str:
    """Return `noun` after "a" or "an"."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _spelled(name: str) -> str:
    return name.lower().replace("-", "_").replace(" ", "_")


def import_all(package: str, path: Iterable[str]) -> None:
    """Import every module of `package`, so that one file more is one kind more."""
    for module in pkgutil.iter_modules(path):
        importlib.import_module(f"{package}.{module.name}")


def _invalid(title: str, kind: str, message: str, place: KeyPath, value: Any) -> ValidationError:
    # Braces in a message must not be read as pydantic's placeholders.
    error = PydanticCustomError(kind, "{message}", {"message": message})
    return ValidationError.from_exception_data(title, [InitErrorDetails(type=error, loc=place, input=value)])


def _unknown_key(detail: Any, known: Iterable[str]) -> InitErrorDetails:
    message = f"unknown key {detail['loc'][0]!r}; {suggest(str(detail['loc'][0]), known)}"
    error = PydanticCustomError("unknown_key", "{message}", {"message": message})
    return InitErrorDetails(type=error, loc=detail["loc"], input=detail["input"])


def _moved(detail: Any, place: KeyPath) -> InitErrorDetails:
    context = {"message": detail["msg"], **detail.get("ctx", {})}
    error = PydanticCustomError(detail["type"], "{message}", context)
    return InitErrorDetails(type=error, loc=(*place, *detail["loc"]), input=detail["input"])
