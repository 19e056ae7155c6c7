"""Who wins when several rules decide for one account, and what is already under way.

Contract, strictest first: a flatten makes every close, reduction, cancellation and stop of the same account
pointless; a close does so for its symbol; of two reductions the deeper wins; equal actions are one, asked for by all.
What is under way is not asked for again until its outcome is known; a failed or unknown outcome is asked for again
while its incident lives. What was left out because something stronger was planned or under way is not forgotten: it is
asked for itself if the stronger one is given up, or was proven done before the request came up.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from haltline.api.action import HandledBy
from haltline.clock import NS_PER_S
from haltline.model.event import ActionOutcome, OutcomeStatus
from haltline.model.id import AccountId, ActionId, IncidentId, RuleId, Symbol
from haltline.model.plan import PlannedAction
from haltline.model.rule import Scope
from haltline.rules.incident import Incident
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
    """An action whose outcome is not known yet, or that is to be asked for again at `retry_at`.

    `covered` are requests left out because of it. `echo` marks one that is done, and that our books may not show yet:
    it is kept until `retry_at` so that the governor does not ask again for the very same `state` of order or position.
    """

    action: PlannedAction
    retry_at: int | None = None
    attempt: int = 0
    covered: list[PlannedAction] = []
    state: str = ""
    echo: bool = False


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
        self.owed: list[PlannedAction] = []
        self._covered: dict[str, list[PlannedAction]] = {}

    def next_retry(self) -> int | None:
        """The first instant at which something must be asked for again."""
        return min((flight.retry_at for flight in self.flights.values() if flight.retry_at is not None), default=None)

    def plan(self, requests: Iterable[PlannedAction], ranks: dict[str, int]) -> list[PlannedAction]:
        """Merge the requests of one step, leave out what is under way, order by rank, and remember the rest."""
        self._covered.clear()
        merged = _merge(requests)
        kept = [action for action in merged if not self._is_under_way(action)]
        kept = [action for action in kept if not self._is_pointless(action, kept)]
        kept.sort(key=lambda action: (ranks.get(action.name, 50), action.account or "", action.symbol or ""))
        return kept

    def launch(self, action: PlannedAction, *, state: str = "") -> None:
        """Remember an action as under way until its outcome arrives."""
        self.flights[action.id] = Flight(action, covered=self._covered.pop(action.id, []), state=state)

    def take_outcome(self, outcome: ActionOutcome, now: int) -> PlannedAction | None:
        """Forget a finished action; keep a failed one for another try. Returns the action, None if it was not ours."""
        flight = self.flights.get(outcome.action_id)
        if flight is None or flight.echo:
            return None
        if outcome.status is not OutcomeStatus.DONE:
            flight.retry_at = now + RETRY_AFTER_NS
            return flight.action
        self.owed += [request for request in flight.covered if request.at > outcome.at]
        if flight.state:
            flight.echo, flight.retry_at, flight.covered = True, now + RETRY_AFTER_NS, []
        else:
            del self.flights[outcome.action_id]
        return flight.action

    def due_retries(self, now: int, is_live: Any) -> list[PlannedAction]:
        """Failed actions whose time has come and whose incident still lives, with a new id each; the others go, and
        what they covered is `owed`."""
        again = []
        for action_id, flight in list(self.flights.items()):
            if flight.retry_at is None or flight.retry_at > now:
                continue
            del self.flights[action_id]
            if not flight.echo and is_live(flight.action):
                attempt = flight.attempt + 1
                base = str(flight.action.id).partition("~")[0]
                action = msgspec.structs.replace(flight.action, id=ActionId(f"{base}~{attempt}"), at=now)
                self.flights[action.id] = Flight(action, None, attempt, flight.covered, flight.state)
                again.append(action)
            else:
                self.owed += flight.covered
        return again

    def take_owed(self, now: int, is_live: Callable[[PlannedAction], bool]) -> list[PlannedAction]:
        """Requests that must be planned after all, if their incident still lives."""
        owed, self.owed = self.owed, []
        return [msgspec.structs.replace(request, at=now) for request in owed if is_live(request)]

    def is_known(self, action: str, account: str, aim: str, state: str) -> bool:
        """Whether the governor need not ask: it is under way, or was done for this very state of order or position."""
        return any(
            (flight.action.name, flight.action.account) == (action, account)
            and aim in (flight.action.order_id, flight.action.symbol)
            and (not flight.echo or flight.state == state)
            for flight in self.flights.values()
        )

    def is_closing(self, account: AccountId, symbol: Symbol) -> bool:
        """Whether a flatten of the account or a close of the symbol is under way."""
        return any(
            flight.action.account == account
            and not flight.echo
            and (flight.action.name == FLATTEN or (flight.action.name == CLOSE and flight.action.symbol == symbol))
            for flight in self.flights.values()
        )

    def _is_under_way(self, action: PlannedAction) -> bool:
        """Whether a flight does what is asked for, or more; it then remembers the request."""
        for flight in self.flights.values() if not action.shadow else ():
            if not flight.echo and (_makes_pointless(flight.action, action) or _achieves(flight.action, action)):
                _remember(flight.covered, action)
                return True
        return False

    def _is_pointless(self, action: PlannedAction, planned: list[PlannedAction]) -> bool:
        """Whether another action of the same plan does more; it then remembers the request."""
        for other in planned:
            if other is not action and other.shadow == action.shadow and _makes_pointless(other, action):
                _remember(self._covered.setdefault(other.id, []), action)
                return True
        return False


def _remember(covered: list[PlannedAction], action: PlannedAction) -> None:
    """Keep the newest request of each sort and incident, so that one that follows its parameters does not pile up."""
    sort = (action.name, action.symbol, action.order_id, action.incidents)
    covered[:] = [other for other in covered if (other.name, other.symbol, other.order_id, other.incidents) != sort]
    covered.append(action)


def request(
    incident: Incident, action: LinkedAction, target: Target, params: dict[str, Any], *, cause: str, now: int,
    shadow: bool,
) -> PlannedAction:  # fmt: skip
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
        shadow=shadow,
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


def _achieves(under_way: PlannedAction, asked: PlannedAction) -> bool:
    """Whether what is under way is what is asked for, or the deeper reduction."""
    key = _DEEPEST_FIRST.get(asked.name)
    if not _same(under_way, asked) or key is None:
        return _same(under_way, asked)
    first, second = under_way.params.get(key), asked.params.get(key)
    return isinstance(first, int | float) and isinstance(second, int | float) and first <= second


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
