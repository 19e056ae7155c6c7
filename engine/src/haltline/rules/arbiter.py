"""Who wins when several rules decide for one account, and what is already under way.

Contract, strictest first: a flatten makes every close, reduction, cancellation and stop of the same account
pointless; a close does so for its symbol; of two reductions the deeper wins; equal actions are one, asked for by all.
What is under way is not asked for again until its outcome is known; a failed or unknown outcome is asked for again
while its incident lives, at the pace of `rules.flight`; a flatten or close that has filled an order is finished even
if that alone has ended the incident. What was left out because something stronger was planned or
under way is not forgotten: it is asked for itself if the stronger one is given up, or was proven done before the
request came up.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from haltline.api.action import HandledBy
from haltline.model.event import ActionOutcome, OutcomeStatus
from haltline.model.id import AccountId, ActionId, IncidentId, RuleId, Symbol
from haltline.model.plan import PlannedAction, loosest
from haltline.model.rule import Scope
from haltline.rules.flight import ECHO_NS, Flight
from haltline.rules.incident import Incident
from haltline.rules.rule import LinkedAction, account_of

type Params = dict[str, float | str | bool | None]

FLATTEN = "flatten"
CLOSE = "close_position"
CANCEL = "cancel_orders"
_DEEPEST_FIRST = {"reduce_to": "quantity"}
_WHOLE = frozenset({FLATTEN, CLOSE})
_PER_SYMBOL = frozenset({CLOSE, "reduce_to", "reduce_by", "place_stop"})


class Target(msgspec.Struct, frozen=True):
    """What an action is aimed at."""

    account: AccountId | None
    symbol: Symbol | None = None
    order_id: str | None = None


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
        self.given_up: list[Flight] = []
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

    def launch(self, action: PlannedAction, *, state: str = "", brief: bool = False) -> None:
        """Remember an action as under way until its outcome arrives; `brief` for one that an instant asked for."""
        self.flights[action.id] = Flight(
            action, covered=self._covered.pop(action.id, []), state=state, since=action.at, brief=brief
        )

    def take_outcome(self, outcome: ActionOutcome, now: int, *, situation: str = "") -> Flight | None:
        """Forget a finished action; keep a failed one for another try. Returns its flight, None if it was not ours.

        `situation` is what the account holds now: while that stays the same, the pauses between tries grow.
        """
        flight = self.flights.get(outcome.action_id)
        if flight is None or flight.echo:
            return None
        if flight.retry_at is not None and outcome.status is not OutcomeStatus.DONE:
            return None  # a second word on a try that is known to have failed
        if outcome.aims:
            flight.action = msgspec.structs.replace(flight.action, aims=outcome.aims)
        flight.begun |= outcome.begun and flight.action.name in _WHOLE
        if outcome.status is OutcomeStatus.SUPERSEDED:
            return self._give_way(flight, outcome)
        if outcome.status is not OutcomeStatus.DONE:
            flight.action = msgspec.structs.replace(flight.action, earlier=outcome.unsettled)
            flight.fail(now, detail=outcome.detail, situation=situation, named=outcome.retry_at)
            return flight
        self.owed += [request for request in flight.covered if request.at > outcome.at]
        if flight.state:
            flight.echo, flight.retry_at, flight.covered = True, now + ECHO_NS, []
        else:
            del self.flights[outcome.action_id]
        return flight

    def _give_way(self, flight: Flight, outcome: ActionOutcome) -> Flight:
        """What gave way is remembered by what took over: it is asked for again, by a new id, if that is given up."""
        del self.flights[flight.action.id]
        again = msgspec.structs.replace(flight.action, id=ActionId(f"{flight.origin}^"))
        stronger = self.flights.get(outcome.superseded_by or "")
        if stronger is None or stronger.echo:
            self.owed += [again, *flight.covered]
        else:
            for request in (again, *flight.covered):
                _remember(stronger.covered, request)
        return flight

    def due_retries(
        self, now: int, is_wanted: Callable[[Flight], bool], renew: Callable[[PlannedAction], Params] | None = None
    ) -> list[PlannedAction]:
        """Failed actions whose time has come and that are still wanted, with a new id each.

        `renew` says what the parameters are now. The others go to `given_up`, and what they covered is `owed`; one
        that something stronger under way makes pointless waits behind it.
        """
        again = []
        for action_id, flight in list(self.flights.items()):
            if flight.retry_at is None or flight.retry_at > now:
                continue
            del self.flights[action_id]
            if flight.echo or not is_wanted(flight):
                self._give_up(flight)
            elif not self._waits_behind_another(flight):
                again.append(self._relaunch(flight, now, renew(flight.action) if renew else flight.action.params))
        return again

    def _give_up(self, flight: Flight) -> None:
        self.owed += flight.covered
        if not flight.echo:
            self.given_up.append(flight)

    def _waits_behind_another(self, flight: Flight) -> bool:
        for other in self.flights.values():
            if not other.echo and makes_pointless(other.action, flight.action):
                for request in (*flight.covered, flight.action):
                    _remember(other.covered, request)
                return True
        return False

    def _relaunch(self, flight: Flight, now: int, params: Params) -> PlannedAction:
        attempt = flight.attempt + 1
        name = ActionId(f"{flight.origin}~{attempt}")
        action = msgspec.structs.replace(flight.action, id=name, at=now, params=params)
        self.flights[name] = msgspec.structs.replace(
            flight, action=action, retry_at=None, attempt=attempt, since=flight.asked_at
        )
        return action

    def take_given_up(self) -> list[Flight]:
        """What failed and is not tried again, because nothing asks for it any more."""
        given_up, self.given_up = self.given_up, []
        return given_up

    def withdraw(self, action_id: ActionId) -> Flight | None:
        """Forget an action that is not carried out as it is; what was left out because of it is owed."""
        flight = self.flights.pop(action_id, None)
        if flight is not None:
            self.owed += flight.covered
        return flight

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

    def flattened(self) -> set[str | None]:
        """Accounts with a flatten that is under way, or is to be tried again."""
        flights = self.flights.values()
        return {flight.action.account for flight in flights if flight.action.name == FLATTEN and not flight.echo}

    def _is_under_way(self, action: PlannedAction) -> bool:
        """Whether a flight does what is asked for, or more; it then remembers the request."""
        for flight in self.flights.values() if not action.shadow else ():
            if not flight.echo and (makes_pointless(flight.action, action) or _achieves(flight.action, action)):
                _remember(flight.covered, action)
                return True
        return False

    def _is_pointless(self, action: PlannedAction, planned: list[PlannedAction]) -> bool:
        """Whether another action of the same plan does more; it then remembers the request."""
        for other in planned:
            if other is not action and other.shadow == action.shadow and makes_pointless(other, action):
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
        caps=action.caps,
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
    caps = loosest(one.caps, other.caps)
    return msgspec.structs.replace(one, params=params, rules=rules, incidents=incidents, caps=caps)


def makes_pointless(strong: PlannedAction, weak: PlannedAction) -> bool:
    """Whether carrying out `strong` leaves nothing of `weak` to be done."""
    if strong.account != weak.account:
        return False
    if strong.name == FLATTEN:
        return weak.name in _PER_SYMBOL or (weak.name == CANCEL and weak.order_id is None)
    return strong.name == CLOSE and strong.symbol == weak.symbol and weak.name in _PER_SYMBOL - {CLOSE}
