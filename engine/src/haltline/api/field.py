"""Declarations of what rules may read: fields of the state, with type, meaning and what makes them change."""

from enum import IntFlag, StrEnum

import msgspec


class Kind(StrEnum):
    """The type of a field, function or expression; bare numbers fit every numeric kind."""

    MONEY = "money"
    PRICE = "price"
    QUANTITY = "quantity"
    FRACTION = "fraction"
    COUNT = "count"
    DURATION = "duration"
    TIME = "time"
    TIME_OF_DAY = "time of day"
    NUMBER = "number"
    TEXT = "text"
    BOOL = "bool"
    ENUM = "enumeration"

    @property
    def is_numeric(self) -> bool:
        """Whether values are floats at run time, with NaN for UNKNOWN (otherwise UNKNOWN is None)."""
        return self not in (Kind.TEXT, Kind.BOOL, Kind.ENUM)


class Change(IntFlag):
    """What kind of happening may change a field: the dependency index is built from these.

    TIME is the mere passing of it (an age, the clock); CALENDAR a session, trading day or week that begins or ends.
    """

    NONE = 0
    QUOTE = 1
    FILL = 2
    ORDER = 4
    ACCOUNT = 8
    TIME = 16
    LOCK = 32
    CALENDAR = 64
    ANY = 127


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Where a value comes from, as of when (None: always current), and why it is UNKNOWN if it is."""

    source: str
    as_of_ns: int | None = None
    reason: str = ""


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One readable field.

    `name` is what people write (``account.day.loss``). `code` is the Python expression that reads it from the
    root object, with ``{0}`` for the root (``{0}.day.loss``); ``clock`` is in scope. Numeric fields read as float
    with NaN for UNKNOWN; the others with None. `choices` closes an enumeration. `unit` says what a value means
    in words people use (``USD``, ``0.8 is 80 %``); `changes` what may change it.
    """

    name: str
    kind: Kind
    meaning: str
    changes: Change
    code: str = ""
    unit: str = ""
    source: str = ""
    choices: tuple[str, ...] = ()

    @property
    def root(self) -> str:
        """The first part of the name: ``account``."""
        return self.name.partition(".")[0]

    @property
    def reader(self) -> str:
        """`code`, or attribute access by the field's own name."""
        return self.code or "{0}." + self.name.partition(".")[2]


class Collection(msgspec.Struct, frozen=True, kw_only=True):
    """A collection that generator expressions may walk: ``account.positions`` yields items of root `item`.

    `code` reads an iterable of state objects from the root object; `bound` is the size assumed for the cost of a rule.
    """

    name: str
    item: str
    meaning: str
    changes: Change
    code: str = ""
    bound: int = 100

    @property
    def root(self) -> str:
        """The first part of the name."""
        return self.name.partition(".")[0]

    @property
    def reader(self) -> str:
        """`code`, or attribute access by the collection's own name."""
        return self.code or "{0}." + self.name.partition(".")[2]
