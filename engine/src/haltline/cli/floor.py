"""Floors of the guardian as they are written on the command line."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from haltline.config.finding import did_you_mean
from haltline.errors import ConfigError, Problem
from haltline.model.id import AccountId


def read_floors(given: Sequence[str], accounts: Sequence[str]) -> dict[AccountId, Decimal]:
    """Floors written ACCOUNT=EQUITY; raises ConfigError (E906, E425) with every one that cannot be used."""
    floors: dict[AccountId, Decimal] = {}
    problems: list[Problem] = []
    for text in given:
        name, _, number = text.partition("=")
        floor = _number(number)
        if floor is None or not name.strip():
            cure = "write ACCOUNT=EQUITY with a number above 0: eval=45000"
            problems.append(Problem(code="E906", what=f"the floor {text!r} is not understood", cure=cure))
        elif name.strip() not in accounts:
            cure = did_you_mean(name.strip(), accounts, sort="accounts")
            problems.append(Problem(code="E425", what=f"unknown account {name.strip()!r}", cure=cure, where="--floor"))
        else:
            floors[AccountId(name.strip())] = floor
    if problems:
        raise ConfigError(problems)
    return floors


def _number(text: str) -> Decimal | None:
    """A number above 0, or None."""
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and number > 0 else None
