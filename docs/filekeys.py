"""The reference of the files that people write: their keys, from the schemas; for `generate.py`."""

from collections.abc import Iterator, Mapping
from typing import cast

from markdownpage import code, page, table

from haltline.api.registry import Registry
from haltline.config.schema import Schema, base_schema, compose_schema, resolve_ref, sub_schema


def schema_page(registry: Registry) -> str:
    """Keys of set-up, rule and template files, and the `config` of every built-in kind."""
    parts = [
        "The keys of the files people write. `haltline schema -o haltline.schema.json` writes the same as JSON Schema, "
        "with the parts of installed plugins, for completion in an editor."
    ]
    setup, rules = base_schema("setup"), base_schema("rules")
    parts.append("## haltline.yaml\n\n" + _keys(setup, setup))
    for name in ("account", "broker", "feed", "channel", "operator", "surface", "drill", "instrument", "plugin"):
        parts.append(f"### {name}\n\n" + _keys(_definition(setup, name), setup))
    parts.append("## Rule files\n\n" + _keys(rules, rules))
    for name, title in (("rule", "A rule"), ("use", "A rule from a template"), ("limit", "limit"), ("step", "steps")):
        parts.append(f"### {title}\n\n" + _keys(_definition(rules, name), rules))
    template = base_schema("template")
    parts.append("## Templates\n\n" + _keys(template, template))
    parts.append("### input\n\n" + _keys(_definition(template, "input"), template))
    parts.append("## config of built-in kinds")
    whole = compose_schema(registry)
    for name, fragment in sorted(cast("Mapping[str, Schema]", whole["$defs"]).items()):
        sort, _, kind = name.partition("-kind.")
        if kind:
            parts.append(f"### {sort} of kind {kind}\n\n" + _keys(fragment, whole))
            parts += _nested(fragment, whole)
    return page("Keys of files", *parts)


def _nested(fragment: Schema, root: Schema) -> Iterator[str]:
    for key, value in sub_schema(fragment, "properties").items():
        items = sub_schema(resolve_ref(cast("Schema", value), root), "items")
        if sub_schema(items, "properties"):
            yield f"Each of `{key}`:\n\n" + _keys(items, root)


def _definition(root: Schema, name: str) -> Schema:
    return sub_schema(sub_schema(root, "$defs"), name)


def _keys(schema: Schema, root: Schema) -> str:
    needed = cast("list[str]", schema.get("required", []))
    rows = []
    for key, given in sub_schema(schema, "properties").items():
        target = resolve_ref(cast("Schema", given), root)
        meaning = described(cast("Schema", given), root)
        rows.append((code(key), _shape(target, root), "yes" if key in needed else "", meaning))
    return table(("key", "written as", "required", "meaning"), rows) if rows else "It takes no keys.\n"


def described(schema: Schema, root: Schema) -> str:
    """The first description on the way from a schema along its references; empty where there is none."""
    while "description" not in schema and isinstance(reference := schema.get("$ref"), str):
        found: object = root
        for part in reference.removeprefix("#/").split("/"):
            found = cast("Schema", found)[part]
        schema = cast("Schema", found)
    return str(schema.get("description", ""))


def _shape(schema: Schema, root: Schema) -> str:
    if "const" in schema:
        return code(str(schema["const"]))
    if "enum" in schema:
        return ", ".join(code(str(item)) for item in cast("list[object]", schema["enum"]))
    if "x-form" in schema:
        return str(schema["x-form"])
    types = schema.get("type", "anything")
    names = [types] if isinstance(types, str) else cast("list[str]", types)
    words = {
        "object": "mapping",
        "array": "list",
        "string": "text",
        "boolean": "true or false",
        "integer": "whole number",
    }
    return " or ".join(words.get(name, name) for name in names)
