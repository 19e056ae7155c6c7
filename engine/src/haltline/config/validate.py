"""Stage 2: values against JSON Schema: the reviewed base, and each plugin's own closed fragment, chosen by its kind.

The fragment that applies is picked by `kind` or action name before anything is validated, so no `oneOf` is ever
searched and every message is about the thing the user meant.
"""

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from haltline.config.finding import Findings, did_you_mean, listing
from haltline.config.scalar import number_trap, resolve, switch_trap
from haltline.config.schema import Schema, base_schema, resolve_ref, sub_schema, types_of
from haltline.config.source import ListNode, MappingNode, Node, ScalarNode
from haltline.config.structure import Walk, describe, describe_scalar
from haltline.errors import Place

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

_FORMS: dict[str, tuple[str, str, str]] = {
    "duration": ("E208", "a duration", "write 90s, 5m, 1h30m or 2d"),
    "fraction": ("E209", "a fraction between 0 and 1", "write 80% or 0.8"),
    "time of day": ("E217", "a time of day", 'write HH:MM in quotes: "17:00"'),
    "id": ("E206", "a name in kebab-case", "use small letters, digits and single hyphens: daily-loss"),
    "name": ("E206", "a name", "use letters, digits, '_', '.' and '-'"),
    "currency": ("E206", "a currency code", "write three or more capital letters: USD, USDT"),
    "template": ("E206", "the name of a template", "write pack/template: starter/daily-realized-loss"),
}
_TYPE_WORDS = {
    "string": "text", "number": "a number", "integer": "a whole number", "boolean": "true or false",
    "array": "a list", "object": "a mapping (key: value)", "null": "nothing",
}  # fmt: skip
_BY_STAGE_1 = frozenset({"additionalProperties", "required"})
_BOUNDS = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "above", "exclusiveMaximum": "below"}
_COUNTS = {
    "minItems": "too few items", "maxItems": "too many items", "minProperties": "too few keys",
    "maxProperties": "more than one key", "minLength": "empty text", "maxLength": "text that is too long",
}  # fmt: skip


def check_base(node: Node, name: str, part: str, findings: Findings, *, where: str = "") -> bool:
    """Stages 1 and 2 of a node against `part` of a base schema (a key of its `$defs`, or "" for the whole)."""
    root = base_schema(name)
    schema = cast("Schema", cast("Schema", root["$defs"])[part]) if part else root
    return _check(node, schema, root, findings, where, _base_validator(name, part))


def check_fragment(node: Node, fragment: Schema, findings: Findings, *, where: str) -> bool:
    """Stages 1 and 2 of a plugin's `config` against the plugin's own closed schema."""
    return _check(node, fragment, fragment, findings, where, None)


def _check(
    node: Node, schema: Schema, root: Schema, findings: Findings, where: str,
    validator: "Draft202012Validator | None",
) -> bool:  # fmt: skip
    before = len(findings.problems)
    Walk(root, findings, where).check(node, schema)
    noted = {problem.place for problem in findings.problems[before:]}
    validator = validator or _validator(schema)
    for error in validator.iter_errors(plain(node, schema, root)):
        _note(error, node, findings, where, noted)
    return len(findings.problems) == before


@functools.cache
def _base_validator(name: str, part: str) -> "Draft202012Validator":
    root = base_schema(name)
    return _validator({"$ref": f"#/$defs/{part}", "$defs": root["$defs"]} if part else root)


def _validator(schema: Schema) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - start-up time of commands that read no files

    return Draft202012Validator(schema)


def plain(node: Node, schema: Schema, root: Schema) -> object:
    """The node as plain values; empty keys are left out, and what came by reference takes the type the schema wants."""
    schema = resolve_ref(schema, root)
    if isinstance(node, MappingNode):
        known = cast("Mapping[str, Schema]", schema.get("properties", {}))
        rest = sub_schema(schema, "additionalProperties")
        return {
            key: plain(value, known.get(key, rest), root)
            for key, value in node.entries.items()
            if node.get(key) is not None or (key not in known and not rest)
        }
    if isinstance(node, ListNode):
        return [plain(item, sub_schema(schema, "items"), root) for item in node.items]
    if not node.referenced:
        return node.value
    types = types_of(schema)
    if not types:
        return node.value
    value = resolve(node.text)
    if isinstance(value, bool):
        return value if "boolean" in types else node.text
    if isinstance(value, int | float):
        return value if types & {"number", "integer"} else node.text
    return node.text


def node_at(node: Node, path: list[str | int]) -> Node:
    """The node a path of keys and indices leads to."""
    for step in path:
        if isinstance(node, MappingNode) and isinstance(step, str):
            node = node.entries[step]
        elif isinstance(node, ListNode) and isinstance(step, int):
            node = node.items[step]
    return node


def dotted(path: list[str | int]) -> str:
    """`limit.steps[0].at`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def _note(error: "ValidationError", root: Node, findings: Findings, where: str, noted: set[Place | None]) -> None:
    keyword = str(error.validator)
    if keyword in _BY_STAGE_1 and error.parent is None:
        return
    path = cast("list[str | int]", list(error.absolute_path))
    node = node_at(root, path)
    if node.place in noted:
        return
    schema = cast("Schema", error.schema) if isinstance(error.schema, Mapping) else {}
    place = node.place
    if "propertyNames" in error.absolute_schema_path and isinstance(node, MappingNode):
        place = node.place_of(str(error.instance))
        node = ScalarNode(text=str(error.instance), value=str(error.instance), place=place, shown=str(error.instance))
    code, what, cure = _words(keyword, error, node, schema)
    findings.add(code, place, what, cure, where=": ".join(part for part in (where, dotted(path)) if part))


def _words(keyword: str, error: "ValidationError", node: Node, schema: Schema) -> tuple[str, str, str]:
    form = str(schema.get("x-form", ""))
    if form == "action":
        cure = "write 'notify' or '{reduce_to: {quantity: 5}}'"
        return "E216", "an action is a name, or one name with its parameters", cure
    if form and keyword in ("type", "pattern", *_BOUNDS) and isinstance(node, ScalarNode):
        return _form_words(form, node)
    if keyword == "type":
        return _type_words(types_of(schema), node)
    if keyword == "enum":
        choices = [str(choice) for choice in cast("list[object]", error.validator_value)]
        word = node.text if isinstance(node, ScalarNode) and not node.referenced else ""
        return "E205", f"{_subject(node)} is not one of {listing(choices)}", _near(word, choices)
    if keyword == "const":
        return (
            "E214",
            f"{_subject(node)} is not the known {error.validator_value!r}",
            f"write {error.validator_value!r}",
        )
    if keyword in _BOUNDS:
        return "E207", f"{_subject(node)} is out of range", f"it must be {_BOUNDS[keyword]} {error.validator_value}"
    if keyword in _COUNTS:
        if str(error.validator_value) == "1":
            return "E213", f"found {_COUNTS[keyword]}", "one is needed"
        found = _COUNTS[keyword].replace("empty text", "text that is too short")
        return "E213", f"found {found}", f"the limit is {error.validator_value}"
    if keyword == "pattern":
        return "E206", f"{_subject(node)} does not have the right form", f"it must match {error.validator_value}"
    hidden = _holds_reference(node)
    return (
        "E215",
        f"does not fit the plugin's {keyword!r}" if hidden else error.message,
        "see the plugin's documentation",
    )


def _form_words(form: str, node: ScalarNode) -> tuple[str, str, str]:
    code, name, cure = _FORMS[form]
    value = node.value
    if not node.referenced and isinstance(value, int | float) and not isinstance(value, bool):
        if form == "duration" and value >= 0:
            cure = f"say the unit: {node.text}s, {node.text}m or {node.text}h"
        if form == "fraction" and 1 < value <= 100:
            cure = f"write {node.text}%"
    return code, f"{_subject(node)} is not {name}", cure


def _type_words(types: frozenset[str], node: Node) -> tuple[str, str, str]:
    wanted = " or ".join(_TYPE_WORDS[name] for name in _TYPE_WORDS if name in types)
    what = f"expected {wanted}, found {describe(node)}"
    if not isinstance(node, ScalarNode) or node.referenced:
        return "E204", what, f"write {wanted}"
    if types & {"number", "integer"} and (trap := number_trap(node.text)):
        return "E212", what, trap
    if "boolean" in types and (trap := switch_trap(node.text)):
        return "E212", what, trap
    if "string" in types and isinstance(node.value, bool | int | float):
        return "E204", what, f'quote it: "{node.text}"'
    return "E204", what, f"write {wanted}"


def _subject(node: Node) -> str:
    if isinstance(node, ScalarNode) and not node.referenced:
        return node.text if isinstance(node.value, int | float) else repr(node.text[:60])
    return describe_scalar(node) if isinstance(node, ScalarNode) else describe(node)


def _near(word: str, choices: list[str]) -> str:
    cure = did_you_mean(word, choices) if word else ""
    return cure if cure.startswith("did you mean") else "choose one of them"


def _holds_reference(node: Node) -> bool:
    if isinstance(node, ScalarNode):
        return node.referenced
    inner = node.items if isinstance(node, ListNode) else node.entries.values()
    return any(_holds_reference(item) for item in inner)
