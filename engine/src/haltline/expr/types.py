"""The algebra of kinds: what may be added, compared and multiplied, and what comes out.

Numbers without a unit (NUMBER) fit every numeric kind. Otherwise:

- sums need one kind; time - time is a duration, time ± duration a time (times of day alike);
- k / k is a fraction; k * fraction, k * count, k / fraction, k / count are k; quantity * price and quantity * money are
  money; money / quantity is a price, money / price a quantity; any other product or quotient is a plain number;
- comparisons need one kind, or text with an enumeration.
"""

from haltline.api.field import Kind

_MOMENTS = (Kind.TIME, Kind.TIME_OF_DAY)
_NEUTRAL = (Kind.NUMBER, Kind.FRACTION, Kind.COUNT)
_TEXTS = (Kind.TEXT, Kind.ENUM)
_PRODUCTS = {
    frozenset({Kind.QUANTITY, Kind.PRICE}): Kind.MONEY,
    frozenset({Kind.QUANTITY, Kind.MONEY}): Kind.MONEY,
}
_QUOTIENTS = {(Kind.MONEY, Kind.QUANTITY): Kind.PRICE, (Kind.MONEY, Kind.PRICE): Kind.QUANTITY}


def fits(kind: Kind, wanted: Kind) -> bool:
    """Whether a value of `kind` may stand where `wanted` is expected."""
    if kind is wanted:
        return True
    if kind.is_numeric and wanted.is_numeric:
        return Kind.NUMBER in (kind, wanted)
    return kind in _TEXTS and wanted in _TEXTS


def common(left: Kind, right: Kind) -> Kind | None:
    """The kind of a choice between two values; None where they do not fit."""
    if left is right:
        return left
    if not fits(left, right):
        return None
    if left.is_numeric:
        return right if left is Kind.NUMBER else left
    return Kind.TEXT


def sum_kind(operator: str, left: Kind, right: Kind) -> Kind | None:
    """The kind of `left + right` or `left - right`; None where it makes no sense."""
    if left in _MOMENTS and right is left:
        return Kind.DURATION if operator == "-" else None
    if left in _MOMENTS and right in (Kind.DURATION, Kind.NUMBER):
        return left
    if right in _MOMENTS:
        return right if operator == "+" and left in (Kind.DURATION, Kind.NUMBER) else None
    return common(left, right)


def product_kind(left: Kind, right: Kind) -> Kind:
    """The kind of `left * right`."""
    for one, other in ((left, right), (right, left)):
        if one in _NEUTRAL and other not in _MOMENTS:
            if other not in _NEUTRAL:
                return other
            return max(one, other, key=_neutral_rank)
    return _PRODUCTS.get(frozenset({left, right}), Kind.NUMBER)


def quotient_kind(operator: str, left: Kind, right: Kind) -> Kind:
    """The kind of `left / right`, `left // right` or `left % right`."""
    if operator == "%":
        return left if right in (left, Kind.NUMBER) else Kind.NUMBER
    if left is right and left is not Kind.NUMBER:
        return Kind.NUMBER if operator == "//" or left in _MOMENTS else Kind.FRACTION
    if right in _NEUTRAL and left not in _MOMENTS:
        return left
    return _QUOTIENTS.get((left, right), Kind.NUMBER)


def _neutral_rank(kind: Kind) -> int:
    return (Kind.NUMBER, Kind.COUNT, Kind.FRACTION).index(kind)
