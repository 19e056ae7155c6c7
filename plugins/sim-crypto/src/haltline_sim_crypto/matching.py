"""What becomes of orders: fills, triggers, cancellations, funding, liquidation."""

import uuid
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import count

from haltline_sim_crypto.account import Account, Entry
from haltline_sim_crypto.desk import Habits, admit, crosses, reducible
from haltline_sim_crypto.event import Event, Executed, OrderChanged, Part, PositionChanged, WalletChanged
from haltline_sim_crypto.market import Market
from haltline_sim_crypto.number import ZERO
from haltline_sim_crypto.order import Ask, Cause, Fill, Leg, Order, Position, Status, Tif
from haltline_sim_crypto.refusal import Refused


class Matching:
    """The engine of one venue. `now_ms` is the venue's clock; `seed` makes ids that are the same in each run."""

    def __init__(self, habits: Habits, now_ms: Callable[[], int], *, seed: int) -> None:
        self.habits = habits
        self.now_ms = now_ms
        self._seed = seed
        self._numbers = count(seed)

    # -- orders --------------------------------------------------------------------------------------------------------

    def place(self, account: Account, ask: Ask) -> Order:
        """Accept an order and fill what can be filled; raises Refused."""
        return self._enter(account, ask, admit(account, ask, self.habits))

    def cancel(self, account: Account, order: Order, cause: Cause = Cause.USER) -> None:
        """End an order."""
        order.status, order.cause, order.updated_ms = Status.CANCELLED, cause, self.now_ms()
        account.emit(OrderChanged(order=order, step="over"))

    def cancel_all(self, account: Account, orders: Iterable[Order], cause: Cause = Cause.USER) -> list[Order]:
        """End several orders."""
        ended = list(orders)
        for order in ended:
            self.cancel(account, order, cause)
        return ended

    def _enter(self, account: Account, ask: Ask, quantity: Decimal, *, parent: Order | None = None) -> Order:
        order = self._book(account, ask, quantity)
        if parent is not None:
            order.parent, parent.spawned = parent.number, order.number
            account.emit(OrderChanged(order=parent, step="triggered"))
        elif ask.trigger is not None:
            order.status = Status.WAITING
            account.emit(OrderChanged(order=order, step="new"))
            self._trigger(account, order)
            return order
        account.emit(OrderChanged(order=order, step="new"))
        self._work(account, order)
        return order

    def _book(self, account: Account, ask: Ask, quantity: Decimal, cause: Cause = Cause.NONE) -> Order:
        number, now = next(self._numbers), self.now_ms()
        order = Order(
            number=number, uid=self._uid(number), ask=ask, quantity=quantity, created_ms=now, updated_ms=now,
            cause=cause,
        )  # fmt: skip
        account.orders[number] = order
        return order

    def _uid(self, number: int) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self._seed}:{number}"))

    def _work(self, account: Account, order: Order) -> None:
        """Fill what can be filled at once, and end what may not rest."""
        market = account.markets[order.ask.symbol]
        taken = crosses(market, order.ask)
        if order.ask.tif is Tif.POST and taken:
            self.cancel(account, order, Cause.POST_ONLY)
            return
        room = _room(account, market, order)
        if taken and room and not (order.ask.tif is Tif.FOK and room < order.left):
            market.taken += room
            self._fill(account, order, room, market.ask if order.ask.side > 0 else market.bid, is_maker=False)
        if order.is_immediate and order.is_live:
            order.status = Status.EXPIRED
            order.cause = Cause.NO_LIQUIDITY if order.ask.price is None else Cause.IOC
            account.emit(OrderChanged(order=order, step="over"))

    # -- prices --------------------------------------------------------------------------------------------------------

    def on_price(self, account: Account, symbol: str) -> None:
        """Trigger and fill what the new price reaches, then liquidate if it must be."""
        market = account.markets[symbol]
        for order in account.live(symbol):
            if order.status is Status.WAITING:
                self._trigger(account, order)
            elif order.is_live and crosses(market, order.ask) and order.ask.price is not None:
                room = _room(account, market, order)
                if room:
                    market.taken += room
                    self._fill(account, order, room, order.ask.price, is_maker=True)
        if account.positions and account.equity < account.total_maintenance:
            self._liquidate(account)

    def _trigger(self, account: Account, order: Order) -> None:
        market, trigger = account.markets[order.ask.symbol], order.ask.trigger
        if trigger is None or not trigger.is_met(last=market.last, mark=market.mark):
            return
        order.is_triggered, order.updated_ms = True, self.now_ms()
        try:
            quantity = admitted_now(account, order, self.habits)
        except Refused:
            self.cancel(account, order, Cause.REDUCE_ONLY)
            return
        if self.habits.spawns:
            order.status, order.cause = Status.FILLED, Cause.TRIGGERED
            account.emit(OrderChanged(order=order, step="triggered"))
            self._enter(account, order.ask, quantity, parent=order)
            account.emit(OrderChanged(order=order, step="over"))
            return
        order.quantity, order.status = quantity, Status.OPEN
        account.emit(OrderChanged(order=order, step="triggered"))
        self._work(account, order)

    # -- fills ---------------------------------------------------------------------------------------------------------

    def _fill(
        self, account: Account, order: Order, quantity: Decimal, price: Decimal, *, is_maker: bool,
        cause: Cause = Cause.ORDER,
    ) -> None:  # fmt: skip
        ask, now = order.ask, self.now_ms()
        position = account.positions.setdefault((ask.symbol, ask.leg), Position(symbol=ask.symbol, leg=ask.leg))
        before = position.quantity
        closed = min(quantity, abs(before)) if before * ask.side < 0 else ZERO
        profit = (price - position.entry) * closed * -ask.side
        rate = self.habits.maker_rate if is_maker else self.habits.taker_rate
        fee = quantity * price * rate
        _move(position, ask.side * quantity, price, now)
        position.realised += profit - fee
        position.realised_ever += profit - fee
        account.wallet += profit - fee
        order.filled += quantity
        order.value += quantity * price
        order.fee += fee
        order.updated_ms = now
        order.status = Status.OPEN if order.left else Status.FILLED
        account.markets[ask.symbol].volume += quantity
        number = next(self._numbers)
        fill = Fill(
            number=number, uid=self._uid(number), order=order, price=price, quantity=quantity, fee=fee, fee_rate=rate,
            profit=profit, closed=closed, before=before, is_maker=is_maker, at_ms=now,
            mark=account.markets[ask.symbol].mark, cause=cause,
        )  # fmt: skip
        account.fills.append(fill)
        if profit:
            account.book.append(Entry(at_ms=now, cause=cause, amount=profit, symbol=ask.symbol, number=number))
        self._tell(account, fill)
        self._drop_idle_reducers(account, ask.symbol, ask.leg)

    def _tell(self, account: Account, fill: Fill) -> None:
        ask = fill.order.ask
        events: dict[Part, Event] = {
            "order": OrderChanged(order=fill.order, step="trade", fill=fill),
            "execution": Executed(fill=fill),
            "position": PositionChanged(symbol=ask.symbol, leg=ask.leg, cause=fill.cause),
            "wallet": WalletChanged(cause=fill.cause, symbol=ask.symbol, amount=fill.profit - fill.fee),
        }
        for part in self.habits.pushes:
            account.emit(events[part])

    def _drop_idle_reducers(self, account: Account, symbol: str, leg: Leg) -> None:
        """Resting orders that may only reduce go when there is nothing left to reduce."""
        held = account.position(symbol, leg).quantity
        for order in account.live(symbol):
            ask = order.ask
            if order.status is Status.OPEN and ask.reduces and ask.leg is leg and held * ask.side >= 0:
                self.cancel(account, order, Cause.REDUCE_ONLY)

    # -- what the venue does of itself ---------------------------------------------------------------------------------

    def fund(self, account: Account, symbol: str, rate: Decimal) -> None:
        """Longs pay a positive rate, shorts a negative one."""
        now = self.now_ms()
        for position in [each for each in account.held() if each.symbol == symbol]:
            paid = position.quantity * account.markets[symbol].mark * rate
            account.wallet -= paid
            position.funding += paid
            position.realised -= paid
            position.realised_ever -= paid
            number = next(self._numbers)
            entry = Entry(
                at_ms=now, cause=Cause.FUNDING, amount=-paid, symbol=symbol, number=number,
                quantity=position.quantity, price=account.markets[symbol].mark,
            )  # fmt: skip
            account.book.append(entry)
            account.emit(PositionChanged(symbol=symbol, leg=position.leg, cause=Cause.FUNDING))
            account.emit(WalletChanged(cause=Cause.FUNDING, symbol=symbol, amount=-paid))

    def deposit(self, account: Account, amount: Decimal) -> None:
        """Cash comes in, or goes out if negative."""
        account.wallet += amount
        number = next(self._numbers)
        account.book.append(Entry(at_ms=self.now_ms(), cause=Cause.DEPOSIT, amount=amount, number=number))
        account.emit(WalletChanged(cause=Cause.DEPOSIT, amount=amount))

    def _liquidate(self, account: Account) -> None:
        self.cancel_all(account, account.live(), Cause.LIQUIDATION)
        for position in list(account.held()):
            market = account.markets[position.symbol]
            side = -1 if position.quantity > 0 else 1
            quantity = abs(position.quantity)
            ask = Ask(symbol=position.symbol, side=side, quantity=quantity, reduces=True, leg=position.leg)
            order = self._book(account, ask, quantity, Cause.LIQUIDATION)
            self._fill(account, order, ask.quantity, market.mark, is_maker=False, cause=Cause.LIQUIDATION)


def admitted_now(account: Account, order: Order, habits: Habits) -> Decimal:
    """What a conditional order may do now that it triggers; raises Refused."""
    ask = order.ask
    opens = ask.leg is Leg.NET or (ask.side > 0) is (ask.leg is Leg.LONG)
    if opens and not ask.reduces and not ask.closes_all:
        return ask.quantity
    return reducible(account, ask, ask.quantity, habits)


def _room(account: Account, market: Market, order: Order) -> Decimal:
    """How much can be filled now: what stands in the book, and never more than there is to reduce."""
    room = order.left if market.depth is None else min(order.left, max(ZERO, market.depth - market.taken))
    if order.ask.reduces:
        room = min(room, abs(account.position(order.ask.symbol, order.ask.leg).quantity))
    return room


def _move(position: Position, signed: Decimal, price: Decimal, now_ms: int) -> None:
    """Take a fill into a position: a new entry price where it grows or turns, the same where it shrinks."""
    before, after = position.quantity, position.quantity + signed
    if before == 0:
        position.opened_ms, position.entry, position.realised, position.funding = now_ms, price, ZERO, ZERO
    elif before * signed > 0:
        position.entry = (position.entry * abs(before) + price * abs(signed)) / abs(after)
    elif before * after < 0:
        position.opened_ms, position.entry = now_ms, price
    elif after == 0:
        position.entry = ZERO
    position.quantity, position.updated_ms = after, now_ms
    position.seq += 1
