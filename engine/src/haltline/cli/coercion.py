"""Words of the command line become values without Pydantic, whose import would cost every command a quarter second.

Typer builds its own coercion for a parameter when the first value arrives; here simple kinds of parameters are given
ours before that. A parameter of any other kind keeps Typer's.
"""

from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Union, get_args, get_origin

import typer

if TYPE_CHECKING:  # the types of Typer's own copy of Click are not public
    from typer._click import Context, Parameter
    from typer.core import _TyperParameter

type Convert = Callable[[str], object]
_YES = frozenset({"1", "on", "true", "y", "yes"})
_NUMBERS: dict[object, tuple[Convert, str]] = {int: (int, "a whole number"), float: (float, "a number")}


class QuickCoercion:
    """Typer's protocol for one parameter: `coerce` turns what was typed into a value."""

    def __init__(self, convert: Convert, *, many: bool) -> None:
        self._convert = convert
        self._many = many

    def coerce(self, value: object, *, param: "_TyperParameter", ctx: "Context") -> object:
        """The value; raises BadParameter in words where it does not fit."""
        if value is None:
            return () if self._many else None
        try:
            if self._many and isinstance(value, list | tuple):
                return [self._one(item) for item in value]
            return self._one(value)
        except ValueError as error:
            raise typer.BadParameter(str(error), ctx=ctx, param=param) from None

    def _one(self, item: object) -> object:
        return self._convert(item) if isinstance(item, str) else item


def use_quick_coercion(parameters: "Iterable[Parameter]") -> None:
    """Give every simple parameter its coercion."""
    for parameter in parameters:
        annotation = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
        coercion = coercion_for(annotation)
        if coercion is not None and hasattr(parameter, "_runtime_param"):
            parameter._runtime_param = coercion


def coercion_for(annotation: object) -> QuickCoercion | None:
    """The coercion of an annotation, or None where Typer's own is needed."""
    if get_origin(annotation) in (Union, UnionType):
        inner = [part for part in get_args(annotation) if part is not NoneType]
        return coercion_for(inner[0]) if len(inner) == 1 else None
    if get_origin(annotation) is list:
        one = coercion_for(get_args(annotation)[0])
        return QuickCoercion(one._convert, many=True) if one else None
    convert = _converter(annotation)
    return QuickCoercion(convert, many=False) if convert else None


def _converter(annotation: object) -> Convert | None:
    if annotation is str:
        return str
    if annotation is bool:
        return lambda text: text.lower() in _YES
    if annotation is Path:
        return Path
    if annotation in _NUMBERS:
        return lambda text: _number(annotation, text)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return lambda text: _choice(annotation, text)
    return None


def _number(annotation: object, text: str) -> object:
    convert, name = _NUMBERS[annotation]
    try:
        return convert(text)
    except ValueError:
        raise ValueError(f"{text!r} is not {name}") from None


def _choice(choices: type[Enum], text: str) -> object:
    try:
        return choices(text)
    except ValueError:
        known = ", ".join(str(choice.value) for choice in choices)
        raise ValueError(f"{text!r} is not one of {known}") from None
