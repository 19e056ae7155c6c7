"""What Bybit's rows say, in the engine's words. Pure; REST and the streams share their fields."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from haltline.model.event import AccountReport, CashFlow, Event, Fill, PositionReport, Quote
from haltline.model.id import AccountId, FillId, OrderId
from haltline.model.order import OrderReport, OrderStatus, OrderType, Side
from haltline_broker_ccxt.clientid import ClientIds
from haltline_broker_ccxt.market import Leg, Markets
from haltline_broker_ccxt.row import (
    ZERO,
    Malformed,
    Row,
    above_zero,
    flag,
    fraction,
    maybe,
    millis,
    number,
    price,
    side_of,
    text,
)

_LEGS = {"": Leg.ONE, "0": Leg.ONE, "1": Leg.LONG, "2": Leg.SHORT}
_STATUS = {
    "Created": OrderStatus.PENDING,
    "New": OrderStatus.WORKING,
    "Active": OrderStatus.WORKING,
    "Untriggered": OrderStatus.WORKING,
    "Triggered": OrderStatus.WORKING,
    "PartiallyFilled": OrderStatus.PARTIALLY_FILLED,
    "Filled": OrderStatus.FILLED,
    "Cancelled": OrderStatus.CANCELLED,
    "PartiallyFilledCanceled": OrderStatus.CANCELLED,
    "Deactivated": OrderStatus.CANCELLED,
    "Rejected": OrderStatus.REJECTED,
}
_TRADES = frozenset({"", "Trade", "AdlTrade", "BustTrade", "Settle", "Delivery", "BlockTrade", "MovePosition"})
_MOVES = {"TRANSFER_IN": True, "TRANSFER_OUT": True, "SETTLEMENT": False}
"""Entries of the transaction log that are told: True for what comes and goes, False for what is earned or paid."""


class Translator:
    """Rows of one account. `at_ns` turns a venue's milliseconds into our instants."""

    def __init__(self, account: AccountId, markets: Markets, ids: ClientIds) -> None:
        self.account = account
        self.markets = markets
        self.ids = ids

    def position(self, row: Row, at: int, now: int) -> PositionReport:
        """One position; flat where it has no side."""
        size = number(row, "size")
        side = text(row, "side")
        if size and side not in ("Buy", "Sell"):
            raise Malformed(f"a position of {size} has side {side!r}")
        return PositionReport(
            at=at,
            received_at=now,
            account=self.account,
            symbol=self.markets.name_of(text(row, "symbol"), self._leg(row)),
            quantity=-size if side == "Sell" else size,
            average_price=(maybe(row, "avgPrice", "entryPrice") or ZERO) if size else ZERO,
            liquidation_price=price(row, "liqPrice"),
            margin=fraction(row, "positionIM"),
            leverage=price(row, "leverage"),
        )

    def wallet(self, row: Row, at: int, now: int) -> AccountReport:
        """The account: equity is what the venue says it is, not the balance of a coin."""
        return AccountReport(
            at=at,
            received_at=now,
            account=self.account,
            balance=number(row, "totalWalletBalance"),
            equity=float(number(row, "totalEquity")),
            margin_used=fraction(row, "totalInitialMargin"),
            margin_available=fraction(row, "totalAvailableBalance"),
        )

    def order(self, row: Row, held: Mapping[str, Decimal]) -> OrderReport:
        """One order. `held` are positions by symbol: a stop for the whole position is told without a quantity."""
        symbol = self.markets.name_of(text(row, "symbol"), self._leg(row))
        side = side_of(text(row, "side"))
        filled = maybe(row, "cumExecQty") or ZERO
        trigger = above_zero(row, "triggerPrice")
        kind = _kind(row, side, trigger)
        limit = above_zero(row, "price") if text(row, "orderType") == "Limit" else None
        market = self.markets.get(symbol)
        lot = market.lot if market is not None and market.lot else Decimal(1)
        return OrderReport(
            account=self.account,
            order_id=OrderId(text(row, "orderId")),
            symbol=symbol,
            side=side,
            quantity=above_zero(row, "qty") or abs(held.get(symbol, ZERO)) or max(lot, filled),
            type=kind,
            status=_status(row, filled),
            filled=filled,
            limit_price=trigger if kind is OrderType.LIMIT and trigger is not None else limit,
            stop_price=trigger if kind.is_stop else None,
            reduce_only=flag(row, "reduceOnly") or flag(row, "closeOnTrigger"),
            client_id=self.ids.to_ours(text(row, "orderLinkId")),
            placed_at=millis(row, "createdTime") * 1_000_000,
            reason=_reason(row),
            average_price=above_zero(row, "avgPrice"),
        )

    def listed(self, row: Row, held: Mapping[str, Decimal]) -> OrderReport:
        """One of the working orders: a state that is new to us is one of those there. One odd order must not blind the
        account, nor keep a position from being closed.
        """
        return self.order(row if text(row, "orderStatus") in _STATUS else {**row, "orderStatus": "New"}, held)

    def execution(self, row: Row, at: int, now: int) -> Iterable[Event]:
        """One execution: a fill, with a flow for a rebate; funding is a flow that counts as a result."""
        kind, key = text(row, "execType"), text(row, "execId")
        fee = maybe(row, "execFee") or ZERO
        if kind == "Funding":
            yield self._flow(-fee, f"funding-{key}", at, now, is_result=True)
        elif kind in _TRADES:
            yield Fill(
                at=at,
                received_at=now,
                account=self.account,
                symbol=self.markets.name_of(text(row, "symbol"), self._leg(row)),
                fill_id=FillId(key),
                side=side_of(text(row, "side")),
                quantity=number(row, "execQty"),
                price=number(row, "execPrice"),
                fee=max(fee, ZERO),
                pnl=maybe(row, "execPnl") if maybe(row, "closedSize") else None,
                order_id=OrderId(text(row, "orderId")) or None,
            )
            if fee < 0:
                yield self._flow(-fee, f"rebate-{key}", at, now, is_result=True)

    def transfer(self, row: Row, at: int, now: int) -> Iterable[Event]:
        """One entry of the transaction log, where it is money that came, went, or was paid for holding a position."""
        moves = _MOVES.get(text(row, "type"))
        key = text(row, "id", "transactionTime")
        if moves is True:
            yield self._flow(number(row, "cashFlow", "change"), f"transfer-{key}", at, now, is_result=False)
        elif moves is False and maybe(row, "funding"):
            yield self._flow(number(row, "funding"), f"funding-{text(row, 'tradeId') or key}", at, now, is_result=True)

    def quote(self, ticker: Row, at: int, now: int, leg: Leg = Leg.ONE) -> Quote | None:
        """The prices of a ticker; None where it holds none."""
        bid, ask = price(ticker, "bid1Price"), price(ticker, "ask1Price")
        last, mark = price(ticker, "lastPrice"), price(ticker, "markPrice")
        if bid is ask is last is mark is None:
            return None
        return Quote(
            at=at,
            received_at=now,
            symbol=self.markets.name_of(text(ticker, "symbol"), leg),
            bid=bid,
            ask=ask,
            last=last,
            mark=mark,
            volume_24h=fraction(ticker, "turnover24h"),
            source="bybit",
        )

    def _flow(self, amount: Decimal, key: str, at: int, now: int, *, is_result: bool) -> CashFlow:
        return CashFlow(at=at, received_at=now, account=self.account, amount=amount, flow_id=key, is_result=is_result)

    def _leg(self, row: Row) -> Leg:
        index = text(row, "positionIdx")
        if index not in _LEGS:
            raise Malformed(f"positionIdx {index!r} is none that is known")
        return _LEGS[index]


def _kind(row: Row, side: Side, trigger: Decimal | None) -> OrderType:
    """What sort of order it is. One that takes a profit is no stop: it protects nothing, so it counts as a limit."""
    if text(row, "stopOrderType") == "TrailingStop":
        return OrderType.TRAILING_STOP
    is_limit = text(row, "orderType") == "Limit"
    if trigger is None:
        return OrderType.LIMIT if is_limit else OrderType.MARKET
    if "TakeProfit" in text(row, "stopOrderType") or text(row, "triggerDirection") == (
        "2" if side is Side.BUY else "1"
    ):
        return OrderType.LIMIT
    return OrderType.STOP_LIMIT if is_limit else OrderType.STOP


def _status(row: Row, filled: Decimal) -> OrderStatus:
    said = text(row, "orderStatus")
    status = _STATUS.get(said)
    if status is None:
        raise Malformed(f"order status {said!r} is none that is known")
    return OrderStatus.PARTIALLY_FILLED if status is OrderStatus.WORKING and filled else status


def _reason(row: Row) -> str:
    said = text(row, "rejectReason")
    return "" if said == "EC_NoError" else said
