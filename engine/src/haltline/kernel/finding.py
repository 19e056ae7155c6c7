"""Is what a rule says sure enough for what it asks for? Grades of evidence, and what is missing.

Glossary. A *witness* is one known value: enough to block. *Fresh*: the account is connected, and nothing the broker
says of it contradicts itself: enough to shrink. *Corroborated*: moreover every price that decides is backed by a second
observation, or the broker's own word on the equity breaks the same limit: enough to close and to lock. A breach that
*held* without a break for the hold time needs no more: evidence delays protection, and never withholds it.
Of whatever grade, nothing is done while fills of a while ago are *still being told*: what they pass through never was.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from haltline.api.field import Change
from haltline.clock import NS_PER_S
from haltline.expr.checked import Checked
from haltline.expr.node import FieldRead, Node, children
from haltline.model.rule import Evidence, RuleSpec, Scope
from haltline.model.verdict import Verdict
from haltline.rules.rule import ALERT, Judgement, LinkedAction, Rule, account_of
from haltline.state.backing import is_backed, observed_at
from haltline.state.instrument import Instrument

type Judge = Callable[[Rule, Any, int], Judgement]
type Price = tuple[Instrument, int]

REPORT_RECENT_NS = 60 * NS_PER_S
"""How old the broker's word on the equity may be."""
_QUOTE = int(Change.QUOTE)
_ANY_PRICE = (0, 1, 2, 3, 4)
_FROM_EQUITY = frozenset({
    "equity", "unrealized_pnl", "total_pnl", "peak_equity", "drawdown", "drawdown_fraction", "end_of_day_peak_equity",
    "end_of_day_drawdown", "start_equity", "loss",
})  # fmt: skip
"""Fields of an account, or of one of its periods, whose only prices are in its equity."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found: nothing is `missing`, or something is, in words; by `due` it will have stood long enough."""

    missing: str = ""
    due: int | None = None


SUFFICIENT = Finding()


def weigh_evidence(
    rule: Rule, action: LinkedAction, entity: Any, account: Any, *, judge: Judge, now: int, hold_ns: int
) -> Finding:
    """What an action of a breached rule still lacks; `account` is the one it is aimed at, None for none."""
    behind = {each.key: each.behind_until for each in _accounts_of(rule, action, entity, account) if each.behind_until}
    if behind:
        return Finding(f"fills of {', '.join(sorted(behind))} from before are still being told", max(behind.values()))
    if action.grade is Evidence.WITNESS:
        return SUFFICIENT
    trouble = _trouble(account) if account is not None else ""
    if trouble:
        return Finding(trouble)
    if action.grade is Evidence.FRESH:
        return SUFFICIENT
    doubted = [price for price in prices_of(rule, action, entity) if _stands_since(price) + hold_ns > now]
    doubted = [price for price in doubted if not is_backed(*price)]
    if not doubted or _broker_says_so(rule, action, entity, account, judge, now):
        return SUFFICIENT
    names = sorted({instrument.symbol for instrument, _ in doubted})
    word = "the price of" if len(names) == 1 else "the prices of"
    return Finding(
        f"{word} {', '.join(names)} jumped, and no second observation agrees yet",
        max(_stands_since(price) for price in doubted) + hold_ns,
    )


def _accounts_of(rule: Rule, action: LinkedAction, entity: Any, account: Any) -> Iterable[Any]:
    """Every account whose fills the decision rests on."""
    scope = entity.scope
    if scope is Scope.PORTFOLIO or any("portfolio" in read.changes for read in _reads(rule, action)):
        return _portfolio_of(entity).accounts  # type: ignore[no-any-return]
    if scope is Scope.INSTRUMENT:
        return [position.account for position in entity.positions]
    own = account_of(entity)
    return [own] if account in (None, own) else [own, account]


def _portfolio_of(entity: Any) -> Any:
    """All accounts together, whatever the scope of a rule that reads them."""
    return getattr(account_of(entity) or entity, "portfolio", entity)


def hold_of(spec: RuleSpec, default_ns: int) -> int:
    """How long a breach must hold where evidence is missing."""
    own = spec.evidence.hold_ns if spec.evidence is not None else None
    return default_ns if own is None else own


def prices_of(rule: Rule, action: LinkedAction, entity: Any) -> Iterator[Price]:
    """Every price that the decision rests on: an instrument, and which of its prices."""
    roots = {root for read in _reads(rule, action) for root, changes in read.changes.items() if changes & _QUOTE}
    scope = entity.scope
    if "portfolio" in roots:
        for account in _portfolio_of(entity).accounts:
            yield from _held_by(account)
    elif "account" in roots:
        yield from _held_by(account_of(entity))
    if scope is Scope.POSITION and roots & {"position", "instrument"}:
        yield entity.instrument, entity.price_index
        if "instrument" in roots:
            yield from ((entity.instrument, index) for index in _ANY_PRICE)
    elif roots & {"instrument", "order"}:
        instrument = entity if scope is Scope.INSTRUMENT else entity.instrument
        yield from ((instrument, index) for index in _ANY_PRICE)


def _held_by(account: Any) -> Iterator[Price]:
    return ((position.instrument, position.price_index) for position in account.book.values())


def _stands_since(price: Price) -> int:
    return observed_at(*price)


def _reads(rule: Rule, action: LinkedAction) -> Iterator[Checked]:
    """The expressions that the decision to run this action rests on."""
    conditions = rule.checked.conditions
    yield from action.read
    if rule.checked.where is not None:
        yield rule.checked.where
    if action.level == ALERT:
        yield conditions.warn or conditions.breach
    else:
        yield conditions.rungs[action.level] if action.level > 0 else conditions.breach


def _trouble(account: Any) -> str:
    """Why the broker's word on an account is not fresh; empty where it is, as far as is known."""
    if account.connected is False:
        return f"the broker of {account.key} cannot be reached in full"
    if account.suspects:
        return f"data of {account.key} contradict each other: {next(iter(account.suspects.values()))}"
    return ""


def _broker_says_so(rule: Rule, action: LinkedAction, entity: Any, account: Any, judge: Judge, now: int) -> bool:
    """Whether the equity that the broker reports breaks the same limit: its word on its own books suffices."""
    if account is not entity or not _rests_on_equity(_reads(rule, action)):
        return False
    reported = account.reported_equity
    if reported != reported or now - account.reported_at > REPORT_RECENT_NS:
        return False
    with account.as_reported():
        judgement = judge(rule, entity, now)
    return is_reached(judgement.verdict, judgement.rung, action.level)


def is_reached(verdict: Verdict, rung: int, level: int) -> bool:
    """Whether a verdict is as bad as an action of this level needs."""
    if verdict is Verdict.BREACH:
        return rung >= level
    return verdict is Verdict.WARNING and level == ALERT


def _rests_on_equity(reads: Iterable[Checked]) -> bool:
    """Whether all prices in these expressions come in through the account's equity."""
    return all(not read.windows and all(map(_is_equity, _priced_fields(read.tree))) for read in reads)


def _is_equity(name: str) -> bool:
    root, _, field = name.partition(".")
    return root == "account" and field.rpartition(".")[2] in _FROM_EQUITY


def _priced_fields(node: Node) -> Iterator[str]:
    if isinstance(node, FieldRead) and node.field.changes & _QUOTE:
        yield node.field.name
    for part in children(node):
        yield from _priced_fields(part)
