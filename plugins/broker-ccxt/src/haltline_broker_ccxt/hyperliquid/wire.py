"""What Hyperliquid's messages say, in the engine's words. Pure."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from haltline.model.event import AccountReport, CashFlow, Event, Fill, PositionReport, Quote
from haltline.model.id import AccountId, FillId, OrderId
from haltline.model.order import OrderReport, OrderStatus, OrderType, Side
from haltline_broker_ccxt.clientid import ClientIds
from haltline_broker_ccxt.market import Markets
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
    text,
)

_SIDES = {"B": Side.BUY, "A": Side.SELL}
_STATUS = {
    "open": OrderStatus.WORKING,
    "triggered": OrderStatus.WORKING,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELLED,
    "rejected": OrderStatus.REJECTED,
    "scheduledCancel": OrderStatus.CANCELLED,
}
_KINDS = {
    "Market": OrderType.MARKET,
    "Limit": OrderType.LIMIT,
    "Stop Market": OrderType.STOP,
    "Stop Limit": OrderType.STOP_LIMIT,
    "Take Profit Market": OrderType.LIMIT,
    "Take Profit Limit": OrderType.LIMIT,
}
"""One that takes a profit is no stop: it protects nothing, so it counts as a limit."""

_LEDGER = {"deposit": 1, "withdraw": -1, "internalTransfer": 0, "subAccountTransfer": 0, "accountClassTransfer": 0}


class Translator:
    """Messages of one account."""

    def __init__(self, account: AccountId, markets: Markets, ids: ClientIds, wallet: str) -> None:
        self.account = account
        self.markets = markets
        self.ids = ids
        self._wallet = wallet.lower()

    def state(self, row: Row, at: int, now: int) -> tuple[AccountReport, list[PositionReport]]:
        """The clearinghouse state: the account, and every position there is."""
        margin = child(row, "marginSummary")
        positions = [self.position(child(each, "position"), at, now) for each in rows(row.get("assetPositions"))]
        equity = number(margin, "accountValue")
        open_profit = sum(
            (number(child(each, "position"), "unrealizedPnl") for each in rows(row.get("assetPositions"))), ZERO
        )
        report = AccountReport(
            at=at,
            received_at=now,
            account=self.account,
            balance=equity - open_profit,
            equity=float(equity),
            margin_used=fraction(margin, "totalMarginUsed"),
            margin_available=fraction(row, "withdrawable"),
        )
        return report, positions

    def position(self, row: Row, at: int, now: int) -> PositionReport:
        """One position; `szi` is signed."""
        leverage = row.get("leverage")
        return PositionReport(
            at=at,
            received_at=now,
            account=self.account,
            symbol=self.markets.name_of(text(row, "coin")),
            quantity=number(row, "szi"),
            average_price=maybe(row, "entryPx") or ZERO,
            liquidation_price=price(row, "liquidationPx"),
            margin=fraction(row, "marginUsed"),
            leverage=price(leverage, "value") if isinstance(leverage, Mapping) else None,
        )

    def order(self, row: Row, status: str, held: Mapping[str, Decimal]) -> OrderReport:
        """One order as told by REST, where its type is named."""
        # a sort that is not known counts as a limit, which protects nothing: one odd order must not blind the account
        kind = _KINDS.get(text(row, "orderType"), OrderType.LIMIT)
        symbol = self.markets.name_of(text(row, "coin"))
        market = self.markets.get(symbol)
        lot = market.lot if market is not None and market.lot else Decimal(1)
        trigger = above_zero(row, "triggerPx") if kind not in (OrderType.MARKET,) else None
        quantity = above_zero(row, "origSz", "sz") or abs(held.get(symbol, ZERO)) or lot
        filled = _filled(row, quantity)
        limit = above_zero(row, "limitPx")
        return OrderReport(
            account=self.account,
            order_id=OrderId(text(row, "oid")),
            symbol=symbol,
            side=_side(row),
            quantity=quantity,
            type=kind,
            status=status_of(status, filled),
            filled=quantity if status == "filled" else filled,
            limit_price=None
            if kind in (OrderType.STOP, OrderType.MARKET)
            else (trigger if trigger and kind is OrderType.LIMIT else limit),
            stop_price=trigger if kind.is_stop else None,
            reduce_only=flag(row, "reduceOnly"),
            client_id=self.ids.to_ours(text(row, "cloid")),
            placed_at=millis(row, "timestamp") * 1_000_000,
        )

    def progress(self, known: OrderReport, row: Row, status: str) -> OrderReport:
        """A push on an order that is known: pushes do not say of what type an order is, so only what moves is taken."""
        filled = known.quantity if status == "filled" else max(known.filled, _filled(row, known.quantity))
        return msgspec.structs.replace(known, status=status_of(status, filled), filled=filled)

    def fill(self, row: Row, at: int, now: int) -> Iterable[Event]:
        """One execution; a rebate is a flow of its own."""
        fee, key = maybe(row, "fee") or ZERO, text(row, "tid")
        yield Fill(
            at=at,
            received_at=now,
            account=self.account,
            symbol=self.markets.name_of(text(row, "coin")),
            fill_id=FillId(key),
            side=_side(row),
            quantity=number(row, "sz"),
            price=number(row, "px"),
            fee=max(fee, ZERO),
            pnl=maybe(row, "closedPnl"),
            order_id=OrderId(text(row, "oid")) or None,
        )
        if fee < 0:
            yield self._flow(-fee, f"rebate-{key}", at, now, is_result=True)

    def funding(self, row: Row, at: int, now: int) -> CashFlow:
        """Funding paid (negative) or received."""
        delta = child(row, "delta")
        key = f"funding-{text(delta, 'coin')}-{millis(row, 'time')}"
        return self._flow(number(delta, "usdc"), key, at, now, is_result=True)

    def ledger(self, row: Row, at: int, now: int) -> CashFlow | None:
        """Money that came or went; None for other entries of the ledger."""
        delta = child(row, "delta")
        kind = text(delta, "type")
        sign = _LEDGER.get(kind)
        if sign is None:
            return None
        amount = number(delta, "usdc", "amount")
        if kind == "accountClassTransfer":
            sign = 1 if flag(delta, "toPerp") else -1
        elif sign == 0:
            sign = 1 if text(delta, "destination").lower() == self._wallet else -1
        key = f"{kind}-{text(row, 'hash')}-{millis(row, 'time')}"
        return self._flow(amount * sign, key, at, now, is_result=False)

    def quote(self, coin: str, context: Row, at: int, now: int) -> Quote | None:
        """The mark, and the middle of the book as what is next to be paid; None without a mark."""
        mark = price(context, "markPx")
        if mark is None:
            return None
        return Quote(
            at=at,
            received_at=now,
            symbol=self.markets.name_of(coin),
            mark=mark,
            last=price(context, "midPx"),
            volume_24h=fraction(context, "dayNtlVlm"),
            source="hyperliquid",
        )

    def _flow(self, amount: Decimal, key: str, at: int, now: int, *, is_result: bool) -> CashFlow:
        return CashFlow(at=at, received_at=now, account=self.account, amount=amount, flow_id=key, is_result=is_result)


def status_of(said: str, filled: Decimal) -> OrderStatus:
    """The venue has a word for every reason of an end; what they end in says which end it is."""
    status = _STATUS.get(said)
    if status is None and said.endswith("Canceled"):
        status = OrderStatus.CANCELLED
    if status is None and said.endswith("Rejected"):
        status = OrderStatus.REJECTED
    if status is None:
        raise Malformed(f"order status {said!r} is none that is known")
    return OrderStatus.PARTIALLY_FILLED if status is OrderStatus.WORKING and filled else status


def _filled(row: Row, quantity: Decimal) -> Decimal:
    """What was filled: `sz` is what is left of `origSz`, and both are 0 for a stop on the whole position."""
    left, whole = maybe(row, "sz"), above_zero(row, "origSz")
    return min(max(whole - left, ZERO), quantity) if left is not None and whole is not None else ZERO


def _side(row: Row) -> Side:
    side = _SIDES.get(text(row, "side"))
    if side is None:
        raise Malformed(f"side {text(row, 'side')!r} is none that is known")
    return side
