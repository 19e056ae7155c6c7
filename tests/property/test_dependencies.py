"""Whatever event changes what a rule reads, the rule is looked at in the same step: for every field from every scope.

The rules here are one for each field that a scope can name. Their screens are replaced by recorders, so that the test
sees which rules are looked at for which entity; nothing else of the kernel is replaced.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from haltline.api.calendar import AlwaysOpen
from haltline.api.field import Field, Kind
from haltline.api.registry import Registry
from haltline.builtins import plugin
from haltline.clock import NS_PER_S
from haltline.compose.vocabulary import build_vocabulary
from haltline.kernel.kernel import Kernel
from haltline.model import event as happened
from haltline.model.account import AccountSpec
from haltline.model.instrument import AssetClass, InstrumentSpec
from haltline.model.order import OrderReport, OrderStatus, OrderType, Side
from haltline.model.rule import OnUnknown, RuleSpec, Scope
from haltline.rules.compile import CompiledRules, compile_rules
from haltline.rules.index import RuleIndex
from haltline.state.field import FIELDS, ROOTS
from haltline.state.state import State, StateSettings

START_S = 1_746_540_000
HOUR_S = 3600
LASTING = (Scope.PORTFOLIO, Scope.ACCOUNT, Scope.INSTRUMENT, Scope.POSITION, Scope.ORDER)


class OfficeHours:
    """Open in the first half of every four hours."""

    _CYCLE = 4 * HOUR_S * NS_PER_S

    def is_open(self, instant_ns: int) -> bool:
        return instant_ns % self._CYCLE < self._CYCLE // 2

    def next_open(self, instant_ns: int) -> int:
        return instant_ns - instant_ns % self._CYCLE + self._CYCLE

    def next_close(self, instant_ns: int) -> int:
        close = instant_ns - instant_ns % self._CYCLE + self._CYCLE // 2
        return close if close > instant_ns else close + self._CYCLE

    def is_early_close(self, instant_ns: int) -> bool:
        return instant_ns // self._CYCLE % 2 == 0


def condition(field: Field, name: str) -> str:
    if field.kind is Kind.BOOL:
        return name
    if field.kind is Kind.ENUM:
        return f"{name} == '{field.choices[0]}'"
    return f"{name} == 'x'" if field.kind is Kind.TEXT else f"{name} > 5"


_WIDER = {
    "sum-positions": (Scope.ACCOUNT, "sum(p.notional for p in account.positions) > 5"),
    "sum-orders": (Scope.ACCOUNT, "sum(o.notional for o in account.orders) > 5"),
    "locked": (Scope.PORTFOLIO, "any(a.locked for a in portfolio.accounts)"),
    "live": (Scope.PORTFOLIO, "all(a.live for a in portfolio.accounts)"),
    "connected": (Scope.PORTFOLIO, "any(a.connected for a in portfolio.accounts)"),
    "can-trade": (Scope.PORTFOLIO, "any(a.can_trade for a in portfolio.accounts)"),
    "session-loss": (Scope.PORTFOLIO, "max(a.session.loss for a in portfolio.accounts) > 5"),
    "week-fills": (Scope.PORTFOLIO, "max(a.week.fills for a in portfolio.accounts) > 5"),
    "suspect": (Scope.ORDER, "any(a.data_suspect for a in portfolio.accounts)"),
    "held": (Scope.INSTRUMENT, "sum(p.notional for p in instrument.positions) > 5"),
}


def specs() -> list[RuleSpec]:
    made = [
        RuleSpec(id=f"{scope}-{field.name.replace('.', '-')}", each=scope, when=condition(field, field.name))
        for scope in LASTING
        for field in FIELDS
        if field.root in ROOTS[scope]
    ]
    made += [RuleSpec(id=name, each=scope, when=text) for name, (scope, text) in _WIDER.items()]
    return [RuleSpec(id=each.id, each=each.each, when=each.when, on_unknown=OnUnknown.HOLD) for each in made]


def compiled() -> CompiledRules:
    registry = Registry()
    plugin.haltline_register_actions(registry)
    return compile_rules(specs(), build_vocabulary(registry), registry.actions.get)


COMPILED = compiled()
SPECS = {
    "MNQ": InstrumentSpec(
        symbol="MNQ", tick_size=Decimal("0.25"), tick_value=Decimal("0.5"), calendar="hours",
        stale_after_ns=600 * NS_PER_S,
    ),
    "MES": InstrumentSpec(symbol="MES", tick_size=Decimal("0.25"), tick_value=Decimal("1.25")),
}  # fmt: skip


def new_kernel() -> Kernel:
    accounts = (
        AccountSpec(id="a", balance=Decimal(50_000), live=True, calendar="hours"),
        AccountSpec(id="b", live=True),
    )
    return Kernel(
        State(
            StateSettings(
                accounts=accounts, instruments=tuple(SPECS.values()), now=START_S * NS_PER_S,
                calendars=lambda name: OfficeHours() if name == "hours" else AlwaysOpen(),
            )
        ),
        COMPILED,
    )  # fmt: skip


class Recorder:
    """Notes under which keys each entity was screened."""

    def __init__(self, index: RuleIndex) -> None:
        self.seen: dict[int, int] = {}
        index.screen = self.screen  # type: ignore[method-assign]
        index.timed = {scope: self.screen(scope, 16) for scope in index.timed}

    def screen(self, scope: Scope, key: int) -> Callable[[Any], tuple[int, ...]]:
        def look(entity: Any) -> tuple[int, ...]:
            self.seen[id(entity)] = self.seen.get(id(entity), 0) | key
            return ()

        return look


def verdicts(kernel: Kernel) -> Iterator[tuple[tuple[int, int], tuple[Any, Any, bool | None]]]:
    for rule in kernel.index.rules:
        for entity in kernel.state.entities(rule.each):
            yield (rule.index, id(entity)), (rule, entity, rule._breach.evaluate(entity))


ACCOUNTS, SYMBOLS = st.sampled_from(["a", "b"]), st.sampled_from(["MNQ", "MES"])
PRICES = st.integers(8, 24).map(lambda number: number * 0.25)
PAUSES = st.sampled_from([*[0] * 5, *[1] * 3, *[7] * 4, *[700] * 6, HOUR_S, HOUR_S, 11 * HOUR_S, 26 * HOUR_S])
"""Seldom long ones: the kernel goes through them second by second."""


@st.composite
def moments(draw: st.DrawFn) -> tuple[int, str, dict[str, Any]]:
    kind = draw(st.sampled_from([
        "quote", "quote", "fill", "fill", "order", "order", "position", "account", "flow", "spec", "connection", "lock",
        "arm", "tick", "void",
    ]))  # fmt: skip
    more = {
        "account": draw(ACCOUNTS), "symbol": draw(SYMBOLS), "price": draw(PRICES), "size": draw(st.integers(1, 4)),
        "is_buy": draw(st.booleans()), "flag": draw(st.booleans()), "number": draw(st.integers(0, 3)),
        "type": draw(st.sampled_from(list(OrderType))),
    }  # fmt: skip
    return draw(PAUSES), kind, more


def event_of(kind: str, at: int, serial: int, m: dict[str, Any]) -> happened.Event:  # noqa: C901 - one arm an event
    when = {"at": at, "received_at": at}
    price, side = Decimal(str(m["price"])), Side.BUY if m["is_buy"] else Side.SELL
    fill_id = f"f{m['number']}" if kind == "void" else f"f{serial}"
    match kind:
        case "quote":
            return happened.Quote(
                **when, symbol=m["symbol"], last=m["price"], bid=m["price"] - 0.25 if m["flag"] else None
            )
        case "fill" | "void":
            return happened.Fill(
                **when, account=m["account"], symbol=m["symbol"], fill_id=fill_id, side=side, price=price,
                quantity=Decimal(m["size"]), voided=kind == "void",
            )  # fmt: skip
        case "order":
            status = OrderStatus.WORKING if m["number"] else OrderStatus.CANCELLED
            report = OrderReport(
                account=m["account"], order_id=f"o{m['size']}", symbol=m["symbol"], side=side, type=m["type"],
                quantity=Decimal(m["size"]), status=status,
                limit_price=price if m["type"] in (OrderType.LIMIT, OrderType.STOP_LIMIT) else None,
                stop_price=price if m["type"] in (OrderType.STOP, OrderType.STOP_LIMIT) else None,
                trail=price if m["type"] is OrderType.TRAILING_STOP else None,
            )  # fmt: skip
            return happened.OrderUpdate(**when, order=report)
        case "position":
            quantity = Decimal(m["size"] * side.sign if m["flag"] else 0)
            return happened.PositionReport(
                **when, account=m["account"], symbol=m["symbol"], quantity=quantity, average_price=price,
                liquidation_price=m["price"], strategy=f"s{m['number']}",
            )  # fmt: skip
        case "account":
            return happened.AccountReport(
                **when, account=m["account"], balance=price * 100, margin_used=m["price"], can_trade=m["flag"]
            )
        case "flow":
            return happened.CashFlow(**when, account=m["account"], amount=price, flow_id=f"c{serial}")
        case "spec":
            return happened.InstrumentUpdate(**when, spec=other_spec(m))
        case "connection":
            status = happened.ConnectionStatus.CONNECTED if m["flag"] else happened.ConnectionStatus.DISCONNECTED
            return happened.ConnectionUpdate(**when, account=m["account"], status=status)
        case "lock":
            until = at + m["size"] * 300 * NS_PER_S
            return happened.LockRequest(**when, account=m["account"], operator="o", reason="r", until=until)
        case "arm":
            return happened.ArmRequest(**when, account=m["account"], operator="o", live=m["flag"])
        case _:
            return happened.Tick(**when)


def other_spec(m: dict[str, Any]) -> InstrumentSpec:
    return InstrumentSpec(
        symbol=m["symbol"], tick_size=Decimal("0.25"), tick_value=Decimal(m["size"]),
        calendar="hours" if m["flag"] else "24/7", stale_after_ns=600 * NS_PER_S if m["is_buy"] else None,
        asset_class=AssetClass.OPTION if m["is_buy"] else AssetClass.FUTURE, right="call" if m["is_buy"] else "",
        strike=m["price"] if m["flag"] else None, expiry=m["number"] or None, underlying="x" if m["flag"] else "",
    )  # fmt: skip


BY_THE_CLOCK = "-instrument-lag"
"""Depends on the moves of all other instruments: it is looked at by the clock, within a second, not at each."""


def check(story: list[tuple[int, str, dict[str, Any]]]) -> None:
    kernel = new_kernel()
    recorder = Recorder(kernel.index)
    now = START_S * NS_PER_S
    after = dict(verdicts(kernel))
    for serial, (pause, kind, more) in enumerate(story):
        now += pause * NS_PER_S
        before = after
        recorder.seen.clear()
        kernel.step(event_of(kind, now, serial, more), now)
        after = dict(verdicts(kernel))
        for key, (rule, entity, verdict) in after.items():
            if key in before and before[key][2] is not verdict and not rule.id.endswith(BY_THE_CLOCK):
                looked = recorder.seen.get(id(entity), 0) & kernel.index._masks[rule.index]
                assert looked, f"{kind} after {pause} s changed {rule.id} of {entity.key} to {verdict} unseen"


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(moments(), min_size=1, max_size=8))
def test_every_rule_whose_verdict_changed_was_looked_at(story: list[tuple[int, str, dict[str, Any]]]) -> None:
    check(story)
