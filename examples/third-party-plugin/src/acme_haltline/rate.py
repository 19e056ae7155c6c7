"""A function for expressions: quick, pure, and NaN where it does not know."""

import math

from haltline.api import Function, Kind, Parameter

USD_PER = {"USD": 1.0, "EUR": 1.10, "GBP": 1.27}


def fx_rate(base: str, quote: str) -> float:
    """How much one unit of `base` is in `quote`; NaN (UNKNOWN) for a currency without a rate."""
    if base not in USD_PER or quote not in USD_PER:
        return math.nan
    return USD_PER[base] / USD_PER[quote]


FX_RATE = Function(
    name="fx_rate",
    call=fx_rate,
    returns=Kind.NUMBER,
    meaning="how much one unit of a currency is in another, at this year's budget rates",
    parameters=(
        Parameter(name="base", kind=Kind.TEXT, meaning="the currency you have"),
        Parameter(name="quote", kind=Kind.TEXT, meaning="the currency you want"),
    ),
    example='fx_rate("USD", "EUR")',
)
