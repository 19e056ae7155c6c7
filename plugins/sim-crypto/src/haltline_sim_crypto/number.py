"""Numbers as venues write them: decimal texts, never floats."""

from decimal import ROUND_DOWN, Decimal, InvalidOperation
from typing import Any

from haltline_sim_crypto.refusal import Reason, Refused

ZERO = Decimal(0)
ONE = Decimal(1)
_MOST_DIGITS = 30


def text(number: Decimal) -> str:
    """Without an exponent and without trailing zeros."""
    if number == 0:
        return "0"
    written = f"{number:f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


def money(number: Decimal) -> str:
    """An amount, to eight places."""
    return text(number.quantize(Decimal("0.00000001")))


def to_step(number: Decimal, step: Decimal) -> Decimal:
    """Rounded down to a multiple of the step."""
    return (number / step).to_integral_value(ROUND_DOWN) * step


def exact(given: float | str | Decimal) -> Decimal:
    """What a script wrote, digit for digit; raises ValueError for what is no number."""
    try:
        found = given if isinstance(given, Decimal) else Decimal(str(given))
    except InvalidOperation:
        raise ValueError(f"{given!r} was found where a number was expected") from None
    if not found.is_finite():
        raise ValueError(f"{given!r} was found where a finite number was expected")
    return found


def positive(given: float | str | Decimal) -> Decimal:
    """A number above 0; raises ValueError."""
    found = exact(given)
    if found <= 0:
        raise ValueError(f"{given!r} was found where a number above 0 was expected")
    return found


def parse(given: Any, name: str) -> Decimal:
    """A number that a client sent; raises Refused for a bad parameter."""
    try:
        found = Decimal(str(given))
    except InvalidOperation:
        raise Refused(Reason.BAD_PARAMETER, name) from None
    if not found.is_finite() or found.adjusted() > _MOST_DIGITS:
        raise Refused(Reason.BAD_PARAMETER, name)
    return found
