"""Everything rules can name, with its meaning: the reference that people search, generated from the code itself."""

from collections.abc import Iterator

import msgspec

from haltline.api.action import Action
from haltline.api.function import Function, Parameter
from haltline.api.registry import Registry
from haltline.expr.stdlib import BUILTINS, BuiltinFunction
from haltline.state.field import COLLECTIONS, FIELDS

SHAPES: dict[str, tuple[str, str]] = {
    "change": ("change(x, duration)", "how much x has risen (or fallen, negative) within the duration"),
    "max_over": ("max_over(x, duration)", "the highest value of x within the duration"),
    "min_over": ("min_over(x, duration)", "the lowest value of x within the duration"),
    "avg_over": ("avg_over(x, duration)", "the average of x over the duration"),
    "stddev_over": ("stddev_over(x, duration)", "the standard deviation of x over the duration"),
    "count": (
        "count(collection, duration)",
        "how many there were within the duration; or how many of a generator hold",
    ),
    "sum": ("sum(collection.field, duration)", "the sum within the duration; or the sum of a generator"),
    "streak": ("streak(condition over account.fills)", "how many of the newest in a row fulfil the condition"),
    "any": ("any(condition for p in collection)", "whether the condition holds for at least one"),
    "all": ("all(condition for p in collection)", "whether the condition holds for every one"),
    "known": ("known(x)", "whether x has a value now: neither missing nor stale"),
    "age": ("age(x)", "seconds since x was last refreshed"),
    "coalesce": ("coalesce(x, y)", "x where it is known, else y"),
}
"""What the language itself knows beyond plain functions: how it is written, and what it means."""
_LETTERS = ("x", "y", "z")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One name. `sort` is field, collection, function or action; `shape` how it is written; `origin` who brings it."""

    sort: str
    name: str
    shape: str
    kind: str
    meaning: str
    unit: str = ""
    choices: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    example: str = ""
    origin: str = "haltline"


def reference(registry: Registry) -> list[Entry]:
    """All entries: fields and collections in the order of the table, then functions and actions by name."""
    return [*_fields(registry), *_collections(), *_functions(registry), *_actions(registry)]


def _fields(registry: Registry) -> Iterator[Entry]:
    own = [(field, "haltline") for field in FIELDS]
    added = [(field, owner) for _, field, owner in registry.fields.items()]
    for field, origin in (*own, *added):
        yield Entry(
            sort="field",
            name=field.name,
            shape=field.name,
            kind=field.kind.value,
            meaning=field.meaning,
            unit=field.unit,
            choices=field.choices,
            origin=origin,
        )


def _collections() -> Iterator[Entry]:
    for collection in COLLECTIONS:
        yield Entry(
            sort="collection",
            name=collection.name,
            shape=f"… for p in {collection.name}",
            kind=f"of {collection.item}",
            meaning=collection.meaning,
        )


def _functions(registry: Registry) -> Iterator[Entry]:
    entries = [_builtin(name, function) for name, function in BUILTINS.items()]
    entries += [
        Entry(sort="function", name=name, shape=shape, kind="", meaning=meaning)
        for name, (shape, meaning) in SHAPES.items()
    ]
    entries += [_registered(function, owner) for _, function, owner in registry.functions.items()]
    yield from sorted(entries, key=lambda entry: entry.name)


def _builtin(name: str, function: BuiltinFunction) -> Entry:
    given = _LETTERS[: function.least] if function.most < 16 else (*_LETTERS[:2], "…")
    kind = "the kind of its arguments" if function.keeps_kind else "number"
    return Entry(sort="function", name=name, shape=f"{name}({', '.join(given)})", kind=kind, meaning=function.meaning)


def _registered(function: Function, owner: str) -> Entry:
    names = ", ".join(parameter.name for parameter in function.parameters)
    return Entry(
        sort="function",
        name=function.name,
        shape=f"{function.name}({names})",
        kind=function.returns.value,
        meaning=function.meaning,
        parameters=_parameters(function.parameters),
        example=function.example,
        origin=owner,
    )


def _actions(registry: Registry) -> Iterator[Entry]:
    for name, action, owner in registry.actions.items():
        yield Entry(
            sort="action",
            name=name,
            shape=_action_shape(action),
            kind=f"carried out by the {_HANDLERS[action.handled_by]}",
            meaning=action.meaning,
            parameters=_parameters(action.parameters),
            example=action.example,
            origin=owner,
        )


_HANDLERS = {"kernel": "engine itself", "enforce": "broker", "notify": "channels"}


def _action_shape(action: Action) -> str:
    needed = ", ".join(f"{parameter.name}: …" for parameter in action.parameters if parameter.required)
    return f"{action.name}: {{{needed}}}" if needed else action.name


def _parameters(parameters: tuple[Parameter, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((parameter.name, f"{parameter.kind.value}: {parameter.meaning}") for parameter in parameters)
