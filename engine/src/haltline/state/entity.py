"""What every entity that rules are evaluated for has in common, and the numbers shared by all of them."""

from decimal import Context, Decimal
from typing import Any, ClassVar

from haltline.api.field import Change, Provenance
from haltline.clock import NS_PER_S
from haltline.model.rule import Scope

NAN = float("nan")
NANO = 1_000_000_000
"""Sums of floats are kept as integers of this many parts of one unit of money."""
LARGEST = 1e18
"""Numbers from outside of this size or more are refused."""
MONEY = Context(prec=60)
"""Every sum and product of money runs in this context, whatever the ambient one is."""
ZERO = Decimal(0)

QUOTE = int(Change.QUOTE)
FILL = int(Change.FILL)
ORDER = int(Change.ORDER)
ACCOUNT = int(Change.ACCOUNT)
CALENDAR = int(Change.CALENDAR)


class Entity:
    """A slotted object that rules see.

    `changed` is the Change mask since the kernel's last step; `windows` and `instances` belong to the kernel, which
    alone knows their types.
    """

    __slots__ = ("changed", "instances", "key", "windows")
    scope: ClassVar[Scope]

    def __init__(self, key: str) -> None:
        self.key = key
        self.changed = 0
        self.windows: list[Any] = []
        self.instances: dict[Any, Any] = {}

    def as_of(self, attribute: str) -> int | None:
        """When the attribute (``equity``, ``day.loss``) was true at its source; None where it is always current."""
        return None

    def unknown_reason(self, attribute: str) -> str:
        """Why the attribute is UNKNOWN, or why it would be; empty where nobody knows better."""
        return ""

    def source(self, attribute: str) -> str:
        """Where the attribute comes from, in words."""
        return f"{self.scope.value} {self.key}, {attribute}"

    def provenance(self, attribute: str) -> Provenance:
        """Where the attribute comes from, as of when, and why it is UNKNOWN if it is."""
        return Provenance(
            source=self.source(attribute), as_of_ns=self.as_of(attribute), reason=self.unknown_reason(attribute)
        )


def seconds(instant_ns: int | None) -> float:
    """An instant as float seconds, NaN for none."""
    return NAN if instant_ns is None else instant_ns / NS_PER_S


def number(value: float | None) -> float:
    """A float, NaN for none."""
    return NAN if value is None else value


def ratio(part: float, whole: float) -> float:
    """`part / whole`; NaN where the whole is zero or below, or either is unknown."""
    return part / whole if whole > 0.0 else NAN
