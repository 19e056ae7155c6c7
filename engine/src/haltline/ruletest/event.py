"""One written step → the event the kernel is given."""

from haltline.clock import parse_duration
from haltline.model.event import (
    AccountReport,
    ArmRequest,
    CashFlow,
    ConnectionUpdate,
    Event,
    Fill,
    LockRequest,
    OrderUpdate,
    OverrideGrant,
    PositionReport,
    Quote,
    Silence,
)
from haltline.model.id import AccountId, FillId, OrderId, RuleId, Symbol
from haltline.model.order import Intent, OrderReport
from haltline.ruletest.case import (
    AccountBody,
    ArmBody,
    CashBody,
    ConnectionBody,
    FillBody,
    GrantBody,
    IntentBody,
    LockBody,
    OrderBody,
    PositionBody,
    QuoteBody,
    SilenceBody,
)

type EventBody = (
    FillBody
    | OrderBody
    | PositionBody
    | AccountBody
    | CashBody
    | QuoteBody
    | ConnectionBody
    | LockBody
    | GrantBody
    | ArmBody
    | SilenceBody
)


def event_of(body: EventBody, now: int, serial: int) -> Event:
    """The event of a step at an instant; `serial` makes up ids that were not given.

    Raises ValueError for a lock, grant or silence whose `until`, or a fill whose `ago` is not a duration.
    """
    match body:
        case FillBody():
            return _fill(body, now, serial)
        case OrderBody():
            return OrderUpdate(at=now, received_at=now, order=_order(body, now))
        case PositionBody():
            return _position(body, now)
        case AccountBody():
            return _account(body, now)
        case CashBody():
            account = AccountId(body.account)
            flow_id = f"flow-{serial}"
            return CashFlow(
                at=now, received_at=now, account=account, amount=body.amount, flow_id=flow_id, is_result=body.is_result
            )
        case QuoteBody():
            return _quote(body, now)
        case ConnectionBody():
            account = AccountId(body.account)
            return ConnectionUpdate(at=now, received_at=now, account=account, status=body.status, reason=body.reason)
        case LockBody() | SilenceBody() | GrantBody():
            return _for_a_while(body, now, serial)
        case ArmBody():
            account = AccountId(body.account)
            return ArmRequest(at=now, received_at=now, account=account, operator=body.operator, live=body.live)


def intent_of(body: IntentBody) -> Intent:
    """The proposed order of an `intent` step."""
    return Intent(
        account=AccountId(body.account),
        symbol=Symbol(body.symbol),
        side=body.side,
        quantity=body.quantity,
        price=body.price,
        stop_price=body.stop_price,
        confidence=body.confidence,
        source=body.source,
        strategy=body.strategy,
    )


def _fill(body: FillBody, now: int, serial: int) -> Fill:
    return Fill(
        at=now if body.ago is None else now - parse_duration(body.ago),
        received_at=now,
        account=AccountId(body.account),
        symbol=Symbol(body.symbol),
        fill_id=FillId(body.id or f"fill-{serial}"),
        side=body.side,
        quantity=body.quantity,
        price=body.price,
        fee=body.fee,
        pnl=body.pnl,
        order_id=None if body.order is None else OrderId(body.order),
        voided=body.voided,
    )


def _order(body: OrderBody, now: int) -> OrderReport:
    return OrderReport(
        account=AccountId(body.account),
        order_id=OrderId(body.id),
        symbol=Symbol(body.symbol),
        side=body.side,
        quantity=body.quantity,
        type=body.type,
        status=body.status,
        filled=body.filled,
        limit_price=body.limit_price,
        stop_price=body.stop_price,
        trail=body.trail,
        reduce_only=body.reduce_only,
        client_id=body.client_id,
        placed_at=now,
        average_price=body.average_price,
    )


def _position(body: PositionBody, now: int) -> PositionReport:
    return PositionReport(
        at=now,
        received_at=now,
        account=AccountId(body.account),
        symbol=Symbol(body.symbol),
        quantity=body.quantity,
        average_price=body.average_price,
        liquidation_price=body.liquidation_price,
        margin=body.margin,
        leverage=body.leverage,
        strategy=body.strategy,
    )


def _account(body: AccountBody, now: int) -> AccountReport:
    return AccountReport(
        at=now,
        received_at=now,
        account=AccountId(body.account),
        balance=body.balance,
        equity=body.equity,
        margin_used=body.margin_used,
        margin_available=body.margin_available,
        can_trade=body.can_trade,
    )


def _quote(body: QuoteBody, now: int) -> Quote:
    return Quote(
        at=now,
        received_at=now,
        symbol=Symbol(body.symbol),
        bid=body.bid,
        ask=body.ask,
        last=body.last,
        mark=body.mark,
        volume_24h=body.volume_24h,
        source=body.source,
    )


def _for_a_while(body: LockBody | SilenceBody | GrantBody, now: int, serial: int) -> Event:
    if isinstance(body, LockBody):
        return _lock(body, now)
    return _silence(body, now, serial) if isinstance(body, SilenceBody) else _grant(body, now, serial)


def _silence(body: SilenceBody, now: int, serial: int) -> Silence:
    return Silence(
        at=now, received_at=now, silence_id=f"test-{serial}", matchers=body.matchers,
        until=now + parse_duration(body.until), operator=body.operator, reason=body.reason,
    )  # fmt: skip


def _grant(body: GrantBody, now: int, serial: int) -> OverrideGrant:
    return OverrideGrant(
        at=now, received_at=now, grant_id=body.id or f"test-{serial}", rule=RuleId(body.rule), entity=body.entity,
        until=now + parse_duration(body.until), extra=body.extra, operator=body.operator, reason=body.reason,
    )  # fmt: skip


def _lock(body: LockBody, now: int) -> LockRequest:
    return LockRequest(
        at=now,
        received_at=now,
        account=AccountId(body.account),
        operator=body.operator,
        reason=body.reason,
        symbol=None if body.symbol is None else Symbol(body.symbol),
        until=None if body.until is None else now + parse_duration(body.until),
        entries_only=body.entries_only,
    )
