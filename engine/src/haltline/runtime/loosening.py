"""What is in force and what waits: the journal and the kernel on one side, the files on the other.

The rules in force are those of the journal's newest `config` record. What was edited while nothing ran is therefore
treated like an edit under a running engine: a restart is no way round.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from haltline.api.registry import Registry
from haltline.compose.kernel import calendar_problems, compile_book
from haltline.config.book import digest_of
from haltline.config.settings import RuleBook, Setup
from haltline.control.basis import Basis, InForce, book_of
from haltline.errors import ConfigError
from haltline.journal.record import RecordKind
from haltline.journal.recover import Store
from haltline.kernel.kernel import Kernel
from haltline.model.account import AccountSpec
from haltline.model.event import CancelLoosening, Event, LooseningRequest
from haltline.model.id import AccountId
from haltline.model.loosening import LooseningPolicy, LooseningSort, Pending
from haltline.model.plan import Caps, Over
from haltline.model.verdict import Phase
from haltline.rules.exchange import Exchange, RuleSet, Waiting, has_locks, plan_exchange

_SETUP = "setup:"
_IN_FORCE = msgspec.json.Decoder(InForce)
_BUSY = (Phase.PENDING, Phase.BREACHED)


class _SavedPolicy(msgspec.Struct):
    """The part of a saved kernel that must be known before a kernel can be made."""

    policy: LooseningPolicy | None = None
    loosenings: list[Pending] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What an engine begins with: a set-up and rules that are no weaker than those in force before.

    `book` is what the kernel is made from, `wanted` what the files say; `waiting` is what of the set-up is held back,
    `remarks` what could not be.
    """

    setup: Setup
    book: RuleBook
    wanted: RuleBook
    before: Basis | None = None
    waiting: tuple[Waiting, ...] = ()
    remarks: tuple[str, ...] = field(default=())


_DAMAGED = "the newest record of the rules in force is damaged; the one before it, or else the files, says what was"


def hold(setup: Setup, book: RuleBook, registry: Registry, store: Store, *, now: int) -> Held:
    """Compare what the files say with what was in force when the journal ended."""
    before, is_damaged = _last_basis(store)
    remarks = [_DAMAGED] if is_damaged else []
    if before is None:
        return Held(setup=setup, book=book, wanted=book, remarks=tuple(remarks))
    saved = _saved_policy(store)
    policy = saved.policy or before.loosening
    if not has_locks(before.rules, policy):
        return Held(setup=setup, book=book, wanted=book, before=before, remarks=tuple(remarks))
    released = {each.id for each in saved.loosenings if each.released_at is not None or _is_due(each, now)}
    kept, waiting = hold_setup(before, setup, policy=policy, released=released)
    if calendar_problems(kept, registry):
        kept, waiting = setup, ()
        remarks.append("the set-up in force before names a calendar that is not known any more; the edited one is used")
    in_force = replace(book_of(before), mentions=book.mentions)
    try:
        compile_book(in_force, registry)
    except ConfigError as error:
        in_force = book
        remarks.append(
            "the rules in force before cannot be used with the plugins of this set-up, so those of the files are, "
            f"whatever they loosen: {error.problems[0]}"
        )
    return Held(
        setup=kept, book=in_force, wanted=book, before=before, waiting=waiting, remarks=tuple(remarks)
    )  # fmt: skip


def hold_setup(
    before: Basis | Setup, setup: Setup, *, policy: LooseningPolicy, released: Iterable[str] = ()
) -> tuple[Setup, tuple[Waiting, ...]]:
    """The set-up with what must wait as it was before, and what that is.

    An account that was removed, or got other hours, another day or another broker, is guarded less; so it is where
    prices may be older, where a flatten needs more evidence, or where it may touch less without consent. `mode` is not
    looked at: arming is an event of its own.
    """
    done, waiting = set(released), []
    edited = {each.id: each for each in setup.accounts}
    brokers = {each.name for each in setup.brokers}
    accounts: dict[AccountId, AccountSpec] = dict(edited)
    for old in before.accounts:
        new = edited.get(old.id)
        changed = _changed_keys(old, new)
        if not changed:
            continue
        said = f"account {old.id} removed" if new is None else f"account {old.id}: {', '.join(changed)} changed"
        digest = "removed" if new is None else _digest(msgspec.structs.replace(new, live=False, labels={}))
        each = _setup_waiting(f"account {old.id}", digest, said, policy)
        if each.id in done or policy is LooseningPolicy.AT_ONCE:
            continue
        waiting.append(each)
        accounts[old.id] = _kept_account(old, new, brokers)
    kept = replace(setup, accounts=tuple(accounts.values()))
    for name, text, held in _weaker(before, setup):
        each = _setup_waiting(name, _short(text), f"{name}: {text}", policy)
        if each.id not in done and policy is not LooseningPolicy.AT_ONCE:
            waiting.append(each)
            kept = held(kept)
    return kept, tuple(waiting)


def _weaker(before: Basis | Setup, setup: Setup) -> Iterable[tuple[str, str, Callable[[Setup], Setup]]]:
    """Settings that guard less than before: their names, what they become, and how they stay as they were."""
    tolerance, hold_ns = _evidence(before)
    stale, caps = before.stale_after_ns, before.caps
    if setup.stale_after_ns > stale:
        yield "stale_after", f"{setup.stale_after_ns} ns", lambda kept: replace(kept, stale_after_ns=stale)
    if setup.evidence.tolerance < tolerance or setup.evidence.hold_ns > hold_ns:
        was = replace(setup.evidence, tolerance=tolerance, hold_ns=hold_ns)
        yield "evidence", f"{setup.evidence}", lambda kept: replace(kept, evidence=was)
    if setup.caps != caps and not _is_wider(setup.caps, caps):
        yield "caps", f"{setup.caps}", lambda kept: replace(kept, caps=caps)


def _evidence(before: Basis | Setup) -> tuple[float, int]:
    if isinstance(before, Basis):
        return before.tolerance, before.hold_ns
    return before.evidence.tolerance, before.evidence.hold_ns


def _is_wider(new: Caps, old: Caps) -> bool:
    """Whether an enforcement may touch at least as much as before: a cap holds enforcement back."""
    pairs = (
        (new.max_positions, old.max_positions), (new.max_notional, old.max_notional), (new.max_orders, old.max_orders)
    )  # fmt: skip
    return new.over in (old.over, Over.PROCEED) and all(
        most is None or (before is not None and most >= before) for most, before in pairs
    )  # fmt: skip


def plan_for(kernel: Kernel, current: RuleBook, wanted: RuleBook) -> tuple[RuleBook, Exchange | None]:
    """The book to be used now, and the exchange it comes from; None where nothing ever has to wait."""
    policy = kernel.loosenings.policy
    if not has_locks(current.rules, policy):
        return wanted, None
    busy = {str(each.rule.id) for each in kernel.live.values() if each.phase in _BUSY}
    exchange = plan_exchange(
        RuleSet(rules=current.rules, definitions=current.definitions),
        RuleSet(rules=wanted.rules, definitions=wanted.definitions),
        policy=policy, released=kernel.loosenings.released(), busy=busy,
    )  # fmt: skip
    if not exchange.waiting and exchange.rules == wanted.rules and exchange.definitions == wanted.definitions:
        return wanted, exchange
    digest = digest_of(exchange.rules, exchange.definitions)
    return replace(wanted, rules=exchange.rules, definitions=exchange.definitions, digest=digest), exchange


def requests_for(
    kernel: Kernel, waiting: Sequence[Waiting], *, policy: LooseningPolicy, operator: str, reason: str, now: int
) -> list[Event]:
    """The events that make the kernel's list of what waits true: new requests, and an end to those that were applied
    or taken back. `policy` is what the set-up asks for."""
    book = kernel.loosenings
    ids = {each.id for each in waiting}
    events: list[Event] = [
        LooseningRequest(
            at=now, received_at=now, request_id=each.id, sort=each.sort, subject=each.subject, text=each.text,
            policy=each.policy, operator=operator, reason=reason, account=_account_in(kernel, each.subject),
        )
        for each in waiting if book.get(each.id) is None
    ]  # fmt: skip
    wanted = f"policy:{policy}"
    if policy is not book.policy and book.get(wanted) is None:
        text = f"loosening: {book.policy} → {policy}"
        events.append(
            LooseningRequest(
                at=now, received_at=now, request_id=wanted, sort=LooseningSort.POLICY, subject="loosening", text=text,
                policy=policy, operator=operator, reason=reason,
            )
        )  # fmt: skip
    kept = ids if policy is book.policy else {*ids, wanted}
    events += [
        CancelLoosening(at=now, received_at=now, request_id=each.id, operator="")
        for each in book if each.sort is not LooseningSort.REQUEST and each.id not in kept
    ]  # fmt: skip
    return events


def mode_changes(kernel: Kernel, before: Basis | None, setup: Setup) -> list[AccountSpec]:
    """Accounts for which `mode` in the set-up says something new since the last start, or which are armed and were
    never put on record as such. All others stay as operators left them."""
    was = {each.id: each.live for each in before.accounts} if before is not None else {}
    armed = {name for name, account in kernel.state.accounts.items() if account.live}
    unrecorded = armed - set(kernel.loosenings.armings)
    return [
        each for each in setup.accounts
        if was.get(each.id, False) != each.live or (each.live and each.id in unrecorded)
    ]  # fmt: skip


def _account_in(kernel: Kernel, subject: str) -> AccountId | None:
    name = subject.removeprefix("account ")
    return AccountId(name) if name != subject and name in kernel.state.accounts else None


def _is_due(pending: Pending, now: int) -> bool:
    return pending.due is not None and pending.due <= now


def _changed_keys(old: AccountSpec, new: AccountSpec | None) -> list[str]:
    if new is None:
        return ["removed"]
    names = [name for name in AccountSpec.__struct_fields__ if name not in ("live", "labels")]
    return [name for name in names if getattr(old, name) != getattr(new, name)]


def _kept_account(old: AccountSpec, new: AccountSpec | None, brokers: set[str]) -> AccountSpec:
    if new is None:
        return old
    broker = old.broker if old.broker in brokers else new.broker
    return msgspec.structs.replace(old, live=new.live, labels=new.labels, broker=broker)


def _setup_waiting(subject: str, digest: str, text: str, policy: LooseningPolicy) -> Waiting:
    name = f"{_SETUP}{subject}:{digest}"
    return Waiting(id=name, sort=LooseningSort.SETUP, subject=subject, text=f"set-up: {text}", policy=policy)


def _digest(spec: AccountSpec) -> str:
    return _short(msgspec.json.encode(spec, order="sorted").decode())


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _last_basis(store: Store) -> tuple[Basis | None, bool]:
    """What was in force when the journal ended, None where it never said; and whether what says so later is damaged."""
    bodies = [record.body for record in store.iterate(kinds=[RecordKind.CONFIG])]
    is_damaged = False
    while bodies:
        try:
            said = _IN_FORCE.decode(bodies.pop())
        except msgspec.ValidationError:
            continue
        except (msgspec.DecodeError, UnicodeDecodeError):
            is_damaged = True
            continue
        if said.basis is not None:
            return said.basis, is_damaged
    return None, is_damaged


def _saved_policy(store: Store) -> _SavedPolicy:
    found = store.last_snapshot()
    if found is None:
        return _SavedPolicy()
    try:
        return msgspec.msgpack.decode(found[1], type=_SavedPolicy)
    except msgspec.MsgspecError:
        return _SavedPolicy()
