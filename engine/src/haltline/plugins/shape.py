"""Is what a plugin registered usable at all? Checked once, before start, so that run time can trust it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from haltline.api import Action, Function, HandledBy, Registry

_NAME = re.compile(r"[a-z][a-z0-9_]*(?:-[a-z0-9_]+)*")
_FIELD_NAME = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+")
_WITH_CALLABLE = {
    "broker": "make",
    "feed": "make",
    "calendar source": "make",
    "channel kind": "make",
    "surface": "make",
}
_VALID: set[str] = set()
"""The schemas that were found valid, as text."""


def misshapen(registry: Registry, owner: str) -> list[str]:
    """Everything wrong with what one plugin registered, in words; empty if nothing is."""
    found: list[str] = []
    for shelf in registry.shelves():
        for name, thing, thing_owner in shelf.items():
            if thing_owner == owner:
                found.extend(f"{shelf.sort} {name!r}: {flaw}" for flaw in _flaws(shelf.sort, name, thing))
    return found


def _flaws(sort: str, name: str, thing: Any) -> Iterator[str]:
    pattern = _FIELD_NAME if sort == "field" else _NAME
    if not isinstance(name, str) or not pattern.fullmatch(name):
        yield "its name must be lower-case letters, digits, '_' and '-'" + (" with dots" if sort == "field" else "")
    if not getattr(thing, "meaning", "a meaning is not asked of this sort"):
        yield "its meaning is empty"
    if sort in _WITH_CALLABLE and not callable(getattr(thing, _WITH_CALLABLE[sort])):
        yield "its `make` cannot be called"
    if hasattr(thing, "schema"):
        yield from _schema_flaws(thing.schema, may_be_empty=isinstance(thing, Action))
    if isinstance(thing, Action):
        yield from _action_flaws(thing)
    if isinstance(thing, Function):
        yield from _function_flaws(thing)


def _action_flaws(action: Action) -> Iterator[str]:
    if action.handled_by is HandledBy.ENFORCE and action.run is None:
        yield "the enforcer is to carry it out, and it has no `run`"
    if not action.scopes:
        yield "it is allowed in no scope"
    yield from _repeated([parameter.name for parameter in action.parameters])


def _function_flaws(function: Function) -> Iterator[str]:
    if not callable(function.call):
        yield "its `call` cannot be called"
    if not function.name.isidentifier():
        yield "its name must be usable in an expression"
    yield from _repeated([parameter.name for parameter in function.parameters])


def _repeated(names: list[str]) -> Iterator[str]:
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"parameter {name!r} is declared twice"


def _schema_flaws(schema: object, *, may_be_empty: bool) -> Iterator[str]:
    if not isinstance(schema, Mapping):
        yield "its schema is not a mapping"
        return
    if not schema and may_be_empty:
        return
    try:
        _require_valid(schema)
    except SchemaError as error:
        yield f"its schema is not a valid JSON Schema: {error.message}"
        return
    if schema.get("type") != "object":
        yield "its schema must describe a mapping (type: object)"
    yield from (
        f"its schema is open at {place}: set additionalProperties to false" for place in _open(schema, "the top")
    )


def _require_valid(schema: Mapping[str, Any]) -> None:
    """Raises SchemaError. What was valid is not looked at again: each load meets the same schemas."""
    written = repr(schema)
    if written not in _VALID:
        Draft202012Validator.check_schema(dict(schema))
        _VALID.add(written)


def _open(schema: object, place: str) -> Iterator[str]:
    """Where a schema of a mapping lets unknown keys pass."""
    if not isinstance(schema, Mapping):
        return
    says = "additionalProperties" in schema or "unevaluatedProperties" in schema
    if (schema.get("type") == "object" or "properties" in schema) and (
        not says or schema.get("additionalProperties") is True
    ):
        yield place
    properties = schema.get("properties")
    for name, part in properties.items() if isinstance(properties, Mapping) else ():
        yield from _open(part, f"{name!r}")
    for key in ("items", "additionalProperties"):
        yield from _open(schema.get(key), f"{place} ({key})")
