"""The schemas: the reviewed base files, and the whole that grows with what plugins register (`haltline schema`).

The composed schema is for editors: it tells set-up, rules and template apart, and chooses by `kind` and by action name
with `if`/`then`, so that an editor's message is about the thing that was meant.
"""

import functools
import json
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import cast

from haltline.api.action import Action
from haltline.api.field import Kind
from haltline.api.function import Parameter
from haltline.api.registry import Registry

type Schema = Mapping[str, object]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DURATION = "^([0-9]+(\\.[0-9]+)?(ms|s|m|h|d|w))+$"


@functools.cache
def base_schema(name: str) -> Schema:
    """One of the reviewed base schemas: `setup`, `rules` or `template`."""
    text = resources.files("haltline_schemas").joinpath(f"{name}.schema.json").read_text("utf-8")
    return cast("Schema", json.loads(text))


def types_of(schema: Schema) -> frozenset[str]:
    """The JSON types a schema allows; empty for any."""
    types = schema.get("type", ())
    return frozenset((types,) if isinstance(types, str) else cast("list[str]", types))


def sub_schema(schema: Schema, key: str) -> Schema:
    """The schema under a keyword, or the one that allows anything."""
    found = schema.get(key)
    return found if isinstance(found, Mapping) else {}


def resolve_ref(schema: Schema, root: Schema) -> Schema:
    """The schema that a local `$ref` points to; anything else unchanged."""
    seen = 0
    while isinstance(reference := schema.get("$ref"), str) and reference.startswith("#") and seen < 20:
        found: object = root
        for part in reference[1:].strip("/").split("/"):
            if part:
                found = cast("Schema", found)[part.replace("~1", "/").replace("~0", "~")]
        schema, seen = cast("Schema", found), seen + 1
    return schema


def compose_schema(registry: Registry) -> dict[str, object]:
    """One self-contained JSON Schema for every file a person writes, with all that plugins registered."""
    definitions: dict[str, object] = {}
    for name in ("setup", "rules", "template"):
        _adopt(name, definitions)
    _choose_by_kind(definitions, "broker", {name: kind.schema for name, kind, _ in registry.brokers.items()})
    _choose_by_kind(definitions, "feed", {name: kind.schema for name, kind, _ in registry.feeds.items()})
    _choose_by_kind(definitions, "channel", {name: kind.schema for name, kind, _ in registry.notifiers.items()})
    _choose_by_kind(definitions, "surface", {name: kind.schema for name, kind, _ in registry.surfaces.items()})
    definitions["rules.action"] = _action_choice([action for _, action, _ in registry.actions.items()], definitions)
    has_rules = {"required": ["rules"], "properties": {"rules": {"type": "array", "items": {"type": "object"}}}}
    return {
        "$schema": DIALECT,
        "title": "Haltline: set-up, rules and templates",
        "type": "object",
        "if": {"required": ["template"]},
        "then": {"$ref": "#/$defs/template"},
        "else": {"if": has_rules, "then": {"$ref": "#/$defs/rules"}, "else": {"$ref": "#/$defs/setup"}},
        "$defs": definitions,
    }


def _adopt(name: str, definitions: dict[str, object]) -> None:
    """Take a base schema and its definitions over under prefixed names."""
    base = dict(base_schema(name))
    for key, value in cast("Schema", base.pop("$defs", {})).items():
        definitions[f"{name}.{key}"] = _moved(value, "#/$defs/", f"#/$defs/{name}.")
    for key in ("$schema", "$id"):
        base.pop(key, None)
    definitions[name] = _moved(base, "#/$defs/", f"#/$defs/{name}.")


def _moved(value: object, old: str, new: str) -> object:
    if isinstance(value, Mapping):
        return {
            key: new + item.removeprefix(old) if key == "$ref" and isinstance(item, str) and item.startswith(old)
            else _moved(item, old, new)
            for key, item in value.items()
        }  # fmt: skip
    return [_moved(item, old, new) for item in value] if isinstance(value, list | tuple) else value


def _embedded(name: str, fragment: Schema, definitions: dict[str, object]) -> dict[str, object]:
    """Put a plugin's schema among the definitions, its own references kept working; a reference to it."""
    bare = {key: value for key, value in fragment.items() if key not in ("$schema", "$id")}
    moved = cast("dict[str, object]", _moved(bare, "#", f"#/$defs/{name}"))
    definitions[name] = moved
    return {"$ref": f"#/$defs/{name}"}


def _choose_by_kind(definitions: dict[str, object], sort: str, fragments: Mapping[str, Schema]) -> None:
    entry = dict(cast("Schema", definitions[f"setup.{sort}"]))
    properties = dict(cast("Schema", entry["properties"]))
    properties["kind"] = {"enum": sorted(fragments), "description": f"The kind of {sort}; plugins bring more."}
    entry["properties"] = properties
    choices = [
        {
            "if": {"required": ["kind"], "properties": {"kind": {"const": name}}},
            "then": {"properties": {"config": _embedded(f"{sort}-kind.{name}", fragment, definitions)}},
        }
        for name, fragment in sorted(fragments.items())
    ]
    if choices:
        entry["allOf"] = choices
    definitions[f"setup.{sort}"] = entry


def _action_choice(actions: Iterable[Action], definitions: dict[str, object]) -> dict[str, object]:
    known = {action.name: action for action in actions}
    bare = sorted(name for name, action in known.items() if not any(map(is_needed, action.parameters)))
    properties = {
        name: _embedded(f"action.{name}", action.schema or _parameters_schema(action), definitions)
        for name, action in sorted(known.items())
    }
    return {
        "description": "The name of an action, or one name with its parameters.",
        "type": ["string", "object"],
        "if": {"type": "string"},
        "then": {"enum": bare},
        "else": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
            "properties": properties,
        },
    }


def is_needed(parameter: Parameter) -> bool:
    """Whether a parameter must be given."""
    return parameter.required and parameter.default is None


def _parameters_schema(action: Action) -> dict[str, object]:
    schema: dict[str, object] = {
        "description": action.meaning,
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {parameter.name: _parameter_schema(parameter) for parameter in action.parameters},
    }
    needed = [parameter.name for parameter in action.parameters if is_needed(parameter)]
    return {**schema, "type": "object", "required": needed} if needed else schema


def _parameter_schema(parameter: Parameter) -> dict[str, object]:
    described: dict[str, object] = {"description": parameter.meaning} if parameter.meaning else {}
    if parameter.choices:
        return {**described, "enum": list(parameter.choices)}
    match parameter.kind:
        case Kind.BOOL:
            return {**described, "type": "boolean"}
        case Kind.TIME_OF_DAY:
            return {**described, "type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}
        case Kind.TEXT | Kind.ENUM:
            return {**described, "type": ["string", "number"]}
        case _:
            return {**described, "type": ["number", "string"]}
