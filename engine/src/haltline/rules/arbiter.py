"""Who wins when several rules decide for one account, and what is already under way.

Contract, strictest first: a flatten makes every close, reduction, cancellation and stop of the same account
pointless; a close does so for its symbol; of two reductions the deeper wins; equal actions are one, asked for by all.
What is under way is not asked for again until its outcome is known; a failed or unknown outcome is asked for again
while its incident lives.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from haltline.api.action import HandledBy
from haltline.clock import NS_PER_S
from haltline.model.event import ActionOutcome, OutcomeStatus
from haltline.model.id import AccountId, ActionId, IncidentId, RuleId, Symbol
from haltline.model.plan import PlannedAction
from haltline.model.rule import Scope
from haltline.rules.incident import Incident, is_shadow
from haltline.rules.rule import LinkedAction, account_of

RETRY_AFTER_NS = 5 * NS_PER_S

FLATTEN = "flatten"
CLOSE = "close_position"
CANCEL = "cancel_orders"
_DEEPEST_FIRST = {"reduce_to": "quantity"}
_PER_SYMBOL = frozenset({CLOSE, "reduce_to", "reduce_by", "place_stop"})


class Target(msgspec.Struct, frozen=True):
    """What an action is aimed at."""

    account: AccountId | None
    symbol: Symbol | None = None
    order_id: str | None = None


class Flight(msgspec.Struct):
    """An action whose outcome is not known yet, or that is to be asked for again at `retry_at`."""

    action: PlannedAction
    retry_at: int | None = None
    attempt: int = 0


def targets(entity: Any, accounts: Iterable[Any]) -> Iterator[Target]:
    """Where the actions of a rule on this entity go: its account, or every account that holds the instrument."""
    scope: Scope = entity.scope
    account = account_of(entity)
    if scope is Scope.ACCOUNT:
        yield Target(entity.id)
    elif account is not None:
        yield Target(account.id, entity.symbol, entity.order_id if scope is Scope.ORDER else None)
    elif scope is Scope.PORTFOLIO:
        for each in accounts:
            yield Target(each.id)
    else:
        for position in entity.positions:
            yield Target(position.account.id, entity.symbol)


class Arbiter:
    """Turns what rules asked for in one step into one plan, and remembers what is under way."""

    def __init__(self) -> None:
        self.flights: dict[str, Flight] = {}

    def next_retry(self) -> int | None:
        """The first instant at which something must be asked for again."""
        return min((flight.retry_at for flight in self.flights.values() if flight.retry_at is not None), default=None)

    def plan(self, requests: Iterable[PlannedAction], ranks: dict[str, int]) -> list[PlannedAction]:
        """Merge the requests of one step, leave out what is under way, order by rank, and remember the rest."""
        merged = _merge(requests)
        kept = [action for action in merged if not self._covered(action, merged)]
        kept.sort(key=lambda action: (ranks.get(action.name, 50), action.account or "", action.symbol or ""))
        return kept

    def launch(self, action: PlannedAction) -> None:
        """Remember an action as under way until its outcome arrives."""
        self.flights[action.id] = Flight(action)

    def take_outcome(self, outcome: ActionOutcome, now: int) -> PlannedAction | None:
        """Forget a finished action; keep a failed one for another try. Returns the action, None if it was not ours."""
        flight = self.flights.get(outcome.action_id)
        if flight is None:
            return None
        if outcome.status is OutcomeStatus.DONE:
            del self.flights[outcome.action_id]
        else:
            flight.retry_at = now + RETRY_AFTER_NS
        return flight.action

    def due_retries(self, now: int, is_live: Any) -> list[PlannedAction]:
        """Failed actions whose time has come and whose incident still lives, with a new id each; the others go."""
        again = []
        for action_id, flight in list(self.flights.items()):
            if flight.retry_at is None or flight.retry_at > now:
                continue
            del self.flights[action_id]
            if is_live(flight.action):
                attempt = flight.attempt + 1
                base = str(flight.action.id).partition("~")[0]
                action = msgspec.structs.replace(flight.action, id=ActionId(f"{base}~{attempt}"), at=now)
                self.flights[action.id] = Flight(action, None, attempt)
                again.append(action)
        return again

    def is_closing(self, account: AccountId, symbol: Symbol) -> bool:
        """Whether a flatten of the account or a close of the symbol is under way."""
        return any(
            flight.action.account == account
            and (flight.action.name == FLATTEN or (flight.action.name == CLOSE and flight.action.symbol == symbol))
            for flight in self.flights.values()
        )

    def _covered(self, action: PlannedAction, planned: list[PlannedAction]) -> bool:
        others = [other for other in planned if other is not action and other.shadow == action.shadow]
        if any(_makes_pointless(other, action) for other in others):
            return True
        under_way = (flight.action for flight in self.flights.values() if flight.action.shadow == action.shadow)
        return any(_makes_pointless(flight, action) or _same(flight, action) for flight in under_way)


def request(
    incident: Incident, action: LinkedAction, target: Target, params: dict[str, Any], *, cause: str, now: int
) -> PlannedAction:
    """One action asked for by one incident; its id is a function of incident, cause, action and target only."""
    aim = "/".join(part for part in (target.account, target.symbol, target.order_id) if part)
    return PlannedAction(
        id=ActionId(f"{incident.id}:{cause}:{action.action.name}:{aim}"),
        at=now,
        name=action.action.name,
        account=target.account,
        symbol=target.symbol if action.action.handled_by is not HandledBy.NOTIFY else None,
        order_id=target.order_id,
        params=params,
        rules=(RuleId(incident.rule.id),),
        incidents=(IncidentId(incident.id),),
        shadow=is_shadow(incident.rule, incident.entity),
        reason=incident.rule.spec.title or incident.rule.id,
    )


def _merge(requests: Iterable[PlannedAction]) -> list[PlannedAction]:
    """Equal actions become one that names everybody; of several reductions of one symbol the deepest stays."""
    merged: list[PlannedAction] = []
    for action in requests:
        for i, other in enumerate(merged):
            if _same(other, action):
                merged[i] = _union(other, action)
                break
        else:
            merged.append(action)
    return merged


def _same(one: PlannedAction, other: PlannedAction) -> bool:
    aimed = (one.name, one.account, one.symbol, one.order_id, one.shadow)
    if aimed != (other.name, other.account, other.symbol, other.order_id, other.shadow):
        return False
    return one.name in _DEEPEST_FIRST or one.params == other.params


def _union(one: PlannedAction, other: PlannedAction) -> PlannedAction:
    key = _DEEPEST_FIRST.get(one.name)
    params = one.params
    if key is not None:
        # UNKNOWN (None) stays: the enforcer refuses it and the failure is seen, instead of a guess being carried out.
        first, second = one.params.get(key), other.params.get(key)
        numbers = isinstance(first, int | float) and isinstance(second, int | float)
        params = one.params if not numbers or first <= second else other.params  # type: ignore[operator]
    rules = one.rules + tuple(rule for rule in other.rules if rule not in one.rules)
    incidents = one.incidents + tuple(i for i in other.incidents if i not in one.incidents)
    return msgspec.structs.replace(one, params=params, rules=rules, incidents=incidents)


def _makes_pointless(strong: PlannedAction, weak: PlannedAction) -> bool:
    if strong.account != weak.account:
        return False
    if strong.name == FLATTEN:
        return weak.name in _PER_SYMBOL or (weak.name == CANCEL and weak.order_id is None)
    return strong.name == CLOSE and strong.symbol == weak.symbol and weak.name in _PER_SYMBOL - {CLOSE}
