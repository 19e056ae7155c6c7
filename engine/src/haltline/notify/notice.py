"""What a result gives people to hear: one notice for every message a rule asks for, one for every incident that ends.

A notice carries the labels that routes, silences and inhibitions match: `kind` (incident, receipt, alarm, drill …),
`severity`, `rule`, `entity`, `account`, `symbol`, `phase`, `incident`, `shadow`, then the labels of the rule and of
the account, where none of these has their name.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

import msgspec

from haltline.api import HandledBy, Message
from haltline.api.action import Action
from haltline.api.registry import Shelf
from haltline.journal.receipt import Receipt
from haltline.model.plan import Lock, PlannedAction, Result
from haltline.model.verdict import Phase, Transition
from haltline.notify.render import incident_buttons, notice_message, receipt_message
from haltline.notify.route import labels_of

_OVER = frozenset({Phase.RESOLVED, Phase.OK})


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that people may want to hear. `named` are the channels it asks for itself, separated by commas.

    `is_asked` is False where no rule asked for a message: an end is then told only to those who heard the beginning.
    `standing` says what is still locked at that end. `deed_of` is the action that a receipt is for.
    """

    message: Message
    labels: dict[str, str]
    since: int
    incident: str = ""
    named: str = ""
    is_over: bool = False
    is_asked: bool = True
    actions: tuple[str, ...] = ()
    transition: Transition | None = None
    standing: tuple[str, ...] = ()
    deed_of: str = ""
    deed: str = ""
    unit: str = ""

    @property
    def key(self) -> str:
        """What it is about."""
        return self.incident or self.message.id

    @property
    def is_done(self) -> bool:
        """Whether it tells of an action that ended."""
        return bool(self.deed_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """What is known of rules and accounts beside a result: their labels, and what is locked now."""

    rule_labels: Callable[[str], Mapping[str, str]] = lambda rule: {}
    account_labels: Callable[[str], Mapping[str, str]] = lambda account: {}
    locks: Callable[[], Iterable[Lock]] = tuple
    unit: Callable[[str, str], str] = lambda rule, account: ""
    """What the value of a rule's limit is counted in, for an account: its currency, ``%``, or nothing."""


def messages_of(result: Result, actions: Shelf[Action]) -> list[tuple[Message, str]]:
    """The messages that rules ask for, each with the channels that its action names (empty: those of the routes)."""
    return [(notice.message, notice.named) for notice in notices_of(result, actions) if notice.is_asked]


def notices_of(result: Result, actions: Shelf[Action], directory: Directory | None = None) -> list[Notice]:
    """Everything in a result that people may want to hear, in its order."""
    known, context = directory or Directory(), _Context(result)
    found = [_asked(planned, context, known) for planned in result.plan if _is_message(planned, actions)]
    told = {(notice.incident, notice.is_over) for notice in found}
    for said in result.transitions:
        over = said.phase in _OVER
        if (said.incident, over) not in told and said.phase is not Phase.PENDING:
            found.append(_unasked(said, known))
    return found


def receipt_notice(receipt: Receipt, directory: Directory | None = None) -> Notice:
    """How an action ended."""
    message = receipt_message(receipt)
    known = directory or Directory()
    labels = {"kind": "receipt", "action": receipt.name, "status": receipt.status.value} | labels_of(message)
    if receipt.symbol:
        labels["symbol"] = str(receipt.symbol)
    if receipt.drill:
        labels["drill"] = "true"
    for rule in receipt.rules:
        labels = {**known.rule_labels(rule), **labels}
    labels = {**known.account_labels(receipt.account), **labels}
    done = msgspec.structs.replace(message, labels=labels)
    return Notice(message=done, labels=labels, since=message.at, deed_of=str(receipt.action), deed=message.title)


def plain_notice(message: Message, kind: str, named: str = "") -> Notice:
    """Something that follows from no rule: an alarm, a remark, a drill."""
    labels = {"kind": kind} | labels_of(message)
    message = msgspec.structs.replace(message, labels=labels)
    return Notice(message=message, labels=labels, since=message.at, named=named)


def transition_labels(said: Transition, directory: Directory) -> dict[str, str]:
    """The labels of a change in an incident."""
    own = {
        "kind": "incident", "severity": said.severity.value, "rule": str(said.rule), "entity": said.entity,
        "account": str(said.account or ""), "symbol": str(said.symbol or ""), "phase": said.phase.value,
        "incident": str(said.incident), "shadow": "true" if said.shadow else "",
    }  # fmt: skip
    named = {name: text for name, text in own.items() if text}
    account = directory.account_labels(said.account) if said.account else {}
    return {**account, **directory.rule_labels(said.rule), **named}


class _Context:
    """What else a result says of an incident. A feed that goes stale moves thousands at once: nothing is searched."""

    def __init__(self, result: Result) -> None:
        self._said: dict[str, tuple[int, Transition]] = {}
        self._planned: dict[str, dict[int, PlannedAction]] = {}
        for number, item in enumerate(result.transitions):
            self._said.setdefault(item.incident, (number, item))
        for number, planned in enumerate(result.plan):
            for incident in planned.incidents:
                self._planned.setdefault(incident, {})[number] = planned

    def said_of(self, planned: PlannedAction) -> Transition | None:
        """The first change in an incident that asked for an action."""
        known = (self._said.get(incident) for incident in planned.incidents)
        return min((found for found in known if found is not None), key=itemgetter(0), default=(0, None))[1]

    def siblings_of(self, planned: PlannedAction) -> list[PlannedAction]:
        """The other actions that the same incidents asked for, in the order of the plan."""
        found: dict[int, PlannedAction] = {}
        for incident in planned.incidents:
            found |= self._planned[incident]
        return [found[number] for number in sorted(found) if found[number] is not planned]


def _asked(planned: PlannedAction, context: _Context, known: Directory) -> Notice:
    said, siblings = context.said_of(planned), context.siblings_of(planned)
    unit = known.unit(str(said.rule), str(said.account or "")) if said is not None else ""
    message = notice_message(planned, said, siblings, unit=unit)
    named = planned.params.get("channels")
    labels = transition_labels(said, known) if said is not None else {"kind": "incident"} | labels_of(message)
    over = said is not None and said.phase in _OVER
    incident = str(said.incident) if said is not None else next(iter(map(str, planned.incidents)), "")
    buttons = incident_buttons(labels) if said is not None and not over else ()
    return Notice(
        message=msgspec.structs.replace(message, labels=labels, buttons=buttons), labels=labels,
        since=_since(said, planned.at), incident=incident, named=named if isinstance(named, str) else "", is_over=over,
        actions=tuple(str(other.id) for other in siblings), transition=said, unit=unit,
        standing=_standing(said, known) if over else (),
    )  # fmt: skip


def _unasked(said: Transition, known: Directory) -> Notice:
    labels = transition_labels(said, known)
    over = said.phase in _OVER
    unit = known.unit(str(said.rule), str(said.account or ""))
    message = Message(
        id=f"{said.incident}:{said.phase}:{said.at}", at=said.at, severity=said.severity, title="", text="",
        account=str(said.account or ""), rule=str(said.rule), phase=said.phase.value, labels=labels,
    )  # fmt: skip
    return Notice(
        message=message, labels=labels, since=_since(said, said.at), incident=str(said.incident), is_over=over,
        is_asked=False, transition=said, unit=unit, standing=_standing(said, known) if over else (),
    )  # fmt: skip


def _since(said: Transition | None, at: int) -> int:
    return said.since if said is not None and said.since is not None else at


def _standing(said: Transition | None, known: Directory) -> tuple[str, ...]:
    """What is still locked where the incident was."""
    if said is None:
        return ()
    locks: Sequence[Lock] = [lock for lock in known.locks() if said.account in (None, lock.account)]
    return tuple(f"{lock.symbol} on {lock.account}" if lock.symbol else str(lock.account) for lock in locks)


def _is_message(planned: PlannedAction, actions: Shelf[Action]) -> bool:
    action = actions.get(planned.name)
    return action is not None and action.handled_by is HandledBy.NOTIFY
