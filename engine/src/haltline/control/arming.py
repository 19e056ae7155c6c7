"""What arming an account really guarantees: per rule and action what will happen and by what, and what is not covered.

The list is made from the rules, the registry and the set-up alone, so that it can be read before anything runs. A gap
is named by a short code that stays the same; arming with gaps means naming them as accepted.
"""

from collections.abc import Collection, Iterable, Sequence

import msgspec

from haltline.api.action import Action, HandledBy
from haltline.api.broker import Capability
from haltline.api.control import SurfaceKind
from haltline.api.registry import Registry
from haltline.config.settings import RuleBook, Setup
from haltline.errors import Refused
from haltline.model.account import AccountSpec
from haltline.model.event import ArmRequest
from haltline.model.id import AccountId
from haltline.model.rule import ActionSpec, RuleMode, RuleSpec, Severity
from haltline.rules.meaning import used_definitions

ACCEPT_ALL = "all"
"""In place of the codes of gaps: whatever is listed is accepted, but for `NOT_READY`."""
NOT_READY = "not-ready"
"""The code of what the terms of the set-up ask of the alarm path, and drills have not shown."""

_NOT_COVERED: dict[Capability, tuple[str, str]] = {
    Capability.REDUCE_ONLY: (
        "no-reduce-only",
        "has no reduce-only orders: an exit that meets another fill can turn the position round",
    ),
    Capability.STOP_ORDERS: (
        "no-native-stops",
        "keeps no stop orders: nothing at the venue protects a position while Haltline is away",
    ),
    Capability.CANCEL_ALL: ("no-cancel-all", "cancels orders one by one: that takes a request for each"),
    Capability.CLIENT_ORDER_IDS: (
        "no-client-ids",
        "takes no client order ids: after a lost answer it is not certain whether an order was placed",
    ),
    Capability.PUSH_POSITIONS: (
        "no-push-positions",
        "does not push positions: changes are seen when it is asked",
    ),
    Capability.PUSH_ORDERS: ("no-push-orders", "does not push orders: new ones are seen when it is asked"),
    Capability.PULL_POSITIONS: (
        "no-pull-positions",
        "cannot be asked for positions: exits are not confirmed",
    ),
    Capability.PULL_ORDERS: ("no-pull-orders", "cannot be asked for orders: cancels are not confirmed"),
    Capability.DEAD_MAN_SWITCH: ("no-dead-man-switch", "does not cancel orders by itself when Haltline falls silent"),
}
_LOSS_WORDS = ("loss", "drawdown", "equity", "pnl", "balance")


class Guarantee(msgspec.Struct, frozen=True, kw_only=True):
    """One action of one rule for one account. `by` names the broker's capabilities it works by, `missing` those it
    needs and the broker has not; `acts` is False where it only would be recorded."""

    rule: str
    when: str
    action: str
    meaning: str
    by: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    acts: bool = True


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Something that arming does not cover: a code that stays the same, and a sentence."""

    code: str
    text: str

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"


class ArmingList(msgspec.Struct, frozen=True, kw_only=True):
    """What is guaranteed for an account once it is armed, and what is not."""

    account: AccountId
    broker: str
    kind: str
    live: bool
    guarantees: tuple[Guarantee, ...]
    gaps: tuple[Gap, ...]


def arming_list(setup: Setup, book: RuleBook, registry: Registry, account: AccountId) -> ArmingList:
    """The list for one account of the set-up; raises Refused where there is no such account."""
    spec = setup.account(account)
    if spec is None:
        known = ", ".join(each.id for each in setup.accounts) or "none"
        raise Refused(f"there is no account {account!r}; accounts: {known} [E840]")
    entry = setup.broker(spec.broker)
    kind = registry.brokers.get(entry.kind) if entry is not None else None
    able = kind.capabilities if kind is not None else frozenset()
    guarantees = tuple(_guarantees(book.rules, registry, able))
    gaps = [
        *_broker_gaps(spec.broker, able, guarantees, registry, is_known=kind is not None),
        *_rule_gaps(book, guarantees, registry),
        *_setup_gaps(setup, spec, registry),
        *_hour_gaps(setup, spec, is_always_open=kind is not None and kind.always_open),
    ]
    return ArmingList(
        account=account, broker=spec.broker, kind=entry.kind if entry is not None else "", live=spec.live,
        guarantees=guarantees, gaps=tuple(gaps),
    )  # fmt: skip


def arm_request(
    listed: ArmingList, *, operator: str, reason: str, accept: Collection[str] = (), now: int, unready: str = ""
) -> ArmRequest:  # fmt: skip
    """The event that arms the account, with the list of what is not covered; raises Refused where a gap is not named
    in `accept` (which may be ``all``), or nobody or no reason is named. `unready` is what the terms of the set-up ask
    of the alarm path and is not so: only its own name accepts it, ``not-ready``."""
    if not operator.strip() or not reason.strip():
        raise Refused("arming needs an operator and a written reason [E841]")
    left = [str(gap) for gap in listed.gaps if gap.code not in accept and ACCEPT_ALL not in accept]
    also = f"; and it has gaps that were not accepted: {'; '.join(left)}" if left else ""
    if unready and NOT_READY not in accept:
        cure = "run a drill, let somebody acknowledge it, and arm it then"
        raise Refused(f"account {listed.account} is not armed: {NOT_READY}: {unready}; {cure}{also} [E863]")
    if left:
        raise Refused(f"account {listed.account} has gaps that were not accepted: {'; '.join(left)} [E842]")
    gaps = [*listed.gaps, *([Gap(code=NOT_READY, text=unready)] if unready else [])]
    return ArmRequest(
        at=now, received_at=now, account=listed.account, operator=operator, live=True, reason=reason,
        gaps=tuple(map(str, gaps)),
    )  # fmt: skip


def new_gaps(listed: ArmingList, accepted: Iterable[str]) -> tuple[Gap, ...]:
    """Gaps that are not among those an account was armed with (``code: text`` each)."""
    known = {each.partition(": ")[0] for each in accepted}
    return tuple(gap for gap in listed.gaps if gap.code not in known)


def _guarantees(
    rules: Sequence[RuleSpec], registry: Registry, able: frozenset[Capability]
) -> Iterable[Guarantee]:  # fmt: skip
    for spec in rules:
        if spec.mode is RuleMode.OFF:
            continue
        for when, asked in _occasions(spec):
            action = registry.actions.get(asked.name)
            if action is None:
                continue
            missing = action.needs - able
            yield Guarantee(
                rule=str(spec.id), when=when, action=asked.name, meaning=action.meaning,
                by=tuple(sorted(action.needs & able)), missing=tuple(sorted(missing)),
                acts=spec.mode is RuleMode.LIVE and not missing,
            )  # fmt: skip


def _occasions(spec: RuleSpec) -> Iterable[tuple[str, ActionSpec]]:
    for each in spec.warn_then:
        yield "warning", each
    for each in spec.then:
        yield "broken", each
    for number, step in enumerate(spec.limit.steps if spec.limit is not None else (), 1):
        for each in step.then:
            yield f"step {number}", each
    for each in spec.on_clear:
        yield "over", each


def _broker_gaps(
    broker: str, able: frozenset[Capability], guarantees: Sequence[Guarantee], registry: Registry, *, is_known: bool
) -> Iterable[Gap]:
    if not is_known:
        yield Gap(code="no-broker", text=f"there is no broker {broker!r}: nothing can be seen or done")
        return
    if any(_is_enforced(registry.actions.get(each.action)) for each in guarantees):
        for capability, (code, text) in _NOT_COVERED.items():
            if capability not in able:
                yield Gap(code=code, text=f"broker {broker} {text}")
    for each in guarantees:
        if each.missing:
            lacks = ", ".join(each.missing)
            text = f"rule {each.rule} asks for {each.action}, which needs {lacks}: broker {broker} has not got it"
            yield Gap(code=f"cannot:{each.rule}:{each.action}", text=text)


def _rule_gaps(book: RuleBook, guarantees: Sequence[Guarantee], registry: Registry) -> Iterable[Gap]:
    for spec in book.rules:
        if spec.mode is RuleMode.SHADOW:
            yield Gap(code=f"shadow:{spec.id}", text=f"rule {spec.id} is in shadow: it decides and does nothing")
    acting = {each.rule for each in guarantees if each.acts and _holds(registry.actions.get(each.action))}
    terms = {each.name: each.text for each in book.definitions}
    if not any(str(spec.id) in acting and _limits_loss(spec, terms) for spec in book.rules):
        yield Gap(code="no-loss-rule", text="no rule that acts limits a loss, a drawdown or the equity")


def _limits_loss(spec: RuleSpec, terms: dict[str, str]) -> bool:
    said = " ".join(filter(None, (spec.when, spec.limit.value if spec.limit is not None else "")))
    said += " ".join(used_definitions(said, terms).values())
    return any(word in said for word in _LOSS_WORDS)


def _setup_gaps(setup: Setup, account: AccountSpec, registry: Registry) -> Iterable[Gap]:
    ears = [each.severities for each in setup.channels if each.kind != "console"]
    ears += [each.severities for each in setup.surfaces if _is_channel(registry.surfaces.get(each.kind))]
    if not any(Severity.CRITICAL in heard for heard in ears):
        yield Gap(code="no-critical-channel", text="no channel besides the console hears critical messages")
    if setup.guardian is None or account.id not in setup.guardian.floors:
        yield Gap(
            code="no-guardian",
            text="no guardian has a floor for it: while the engine is away nobody guards",
        )
    if not setup.instruments:
        yield Gap(code="unknown-instruments", text="none is declared: what the broker does not describe is UNKNOWN")


def _hour_gaps(setup: Setup, account: AccountSpec, *, is_always_open: bool) -> Iterable[Gap]:
    """The hours of what may be traded there; the table of instruments that comes with the engine is one of futures and
    coins alike.
    """
    hours = {each.calendar for each in setup.instruments if each.calendar} | {account.calendar}
    for calendar in sorted(hours - {"24/7"} if not is_always_open else ()):
        yield Gap(code=f"closed:{calendar}", text=f"while {calendar} is closed nothing can be closed there")


def _is_channel(kind: SurfaceKind | None) -> bool:
    """Whether a front end is a channel too: it says how much it takes."""
    return kind is not None and (kind.max_chars is not None or kind.per_minute is not None)


def _is_enforced(action: Action | None) -> bool:
    return action is not None and action.handled_by is HandledBy.ENFORCE


def _holds(action: Action | None) -> bool:
    """Whether an action does more than tell."""
    return action is not None and action.handled_by is not HandledBy.NOTIFY
