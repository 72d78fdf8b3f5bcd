"""The JSON Schema of a configuration, for editors: completion, descriptions and red lines while typing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import CoreSchema

from jactrain.registry import Component, Registry, with_article

# yaml-language-server documents drafts up to this one.
_DRAFT = "http://json-schema.org/draft-07/schema#"


def json_schema(model: type[BaseModel], registries: Iterable[Registry[Any]]) -> dict[str, Any]:
    """Return the JSON Schema, draft 7, of a configuration that `model` validates.

    `$defs` has one entry for each of `registries`, by its group: a component is its name, if it needs no
    options, or `{name: {options}}`. Fields that hold components refer to these entries, at any depth.

    Raises KeyError where a field refers to a registry that is not among `registries`.
    """
    registries = list(registries)
    kinds = {kind for registry in registries for _, kind in _kinds(registry)}
    models = [model, *sorted(kinds, key=lambda kind: f"{kind.__module__}.{kind.__qualname__}")]
    references, schema = models_json_schema(
        [(each, "validation") for each in models],
        schema_generator=_WithoutFieldTitles,
    )
    definitions: dict[str, Any] = schema["$defs"]
    for registry in registries:
        definitions[registry.group] = {
            "description": f"{with_article(registry.word).capitalize()}: its name, or {{name: {{options}}}}.",
            "anyOf": [
                choice
                for name, kind in _kinds(registry)
                for choice in _choices(name, kind, references[(kind, "validation")])
            ],
        }
    top = definitions.pop(references[(model, "validation")]["$ref"].rpartition("/")[2])
    if missing := _references([top, definitions]) - {f"#/$defs/{name}" for name in definitions}:
        raise KeyError(f"no definition for {', '.join(sorted(missing))}; give their registries too")
    return {"$schema": _DRAFT, **_draft_7(top), "$defs": _draft_7(definitions)}


def _references(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return set().union(*map(_references, schema))
    if not isinstance(schema, dict):
        return set()
    own = {schema["$ref"]} if isinstance(schema.get("$ref"), str) else set()
    return own.union(*map(_references, schema.values()))


class _WithoutFieldTitles(GenerateJsonSchema):
    """Leaves out titles such as "Learning Rate", which editors would show in place of the key."""

    def field_title_should_be_set(self, schema: CoreSchema) -> bool:
        return False


def _kinds(registry: Registry[Any]) -> list[tuple[str, type[Component]]]:
    return [(name, registry.get(name)) for name in registry.names()]


def _choices(name: str, kind: type[Component], options: dict[str, Any]) -> list[dict[str, Any]]:
    description = (kind.__doc__ or "").strip().partition("\n")[0]
    bare = not any(field.is_required() for field in kind.model_fields.values())
    mapping = {
        "type": "object",
        "description": description,
        "properties": {name: {"anyOf": [options, {"type": "null"}]} if bare else options},
        "required": [name],
        "additionalProperties": False,
    }
    return [{"const": name, "description": description}, mapping] if bare else [mapping]


def _draft_7(schema: Any) -> Any:
    """Return `schema` with what pydantic writes in draft 2020-12 in the words of draft 7."""
    if isinstance(schema, list):
        return [_draft_7(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: _draft_7(value) for key, value in schema.items()}
    if "prefixItems" in schema:  # of tuples
        schema["items"] = schema.pop("prefixItems")
    if "$ref" in schema and len(schema) > 1:  # draft 7 ignores what stands beside a reference
        schema["allOf"] = [{"$ref": schema.pop("$ref")}]
    return schema
