"""Nothing that a broker, a feed or an operator says stops the kernel; what it refuses changes nothing."""

import random
from decimal import Decimal

import pytest

from haltline.clock import NS_PER_S
from haltline.model.event import (
    AccountReport,
    ActionOutcome,
    ActionRequest,
    ArmRequest,
    CashFlow,
    ConnectionStatus,
    ConnectionUpdate,
    Consent,
    Fill,
    InstrumentUpdate,
    LockRequest,
    OrderUpdate,
    OutcomeStatus,
    OverrideGrant,
    OverrideRevoke,
    PositionReport,
    Quote,
    Release,
)
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderReport, OrderStatus, OrderType, Side
from haltline.model.rule import RuleSpec, Scope

NUMBERS = (0.0, -1.0, 1e-9, 1e17, 1e300, float("nan"), float("inf"), 21_000.0, 20_000.0)
TEXTS = ("0", "-1", "1E-9", "1E+17", "1E+50", "NaN", "sNaN", "Infinity", "1", "2", "5", "0.4", "21000", "20000")
EXACT = tuple(map(Decimal, TEXTS))
ACCOUNTS = ("eval", "eval", "eval", "live", "nobody", "")
SYMBOLS = ("MNQ", "MNQ", "MNQ", "MES", "ZZ", "", "a/b", "é\n")
FAR = 1 << 62


class Hostile:
    """Makes events, each well-formed and most of them absurd."""

    def __init__(self, made, seed):
        self.made = made
        self.pick = random.Random(seed).choice

    def event(self):
        """One more."""
        return self.pick(self.makers)(self)

    @property
    def stamp(self):
        now = self.made.now
        return {"at": self.pick((now, now, now, 0, -5, now - NS_PER_S, FAR)), "received_at": self.pick((now, 0, FAR))}

    @property
    def where(self):
        return {**self.stamp, "account": self.pick(ACCOUNTS), "symbol": self.pick(SYMBOLS)}

    @property
    def by(self):
        return {**self.stamp, "operator": self.pick(("ann", "", "x" * 500)), "reason": "a"}

    def some(self, *values):
        return self.pick((None, *values))

    def quote(self):
        prices = {name: self.some(*NUMBERS) for name in ("bid", "ask", "last", "mark", "volume_24h")}
        return Quote(**self.stamp, symbol=self.pick(SYMBOLS), **prices)

    def fill(self):
        return Fill(
            **self.where, fill_id=self.pick("abcdef"), side=self.pick(list(Side)), quantity=self.pick(EXACT),
            price=self.pick(EXACT), fee=self.pick(EXACT), pnl=self.some(*EXACT), order_id=self.some("o1"),
            voided=self.pick((False, False, True)),
        )  # fmt: skip

    def order(self):
        where = self.where
        report = OrderReport(
            account=where["account"], symbol=where["symbol"], order_id=self.pick(("o1", "o2", "")),
            side=self.pick(list(Side)), quantity=self.pick(EXACT), type=self.pick(list(OrderType)),
            status=self.pick(list(OrderStatus)), filled=self.pick(EXACT), limit_price=self.some(*EXACT),
            stop_price=self.some(*EXACT), reduce_only=self.pick((True, False)),
        )  # fmt: skip
        return OrderUpdate(**self.stamp, order=report)

    def position(self):
        return PositionReport(
            **self.where, quantity=self.pick(EXACT), average_price=self.pick(EXACT), opened_at=self.some(0, FAR),
            liquidation_price=self.some(*NUMBERS), margin=self.some(*NUMBERS), leverage=self.some(*NUMBERS),
        )  # fmt: skip

    def report(self):
        money: dict[str, object] = {name: self.some(*NUMBERS) for name in ("equity", "margin_used", "margin_available")}
        account = self.pick(ACCOUNTS)
        return AccountReport(
            **self.stamp, account=account, balance=self.some(*EXACT), can_trade=self.some(True), **money
        )

    def flow(self):
        return CashFlow(**self.stamp, account=self.pick(ACCOUNTS), amount=self.pick(EXACT), flow_id=self.pick("ab"))

    def instrument(self):
        spec = InstrumentSpec(symbol=self.pick(SYMBOLS), tick_size=self.pick(EXACT), tick_value=self.pick(EXACT))
        return InstrumentUpdate(**self.stamp, spec=spec)

    def connection(self):
        status = self.pick(list(ConnectionStatus))
        return ConnectionUpdate(**self.stamp, account=self.pick(ACCOUNTS), status=status, reason="\x1b[31m")

    def lock(self):
        until = self.some(-1, self.made.now, self.made.now + NS_PER_S, FAR, FAR * 2)
        symbol, account = self.some(*SYMBOLS), self.pick(ACCOUNTS)
        return LockRequest(
            **self.by, account=account, symbol=symbol, until=until, entries_only=self.pick((True, False))
        )

    def release(self):
        locks = [lock.id for lock in self.made.kernel.governor.locks]
        return Release(**self.by, lock_id=self.some("x", *locks), incident=self.some("x", *self.made.kernel.live))

    def request(self):
        name = self.pick(("flatten", "close_position", "cancel_orders", "nothing"))
        return ActionRequest(
            **self.by, account=self.pick(ACCOUNTS), name=name, request_id=self.pick("ab"), symbol=self.some(*SYMBOLS)
        )

    def arm(self):
        return ArmRequest(**self.by, account=self.pick(ACCOUNTS), live=self.pick((True, True, False)))

    def grant(self):
        return OverrideGrant(
            **self.by, grant_id=self.pick("ab"), rule=self.pick(("loss", "size", "x")), entity=self.pick(ACCOUNTS),
            until=self.pick((self.made.now + NS_PER_S, 0, FAR)), extra=self.some(*NUMBERS),
        )  # fmt: skip

    def revoke(self):
        return OverrideRevoke(**self.by, grant_id=self.pick("abc"))

    def consent(self):
        flights = self.made.kernel.arbiter.flights
        return Consent(**self.by, action=self.some("x", *flights), incident=self.some("x", *self.made.kernel.live))

    def outcome(self):
        flights = [*self.made.kernel.arbiter.flights, "x"]
        return ActionOutcome(
            **self.stamp, action_id=self.pick(flights), account=self.pick(ACCOUNTS),
            status=self.pick(list(OutcomeStatus)), retry_at=self.some(0, FAR), begun=self.pick((True, False)),
            cancelled=self.pick(((), ("o1",))), superseded_by=self.some(*flights),
        )  # fmt: skip

    makers = (
        quote, quote, quote, fill, fill, fill, order, order, position, report, flow, instrument, connection, lock,
        release, request, arm, grant, revoke, consent, outcome, outcome,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_no_sequence_of_absurd_events_stops_it_or_tells_two_lives_apart(world, rule, seed):
    falls = RuleSpec(
        id="falls", each=Scope.POSITION, when="position.mark < position.average_price",
        then=rule.actions(("place_stop", {"price": "position.mark - 10"}), ("lock", {"scope": "symbol", "for": 60})),
    )  # fmt: skip
    rules = (
        rule.loss(then=rule.actions("block_entries", "flatten", ("lock", {"for": "account.equity / 1000"}))),
        rule.size(then=rule.actions(("reduce_to", {"quantity": "account.equity / 25000"}))),
        falls,
    )
    made = world(*rules, stale_after_s=5)
    hostile = Hostile(made, seed)
    for step in range(150):
        made.send(hostile.event())
        if step % 7 == 0:
            made.at(made.seconds + hostile.pick((0.1, 1, 60, 3_600, 86_400)))
        if step % 50 == 0:
            made.restart()
    made.restart()


def test_what_is_refused_is_no_word_on_anything_else(world, rule):
    """A refused fill is no reason to hasten, and a refused order is not remembered."""
    made = world(rule.loss(then=rule.actions("flatten")))
    made.quote(21_000)
    made.fill(2, 21_000)
    made.quote(20_000)
    (flight,) = made.kernel.arbiter.flights.values()
    made.send(
        ActionOutcome(
            at=made.now, received_at=made.now, action_id=flight.action.id, account="eval", status=OutcomeStatus.FAILED
        )
    )
    before = made.kernel.snapshot()
    refused = OrderReport(
        account="eval", symbol="MNQ", order_id="o", side=Side.SELL, quantity=Decimal("NaN"), type=OrderType.MARKET,
        status=OrderStatus.CANCELLED,
    )  # fmt: skip
    assert "was refused" in made.send(OrderUpdate(at=made.now, received_at=made.now, order=refused)).notices[0]
    assert made.kernel.snapshot() == before
