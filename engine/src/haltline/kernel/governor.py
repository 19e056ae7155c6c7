"""Trading modes and locks: what each account may do now, and undoing what appears in spite of it.

Contract. HALTED (a lock on the account) beats REDUCING (an incident that blocks entries, or a flatten from its first
request until it is proven done) beats ACTIVE. Exits, cancels and protective orders are never touched. While REDUCING,
entry orders are cancelled. While HALTED they are cancelled and positions are brought back to the size they had when the
lock began: what was already open is left to the other actions of the rule, what is opened afterwards is closed on
sight. A lock on a symbol does the same for that symbol alone. An incident of an instrument that blocks entries lets
nobody enter it, and whoever holds it, now or later, only reduce.
"""

from collections.abc import Collection, Iterable
from typing import Any

import msgspec

from haltline.api.action import HandledBy
from haltline.api.field import Change
from haltline.clock import NS_PER_S, to_iso
from haltline.model.event import LockRequest
from haltline.model.id import AccountId, ActionId, OrderId, Symbol
from haltline.model.order import OrderReport
from haltline.model.plan import Lock, PlannedAction, TradingMode
from haltline.model.rule import Scope
from haltline.model.verdict import Phase
from haltline.rules.arbiter import CANCEL, CLOSE, Arbiter
from haltline.rules.incident import Incident
from haltline.rules.livebook import LiveBook
from haltline.rules.lock import LockBook
from haltline.rules.rule import account_of
from haltline.state.state import State

type Allowance = dict[str, float]

_LONGEST_S = 100 * 366 * 86_400.0
"""A lock of a hundred years or more is one without end."""


class Governor:
    """Keeps locks, account modes and the sizes that locks allow. All of it survives restarts."""

    def __init__(self, state: State, arbiter: Arbiter, live: LiveBook) -> None:
        self.state = state
        self.locks = LockBook()
        self.allowances: dict[str, Allowance] = {}
        self.serial = 0
        self.barred: set[str] = set()
        self._arbiter = arbiter
        self._live = live

    # -- locks -----------------------------------------------------------------------------------------------------

    def lock_for_rule(self, action: PlannedAction, now: int) -> None:
        """Carry out the action `lock` of a rule."""
        if action.account not in self.state.accounts:
            return
        symbol = action.symbol if action.params.get("scope") == "symbol" else None
        until, release = self._end(action, now)
        target = f"/{symbol}" if symbol else ""
        for rule in action.rules:  # each its own: where several asked for the same, the last to clear ends it
            lock = Lock(
                id=f"{rule}@{action.account}{target}",
                account=action.account,
                since=now,
                reason=action.reason,
                symbol=symbol,
                until=until,
                release=release,
                rule=rule,
            )
            self._stand(self._beside(lock))

    def _beside(self, lock: Lock) -> Lock:
        """Locks of one rule that end in different ways stand side by side: neither may end the other."""
        standing = self.locks.get(lock.id)
        if standing is None or standing.release == lock.release:
            return lock
        return msgspec.structs.replace(lock, id=f"{lock.id}:{lock.release}")

    def lock_for_operator(self, request: LockRequest) -> Lock:
        """Carry out an operator's lock; returns the one that stands, which may be an older and longer one."""
        target = f"/{request.symbol}" if request.symbol else ""
        lock = Lock(
            id=f"operator@{request.account}{target}",
            account=request.account,
            since=request.received_at,
            reason=request.reason,
            symbol=request.symbol,
            until=request.until,
            release="released" if request.until is None else "time",
            operator=request.operator,
        )
        self._stand(lock)
        return self.locks[lock.id]

    def pause(self, request: LockRequest, *, name: str = "pause") -> Lock:
        """Stop entries of an account for an operator; returns the pause that stands, maybe an older and longer one."""
        lock = Lock(
            id=f"{name}@{request.account}",
            account=request.account,
            since=request.received_at,
            reason=request.reason,
            until=request.until,
            release="released" if request.until is None else "time",
            operator=request.operator,
            entries_only=True,
        )
        if self.locks.add(lock):
            self.allowances.setdefault(lock.id, {})
        return self.locks[lock.id]

    def _end(self, action: PlannedAction, now: int) -> tuple[int | None, str]:
        length_s = action.params.get("for")
        if isinstance(length_s, int | float) and length_s * NS_PER_S >= 1:  # none must not leave it unlocked
            return (now + round(length_s * NS_PER_S), "time") if length_s < _LONGEST_S else (None, "released")
        until = action.params.get("until") or "next_session"
        assert action.account is not None
        account = self.state.accounts[action.account]
        if until == "next_session":
            return next_session_ns(account), "time"
        if until == "reset":
            return account.roll.next_ns, "time"
        return None, str(until)

    def _stand(self, lock: Lock) -> None:
        account = self.state.accounts[lock.account]
        if account.connected is not True:
            lock = msgspec.structs.replace(lock, dark=True)
        if self.locks.add(lock) and lock.id not in self.allowances:
            self.allowances[lock.id] = {
                position.symbol: position.quantity
                for position in account.book.values()
                if lock.symbol in (None, position.symbol)
            }

    def release(self, lock_id: str) -> Lock | None:
        """An operator lifts a lock."""
        self.allowances.pop(lock_id, None)
        return self.locks.release(lock_id)

    def release_for(self, rules: Collection[str]) -> None:
        """Locks of these rules that end with an incident, where no other incident needs them."""
        self._release_unneeded(lock for lock in self.locks if lock.rule in rules)

    def release_orphans(self) -> None:
        """Locks that end with an incident which is not there (the rule was changed while nothing ran)."""
        self._release_unneeded(self.locks)

    def _release_unneeded(self, locks: Iterable[Lock]) -> None:
        for lock in list(locks):
            if lock.release == "clear" and not self._is_needed(lock):
                self.release(lock.id)

    def _is_needed(self, lock: Lock) -> bool:
        return any(
            incident.rule.id == lock.rule
            and _may_have_locked(incident)
            and account_of(incident.entity) in (None, self.state.accounts.get(lock.account))
            and lock.symbol in (None, getattr(incident.entity, "symbol", None))
            for incident in self._live.values()
        )

    def expire(self, now: int) -> list[Lock]:
        """Locks whose time has come are lifted."""
        due = self.locks.expire(now)
        for lock in due:
            self.allowances.pop(lock.id, None)
        return due

    # -- modes -----------------------------------------------------------------------------------------------------

    def refresh(self) -> list[str]:
        """Set mode and lock of every account from locks and live incidents; say in words what changed."""
        self.barred = self._barred_symbols()
        blocked = self._blocked_accounts()
        notices = []
        for account in self.state.accounts.values():
            standing = self.locks.of_account(AccountId(account.id))
            locks = [lock for lock in standing if not lock.entries_only]
            mode = TradingMode.HALTED if locks else TradingMode.REDUCING if standing else TradingMode.ACTIVE
            if mode is TradingMode.ACTIVE and account.live and (None in blocked or account.id in blocked):
                mode = TradingMode.REDUCING
            reason = "; ".join(describe(lock) for lock in locks)
            if account.mode != mode:
                because = f": {reason}" if reason else ""
                notices.append(f"account {account.id}: {account.mode} became {mode.value}{because}")
            if (account.mode, account.locked, account.lock_reason) != (mode.value, bool(locks), reason):
                account.mode, account.locked, account.lock_reason = mode.value, bool(locks), reason
                self.state.touch(account, int(Change.LOCK))
                self.state.touch(self.state.portfolio, int(Change.LOCK))
        return notices

    def _blocked_accounts(self) -> set[str | None]:
        """Accounts with an incident that blocks entries, or a flatten that is not proven yet; None stands for all."""
        instruments = {each.entity for each in self._live.barring.values()}
        holders = {account for instrument in instruments for account in accounts_of(instrument)}
        return {account or None for account in self._live.blocked} | holders | self._arbiter.flattened()

    def _barred_symbols(self) -> set[str]:
        """Instruments with an incident that blocks entries: nobody may enter them while it lives, whoever comes."""
        return {incident.entity.symbol for incident in self._live.barring.values()}

    # -- undoing what appears all the same -------------------------------------------------------------------------

    def undo(self, account: Any, now: int) -> list[PlannedAction]:
        """Actions, launched here, against entry orders and new positions of an account that may not have them."""
        if not account.live:
            return []
        locks = [lock for lock in self.locks if lock.account == account.id]
        if account.mode == TradingMode.ACTIVE and not locks and not self.barred:
            return []
        actions = []
        for order in account.order_book.values():
            if self._may_not_wait(order, account):
                actions.append(self._cancel(order, account, now))
        for position in account.book.values() if locks else ():  # asked whenever anything moves anywhere
            actions.extend(self._shrink(position, account, now))
        return [action for action in actions if action is not None]

    def _cancel(self, order: Any, account: Any, now: int) -> PlannedAction | None:
        state = f"{order.updated_at}"
        if self._arbiter.is_known("cancel_orders", account.id, order.order_id, state):
            return None
        self.serial += 1
        action = PlannedAction(
            id=ActionId(f"lock@{account.id}:cancel_orders:{order.order_id}:{self.serial}"),
            at=now,
            name="cancel_orders",
            account=account.id,
            symbol=order.symbol,
            order_id=order.order_id,
            reason=f"{account.id} may not take new risk: {account.lock_reason or 'entries are blocked'}",
        )
        self._arbiter.launch(action, state=state)
        return action

    def _shrink(self, position: Any, account: Any, now: int) -> Iterable[PlannedAction]:
        allowed = self._allowed(account.id, position.symbol, position.quantity)
        if abs(position.quantity) <= allowed * (1 + 1e-9) or self._arbiter.is_closing(account.id, position.symbol):
            return
        name = CLOSE if allowed == 0 else "reduce_to"
        state = f"{position.quantity} {position.opened_ns}"
        if self._arbiter.is_known(name, account.id, position.symbol, state):
            return
        self.serial += 1
        action = PlannedAction(
            id=ActionId(f"lock@{account.id}:{name}:{position.symbol}:{self.serial}"),
            at=now,
            name=name,
            account=account.id,
            symbol=position.symbol,
            params={} if allowed == 0 else {"quantity": allowed},
            reason=f"{account.id} {position.symbol} was opened while locked: {account.lock_reason or 'symbol locked'}",
        )
        self._arbiter.launch(action, state=state)
        yield action

    def is_owed(self, action: PlannedAction) -> bool:
        """Whether what `undo` asked for is still there and still not allowed, so that just this undoes it."""
        account = self.state.accounts.get(action.account or "")
        if account is None:
            return False
        if action.name == CANCEL:
            order = account.order_book.get(OrderId(action.order_id or ""))
            return order is not None and self._may_not_wait(order, account)
        position = account.book.get(action.symbol or "")
        if position is None:
            return False
        allowed = self._allowed(AccountId(account.id), Symbol(position.symbol), position.quantity)
        return abs(position.quantity) > allowed * (1 + 1e-9) and action.params.get("quantity", 0.0) == allowed

    def _may_not_wait(self, order: Any, account: Any) -> bool:
        """Whether a working order is an entry that its account or symbol may not have now."""
        is_barred = account.mode != TradingMode.ACTIVE or order.symbol in self.barred
        return (is_barred or bool(self.locks.of_symbol(account.id, order.symbol))) and is_entry(order, account)

    def _allowed(self, account: AccountId, symbol: Symbol, quantity: float) -> float:
        """The size every standing lock allows: what was open when it began, and never more than was left since."""
        allowed = float("inf")
        for lock in self.locks:
            if lock.account == account and lock.symbol in (None, symbol) and not lock.entries_only:
                before = self.allowances.get(lock.id, {}).get(symbol, 0.0)
                allowed = min(allowed, abs(before) if before * quantity > 0 else 0.0)
        return allowed

    def note_sizes(self, account: Any) -> None:
        """Allowances follow positions down, never up: what was closed under a lock may not be opened again."""
        for lock in self.locks:
            if lock.account != account.id:
                continue
            sizes = self.allowances.get(lock.id, {})
            held = {position.symbol: position.quantity for position in account.book.values()}
            for symbol, before in list(sizes.items()):
                now_held = held.get(symbol, 0.0)
                if before * now_held <= 0:
                    del sizes[symbol]
                else:
                    sizes[symbol] = min(before, now_held, key=abs)


def _may_have_locked(incident: Incident) -> bool:
    """Whether a lock of its rule may be this incident's: of its breach, or of its warning or what got stuck of that."""
    early = incident.rule.warn_then
    if any(each.action.handled_by is HandledBy.ENFORCE for each in early):
        early += tuple(action for step in incident.rule.escalation for action in step.actions)
    return incident.phase is Phase.BREACHED or any(each.action.name == "lock" for each in early)


def is_entry(order: Any, account: Any) -> bool:
    """Whether a working order could enlarge exposure: exits within the size of the position are never entries."""
    report: OrderReport = order.report
    exposure = _held(account, order.symbol) * report.side.sign
    return not report.reduce_only and float(report.remaining) > -exposure * (1 + 1e-9)


def _held(account: Any, symbol: Symbol) -> float:
    position = account.book.get(symbol)
    return 0.0 if position is None else float(position.quantity)


def describe(lock: Lock) -> str:
    """A lock in words: why, and until when."""
    target = f" {lock.symbol}" if lock.symbol else ""
    if lock.until is not None:
        end = f"until {to_iso(lock.until)}"
    else:
        end = {"clear": "until the incident ends"}.get(lock.release, "until an operator lifts it")
    return f"{lock.reason or 'locked'}{target} ({end})"


def next_session_ns(account: Any) -> int:
    """The first instant at or after the next roll of the trading day at which the account's market is open."""
    roll: int = account.roll.next_ns
    calendar = account.hours.source
    if calendar.is_open(roll):
        return roll
    opening: int | None = calendar.next_open(roll)
    return roll if opening is None else opening


def accounts_of(entity: Any) -> list[str | None]:
    """The accounts in which an incident on this entity blocks entries; None stands for all."""
    if entity.scope is Scope.INSTRUMENT:
        return [position.account.id for position in entity.positions] or [None]
    account = account_of(entity)
    return [None if account is None else account.id]
