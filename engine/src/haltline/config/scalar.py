"""What an unquoted YAML word means here.

YAML 1.1 reads `no` as false, `17:00` as 1020 and `010` as 8. Nobody who writes a risk limit means that, so such words
stay text, exactly as written; where a number or true/false is needed the trap is named together with its cure.
"""

import math
import re
from decimal import Decimal

from haltline.clock import NS_PER_S, parse_duration

type ScalarValue = str | int | float | bool | None

_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_FRACTION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*%")
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_SWITCH = frozenset({"y", "n", "yes", "no", "on", "off"})
_LONGEST_NUMBER = 60


def resolve(text: str) -> ScalarValue:
    """The value of a plain (unquoted) scalar; words that YAML 1.1 would change behind one's back stay text."""
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if len(text) <= _LONGEST_NUMBER:
        if _INT.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
    return text


def is_not_finite(text: str, value: ScalarValue) -> bool:
    """Whether a plain scalar means infinity or not-a-number."""
    return bool(_NOT_FINITE.fullmatch(text)) or (isinstance(value, float) and not math.isfinite(value))


def number_trap(text: str) -> str:
    """The cure where a number was expected and this word was found; empty if it is no known trap."""
    bare = text.strip()
    if re.fullmatch(r"[-+]?0[0-9]+", bare):
        return f"a leading 0 means octal in YAML 1.1; write {int(bare)}"
    if re.fullmatch(r"[0-9]{1,2}(:[0-9]{2})+", bare):
        return "that is a time of day, or a base-60 number in YAML 1.1; write a plain number"
    if re.fullmatch(r"[-+]?[0-9]{1,3}([,_' ][0-9]{3})+(\.[0-9]+)?", bare):
        return f"write it without separators: {re.sub(r'[^0-9.+-]', '', bare)}"
    if re.fullmatch(r"[-+]?0[xob][0-9a-fA-F]+", bare):
        return "write a decimal number"
    if re.fullmatch(r"[$€£]\s*[0-9.,]+", bare):
        return "write the number alone; the currency is that of the account"
    return ""


def switch_trap(text: str) -> str:
    """The cure where true or false was expected and `yes`, `no`, `on` or `off` was found."""
    lowered = text.strip().lower()
    if lowered not in _SWITCH:
        return ""
    return f"write {'true' if lowered in ('y', 'yes', 'on') else 'false'}"


def fraction_of(text: str) -> float | None:
    """0.8 for `80%`; None for anything else."""
    match = _FRACTION.fullmatch(text.strip())
    return float(Decimal(match[1]) / 100) if match else None


def seconds_of(text: str) -> float | None:
    """300.0 for `5m`; None for what is not a duration."""
    try:
        return parse_duration(text) / NS_PER_S
    except ValueError:
        return None


def decimal_of(text: str) -> Decimal | None:
    """The exact number a scalar's text spells, or None; never by way of a float."""
    if len(text) > _LONGEST_NUMBER or not (_INT.fullmatch(text) or _FLOAT.fullmatch(text)):
        return None
    return Decimal(text)
