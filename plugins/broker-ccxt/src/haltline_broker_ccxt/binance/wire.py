"""What Binance's rows and pushes say, in the engine's words. REST and the streams name the same things differently."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from haltline.model.event import AccountReport, CashFlow, Event, Fill, OrderUpdate, PositionReport, Quote
from haltline.model.id import AccountId, FillId, OrderId, Symbol
from haltline.model.order import OrderReport, OrderStatus, OrderType, Side
from haltline_broker_ccxt.clientid import ClientIds
from haltline_broker_ccxt.market import Leg, Markets, leg_of
from haltline_broker_ccxt.row import (
    ZERO,
    Malformed,
    Row,
    above_zero,
    child,
    flag,
    fraction,
    maybe,
    millis,
    number,
    price,
    rows,
    side_of,
    text,
)

ALGO = "algo-"
"""What the ids of conditional orders begin with here: Binance counts them apart from other orders."""

_LEGS = {"": Leg.ONE, "BOTH": Leg.ONE, "LONG": Leg.LONG, "SHORT": Leg.SHORT}
_STATUS = {
    "NEW": OrderStatus.WORKING,
    "NEW_ADL": OrderStatus.WORKING,
    "NEW_INSURANCE": OrderStatus.WORKING,
    "WORKING": OrderStatus.WORKING,
    "PARTIALLY_FILLED": OrderStatus.PARTIALLY_FILLED,
    "FILLED": OrderStatus.FILLED,
    "CANCELED": OrderStatus.CANCELLED,
    "EXPIRED": OrderStatus.EXPIRED,
    "EXPIRED_IN_MATCH": OrderStatus.EXPIRED,
    "REJECTED": OrderStatus.REJECTED,
    "TRIGGERING": OrderStatus.WORKING,
    "TRIGGERED": OrderStatus.FILLED,
    "FINISHED": OrderStatus.FILLED,
}
_KINDS = {
    "MARKET": OrderType.MARKET,
    "LIMIT": OrderType.LIMIT,
    "STOP": OrderType.STOP_LIMIT,
    "STOP_MARKET": OrderType.STOP,
    "TAKE_PROFIT": OrderType.LIMIT,
    "TAKE_PROFIT_MARKET": OrderType.LIMIT,
    "TRAILING_STOP_MARKET": OrderType.TRAILING_STOP,
    "LIQUIDATION": OrderType.MARKET,
}
"""One that takes a profit is no stop: it protects nothing, so it counts as a limit."""

_INCOME = {"TRANSFER": False, "FUNDING_FEE": True, "WELCOME_BONUS": False, "INTERNAL_TRANSFER": False}
"""Kinds of income that are told: True for what is a result of the account, False for what comes and goes."""


class Translator:
    """Rows of one account."""

    def __init__(self, account: AccountId, markets: Markets, ids: ClientIds) -> None:
        self.account = account
        self.markets = markets
        self.ids = ids

    def position(self, row: Row, at: int, now: int) -> PositionReport:
        """One position of REST; the amount is signed, the side of a hedge is named beside it."""
        return PositionReport(
            at=at,
            received_at=now,
            account=self.account,
            symbol=self._symbol(row, "symbol", "positionSide"),
            quantity=number(row, "positionAmt"),
            average_price=maybe(row, "entryPrice") or ZERO,
            liquidation_price=price(row, "liquidationPrice"),
            margin=fraction(row, "initialMargin", "positionInitialMargin"),
            leverage=_leverage(row),
        )

    def account_of(self, row: Row, at: int, now: int) -> AccountReport:
        """The account: equity with open profit is `totalMarginBalance`."""
        return AccountReport(
            at=at,
            received_at=now,
            account=self.account,
            balance=number(row, "totalWalletBalance"),
            equity=float(number(row, "totalMarginBalance")),
            margin_used=fraction(row, "totalInitialMargin"),
            margin_available=fraction(row, "availableBalance"),
            can_trade=flag(row, "canTrade") if "canTrade" in row else None,
        )

    def order(self, row: Row, held: Mapping[str, Decimal]) -> OrderReport:
        """One order of REST, conditional or not."""
        is_algo = bool(text(row, "algoId"))
        key = ALGO + text(row, "algoId") if is_algo else text(row, "orderId")
        return self._order(
            row, held, key=key, symbol=self._symbol(row, "symbol", "positionSide"),
            kind=text(row, "orderType", "type"), origin=text(row, "origType"),
            status=text(row, "algoStatus", "status"), quantity=maybe(row, "quantity", "origQty"),
            filled=maybe(row, "executedQty"), limit=above_zero(row, "price"),
            trigger=above_zero(row, "triggerPrice", "stopPrice"), side=text(row, "side"),
            client=text(row, "clientAlgoId", "clientOrderId"),
            placed_ms=millis(row, "createTime", "time", "updateTime"),
            is_reducing=flag(row, "reduceOnly") or flag(row, "closePosition"), average=above_zero(row, "avgPrice"),
        )  # fmt: skip

    def listed(self, row: Row, held: Mapping[str, Decimal]) -> OrderReport:
        """One of the working orders: a state that is new to us is one of those there. One odd order must not blind the
        account, nor keep a position from being closed.
        """
        is_known = text(row, "algoStatus", "status") in _STATUS
        return self.order(row if is_known else {**row, "algoStatus": "NEW"}, held)

    def pushed_order(self, row: Row, held: Mapping[str, Decimal]) -> OrderReport:
        """The order in an ORDER_TRADE_UPDATE (short keys) or an ALGO_UPDATE."""
        is_algo = "aid" in row
        key = ALGO + text(row, "aid") if is_algo else text(row, "i")
        return self._order(
            row, held, key=key, symbol=self._symbol(row, "s", "ps"), kind=text(row, "o"), origin=text(row, "ot"),
            status=text(row, "X"), quantity=maybe(row, "q"), filled=maybe(row, "aq" if is_algo else "z"),
            limit=above_zero(row, "p"), trigger=above_zero(row, "tp" if is_algo else "sp"), side=text(row, "S"),
            client=text(row, "caid" if is_algo else "c"), placed_ms=millis(row, "T"),
            is_reducing=flag(row, "R") or flag(row, "cp"), average=above_zero(row, "ap"), reason=text(row, "rm"),
        )  # fmt: skip

    def trade(self, row: Row, at: int, now: int) -> Fill:
        """One execution of REST."""
        return Fill(
            at=at, received_at=now, account=self.account, symbol=self._symbol(row, "symbol", "positionSide"),
            fill_id=FillId(f"{text(row, 'symbol')}-{text(row, 'id')}"), side=side_of(text(row, "side")),
            quantity=number(row, "qty"), price=number(row, "price"), fee=max(maybe(row, "commission") or ZERO, ZERO),
            pnl=maybe(row, "realizedPnl"), order_id=OrderId(text(row, "orderId")) or None,
        )  # fmt: skip

    def pushed(self, message: Row, held: dict[str, Decimal], at: int, now: int) -> Iterable[Event]:
        """What an event of the user stream says. `held` is brought up to date by it."""
        match text(message, "e"):
            case "ACCOUNT_UPDATE":
                yield from self._pushed_account(child(message, "a"), held, at, now)
            case "ORDER_TRADE_UPDATE":
                row = child(message, "o")
                yield OrderUpdate(at=at, received_at=now, order=self.pushed_order(row, held))
                if text(row, "x") in ("TRADE", "CALCULATED") and above_zero(row, "l"):
                    yield self._pushed_fill(row, at, now)
            case "ALGO_UPDATE":
                yield OrderUpdate(at=at, received_at=now, order=self.pushed_order(child(message, "o"), held))

    def income(self, row: Row, at: int, now: int) -> CashFlow | None:
        """A transfer, or funding; None for what fills tell already."""
        is_result = _INCOME.get(text(row, "incomeType"))
        if is_result is None:
            return None
        key = f"{text(row, 'incomeType').lower()}-{text(row, 'tranId')}-{text(row, 'symbol')}"
        return CashFlow(
            at=at, received_at=now, account=self.account, amount=number(row, "income"), flow_id=key, is_result=is_result
        )

    def quote(self, message: Row, at: int, now: int) -> Quote | None:
        """A bookTicker or a markPriceUpdate, of the stream (short keys) or of REST."""
        bid, ask = price(message, "b", "bidPrice"), price(message, "a", "askPrice")
        mark = price(message, "p", "markPrice")
        if bid is ask is mark is None:
            return None
        symbol = self.markets.name_of(text(message, "s", "symbol"))
        return Quote(at=at, received_at=now, symbol=symbol, bid=bid, ask=ask, mark=mark, source="binance")

    def _pushed_account(self, data: Row, held: dict[str, Decimal], at: int, now: int) -> Iterable[Event]:
        for each in rows(data.get("P") or []):
            symbol, quantity = self._symbol(each, "s", "ps"), number(each, "pa")
            held[symbol] = quantity
            yield PositionReport(
                at=at, received_at=now, account=self.account, symbol=symbol, quantity=quantity,
                average_price=(maybe(each, "ep") or ZERO) if quantity else ZERO,
            )  # fmt: skip

    def _pushed_fill(self, row: Row, at: int, now: int) -> Fill:
        return Fill(
            at=at, received_at=now, account=self.account, symbol=self._symbol(row, "s", "ps"),
            fill_id=FillId(f"{text(row, 's')}-{text(row, 't')}"), side=side_of(text(row, "S")),
            quantity=number(row, "l"), price=number(row, "L"), fee=max(maybe(row, "n") or ZERO, ZERO),
            pnl=maybe(row, "rp"), order_id=OrderId(text(row, "i")) or None,
        )  # fmt: skip

    def _order(
        self, row: Row, held: Mapping[str, Decimal], *, key: str, symbol: Symbol, kind: str, origin: str, status: str,
        quantity: Decimal | None, filled: Decimal | None, limit: Decimal | None, trigger: Decimal | None, side: str,
        client: str, placed_ms: int, is_reducing: bool, average: Decimal | None, reason: str = "",
    ) -> OrderReport:  # fmt: skip
        known, done = _STATUS.get(status), filled or ZERO
        if known is None:
            raise Malformed(f"order status {status!r} is none that is known")
        # a sort that is not known counts as a limit, which protects nothing: one odd order must not blind the account
        sort = _KINDS.get(kind if trigger is not None or not origin else origin) or _KINDS.get(kind, OrderType.LIMIT)
        if trigger is None and sort.is_stop:
            sort = _KINDS.get(kind, OrderType.LIMIT)
        if known is OrderStatus.WORKING and done:
            known = OrderStatus.PARTIALLY_FILLED
        market = self.markets.get(symbol)
        lot = market.lot if market is not None and market.lot else Decimal(1)
        return OrderReport(
            account=self.account, order_id=OrderId(key), symbol=symbol, side=side_of(side),
            quantity=quantity if quantity else abs(held.get(symbol, ZERO)) or max(lot, done), type=sort, status=known,
            filled=done, limit_price=trigger or limit if sort is OrderType.LIMIT else limit,
            stop_price=trigger if sort.is_stop else None,
            reduce_only=is_reducing or _closes(side_of(side), leg_of(symbol)),
            client_id=self.ids.to_ours(client), placed_at=placed_ms * 1_000_000, reason=reason, average_price=average,
        )  # fmt: skip

    def _symbol(self, row: Row, name: str, side: str) -> Symbol:
        leg = _LEGS.get(text(row, side))
        if leg is None:
            raise Malformed(f"position side {text(row, side)!r} is none that is known")
        return self.markets.name_of(text(row, name), leg)


def _leverage(row: Row) -> float | None:
    """v3 of the call does not tell it: the position's value by its margin, unless the margin is its own."""
    told = price(row, "leverage")
    if told is not None:
        return told
    value, margin = maybe(row, "notional"), above_zero(row, "initialMargin", "positionInitialMargin")
    return round(float(abs(value) / margin), 6) if value and margin else None


def _closes(side: Side, leg: Leg) -> bool:
    """Whether an order on one side of a hedge makes it smaller: Binance has no flag for it there."""
    return leg is not Leg.ONE and (side is Side.SELL) == (leg is Leg.LONG)
