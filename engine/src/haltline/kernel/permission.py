"""May this order be sent? Exits always; entries only while nothing known or unknown speaks against them."""

from typing import Any

from haltline.errors import DataRefused
from haltline.kernel.core import Core
from haltline.kernel.governor import accounts_of, describe
from haltline.model.id import Symbol
from haltline.model.order import Intent
from haltline.model.plan import Permission, TradingMode
from haltline.model.rule import OnUnknown, Scope
from haltline.model.verdict import Verdict
from haltline.rules.index import EVERYTHING
from haltline.rules.rule import Judgement, Rule, is_in_play

_TOLERATED = frozenset({OnUnknown.HOLD, OnUnknown.WARN})


def check_intent(kernel: Core, intent: Intent) -> Permission:
    """Answer for one proposed order. Changes nothing; every reason against it is named, not only the first."""
    account = kernel.state.accounts.get(intent.account)
    if account is None:
        return Permission(allowed=False, reasons=(f"there is no account {intent.account!r}",), mode=TradingMode.HALTED)
    mode = TradingMode(account.mode)
    try:
        entity = kernel.state.intent(intent)
    except DataRefused as refused:
        return Permission(allowed=False, reasons=(str(refused),), mode=mode)
    if not entity.increases:
        return Permission(allowed=True, mode=mode)
    reasons = _mode_reasons(kernel, account, intent, mode)
    rules = []
    for rule, judgement in [*_asked(kernel, entity), *_unplayed(kernel, entity.instrument)]:
        reason = _objection(rule, judgement)
        if reason and not (rule.shadow or not account.live):
            reasons.append(reason)
            rules.append(rule.id)
    return Permission(allowed=not reasons, reasons=tuple(reasons), mode=mode, rules=tuple(rules))


def _mode_reasons(kernel: Core, account: Any, intent: Intent, mode: TradingMode) -> list[str]:
    reasons = []
    if mode is TradingMode.HALTED:
        reasons.append(f"{account.id} is locked: {account.lock_reason}")
    elif mode is TradingMode.REDUCING:
        blocking, pauses = _blocking(kernel, account), kernel.governor.locks.of_account(account.id)
        reasons += [f"{account.id} is paused by {lock.operator}: {describe(lock)}" for lock in pauses]
        if blocking:
            reasons.append(f"{account.id} may only reduce: entries are blocked by {', '.join(blocking)}")
        elif not pauses:
            reasons.append(f"{account.id} may only reduce: a flatten is not proven done yet")
    symbol = kernel.state.resolve(intent.symbol).symbol
    if symbol in kernel.governor.barred and mode is TradingMode.ACTIVE and account.live:
        reasons.append(f"{symbol} may not be entered: {', '.join(_barring(kernel, symbol))}")
    if mode is TradingMode.ACTIVE and kernel.arbiter.is_closing(account.id, Symbol(symbol)):
        reasons.append(f"{symbol} is being closed, which is not proven done yet")
    for lock in kernel.governor.locks.of_symbol(account.id, intent.symbol):
        reasons.append(f"{intent.symbol} is locked: {describe(lock)}")
    return reasons


def _blocking(kernel: Core, account: Any) -> list[str]:
    """The rules whose incidents block entries on an account; what is in shadow blocks nobody."""
    incidents = kernel.live.blocking.values() if account.live else ()
    return sorted({
        incident.rule.id
        for incident in incidents
        if not incident.rule.shadow and not {None, account.id}.isdisjoint(accounts_of(incident.entity))
    })  # fmt: skip


def _barring(kernel: Core, symbol: str) -> list[str]:
    """The rules whose incidents on an instrument block entries."""
    return sorted(each.rule.id for each in kernel.live.barring.values() if each.entity.symbol == symbol)


def _asked(kernel: Core, entity: Any) -> list[tuple[Rule, Judgement]]:
    """What the rules for intents say."""
    screen = kernel.index.screen(Scope.INTENT, EVERYTHING)
    rules = [kernel.index.rules[number] for number in screen(entity)] if screen is not None else []
    return [(rule, kernel.judgement(rule, entity, kernel.now)) for rule in rules]


def _unplayed(kernel: Core, instrument: Any) -> list[tuple[Rule, Judgement]]:
    """What the rules for instruments say of one that they have not judged yet, because it was never in play."""
    if is_in_play(instrument):
        return []
    return [
        (rule, rule.judge(instrument, kernel.now, is_proposed=True)) for rule in kernel.index.of_scope(Scope.INSTRUMENT)
    ]


def _objection(rule: Rule, judgement: Judgement) -> str:
    title = rule.spec.title or rule.id
    if judgement.verdict is Verdict.BREACH:
        return title
    if judgement.verdict is Verdict.UNKNOWN and rule.on_unknown not in _TOLERATED:
        return f"{title}: not known, and unknown means no"
    return ""
