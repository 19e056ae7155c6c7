"""Declarations of functions that rules may call."""

from collections.abc import Callable
from dataclasses import dataclass, field

from haltline.api.field import Change, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a function or action; without a `default` it is required."""

    name: str
    kind: Kind
    meaning: str = ""
    default: float | str | bool | None = None
    required: bool = True
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function over plain values, registered by a plugin.

    `call` gets positional floats (durations in seconds, times in seconds since the epoch), str or bool. It is never
    called with an UNKNOWN argument: the result is then UNKNOWN. It says UNKNOWN itself by returning NaN (numeric) or
    None. It must be quick (microseconds), must not block, must not read a clock, and must give the same answer for the
    same arguments until an event of `changes` arrives. An exception makes the result UNKNOWN and marks the rule.
    """

    name: str
    call: Callable[..., object]
    returns: Kind
    meaning: str
    parameters: tuple[Parameter, ...] = field(default=())
    example: str = ""
    changes: Change = Change.NONE
    cost: int = 5
