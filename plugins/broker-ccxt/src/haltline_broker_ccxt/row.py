"""Reading what a venue sent: JSON objects whose numbers are texts, empty where there is none."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import cast

from haltline.errors import Transient
from haltline.model.order import Side

type Row = Mapping[str, object]
"""One JSON object of a venue."""

ZERO = Decimal(0)
_MOST_DIGITS = 30


class Malformed(Transient):
    """A message lacks what its kind must have, or has it in another shape; nothing is made of it. As an answer to a
    question it is as good as none.
    """


def row(raw: object) -> Row:
    """An object as such; raises Malformed for anything else."""
    if not isinstance(raw, Mapping):
        raise Malformed(f"an object was expected, found {type(raw).__name__}")
    return cast(Row, raw)


def child(parent: Row, key: str) -> Row:
    """The object under a key; raises Malformed where there is none."""
    if key not in parent:
        raise Malformed(f"{key!r} is missing")
    return row(parent[key])


def rows(raw: object) -> Sequence[Row]:
    """A list of objects; raises Malformed for anything else."""
    if not isinstance(raw, list):
        raise Malformed(f"a list was expected, found {type(raw).__name__}")
    return [row(each) for each in raw]


def text(of: Row, *keys: str) -> str:
    """The first of the keys that is there, as a text; empty where none is."""
    for key in keys:
        found = of.get(key)
        if found is not None and found != "":
            return str(found)
    return ""


def flag(of: Row, key: str) -> bool:
    """A truth value, told as such or as a text."""
    return str(of.get(key, "")).lower() == "true"


def maybe(of: Row, *keys: str) -> Decimal | None:
    """A number, None where it is missing or empty; raises Malformed for what is there and is no (finite) number."""
    for key in keys:
        found = of.get(key)
        if found is None or found == "" or isinstance(found, bool):
            continue
        try:
            number = Decimal(str(found))
        except InvalidOperation:
            raise Malformed(f"{key!r} is no number: {str(found)[:40]!r}") from None
        if not number.is_finite() or number.adjusted() > _MOST_DIGITS:
            raise Malformed(f"{key!r} is beyond all measure: {str(found)[:40]!r}")
        return number
    return None


def number(of: Row, *keys: str) -> Decimal:
    """A finite number; raises Malformed: what is missing is not zero."""
    found = maybe(of, *keys)
    if found is None:
        raise Malformed(f"{' or '.join(repr(key) for key in keys)} is missing or no number")
    return found


def side_of(said: str) -> Side:
    """Buy or sell, in whatever case; raises Malformed."""
    if said.lower() not in ("buy", "sell"):
        raise Malformed(f"side {said!r} is none that is known")
    return Side(said.lower())


def above_zero(of: Row, *keys: str) -> Decimal | None:
    """A number above zero; venues write 0 and -1 for none."""
    found = maybe(of, *keys)
    return found if found is not None and found > 0 else None


def fraction(of: Row, *keys: str) -> float | None:
    """A number as a float, None where there is none."""
    found = maybe(of, *keys)
    return None if found is None else float(found)


def price(of: Row, *keys: str) -> float | None:
    """A price above zero as a float, else None."""
    found = above_zero(of, *keys)
    return None if found is None else float(found)


def millis(of: Row, *keys: str) -> int:
    """A time in milliseconds since the epoch; 0 where there is none."""
    found = maybe(of, *keys)
    return 0 if found is None else int(found)
