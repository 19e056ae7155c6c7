"""Override grants: which rule, for what, how much more, until when, by whom. Each ends by itself at its instant."""

from collections.abc import Iterable, Iterator
from typing import Any

from haltline.clock import to_iso
from haltline.model.plan import Override
from haltline.rules.rule import Rule, account_of


class OverrideBook:
    """All standing overrides. A grant holds in ``[since, until)``: its last instant is already free of it."""

    def __init__(self) -> None:
        self._grants: dict[str, Override] = {}

    def __iter__(self) -> Iterator[Override]:
        return iter(self._grants.values())

    def __bool__(self) -> bool:
        return bool(self._grants)

    def add(self, grant: Override) -> bool:
        """Let a grant stand; False where its id stands already, which changes nothing."""
        if grant.id in self._grants:
            return False
        self._grants[grant.id] = grant
        return True

    def revoke(self, grant_id: str) -> Override | None:
        """Take one back; None where it does not stand."""
        return self._grants.pop(grant_id, None)

    def expire(self, now: int) -> list[Override]:
        """Take back and return every grant whose time has come."""
        return self._drop(grant for grant in list(self._grants.values()) if grant.until <= now)

    def keep_rules(self, unchanged: Iterable[str]) -> list[Override]:
        """Take back and return the grants of rules that are not there any more, or mean something else now."""
        kept = set(unchanged)
        return self._drop(grant for grant in list(self._grants.values()) if grant.rule not in kept)

    def next_expiry(self) -> int | None:
        """The first instant at which a grant ends by itself."""
        return min((grant.until for grant in self._grants.values()), default=None)

    def replace(self, grants: Iterable[Override]) -> None:
        """Take exactly these grants (after a restart)."""
        self._grants = {grant.id: grant for grant in grants}

    def of(self, rule: Rule, entity: Any) -> Override | None:
        """What counts for a rule on an entity: an exemption before an allowance, a larger before a smaller."""
        found = [grant for grant in self._grants.values() if grant.rule == rule.id and covers(grant, entity)]
        return max(found, key=_width, default=None)

    def _drop(self, grants: Iterable[Override]) -> list[Override]:
        dropped = list(grants)
        for grant in dropped:
            del self._grants[grant.id]
        return dropped


def covers(grant: Override, entity: Any) -> bool:
    """Whether a grant is for the entity itself or for the account it belongs to."""
    if grant.entity == entity.key:
        return True
    account = account_of(entity)
    return account is not None and grant.entity == account.id


def describe_override(grant: Override) -> str:
    """A grant in words."""
    what = "an exemption" if grant.extra is None else f"{grant.extra:g} more"
    return f"{what} for {grant.rule} on {grant.entity} until {to_iso(grant.until)} by {grant.operator}: {grant.reason}"


def _width(grant: Override) -> float:
    return float("inf") if grant.extra is None else grant.extra
