"""The verbs: orders with a tag of ours, exact closes, cancels, and what became of each."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from haltline.api import AccountSnapshot, BrokerCall, BrokerRole, BrokerSetup, EventSink, Finding, Started
from haltline.clock import NS_PER_S
from haltline.errors import OutcomeUnknown, Refused, Transient
from haltline.model.id import AccountId, OrderId, Symbol
from haltline.model.order import OrderReport, OrderRequest, OrderStatus, OrderType, Side
from haltline_broker_projectx.closing import SURE_NS, Close, CloseBook
from haltline_broker_projectx.contract import Contract, Contracts
from haltline_broker_projectx.diagnosis import diagnose
from haltline_broker_projectx.failure import Answered
from haltline_broker_projectx.pull import Accounts, Puller
from haltline_broker_projectx.reader import Reader
from haltline_broker_projectx.session import Session
from haltline_broker_projectx.setting import read_setting
from haltline_broker_projectx.wire import CODES, SIDE_CODES, WireOrder, order_report

_FRESH_NS = NS_PER_S
"""A position pulled this recently need not be pulled again before it is closed."""
_APPEARS_NS = 5 * NS_PER_S
"""An accepted close that does not show as an order after so long is no longer waited for."""
_MONEY_NS = 30 * NS_PER_S
"""What acts needs positions and orders, not the newest balance: the platform counts every call."""
_PING_NS = 20 * NS_PER_S
_SOON_NS = 2 * NS_PER_S
_FAILURES = 3


class ProjectXBroker:
    """`api.Broker` at a ProjectX gateway. A reader and an actuator have a login, and connections, each."""

    def __init__(self, setup: BrokerSetup) -> None:
        self._setup = setup
        self._clock = setup.clock
        self._setting = read_setting(setup.config)
        self._session = Session(self._setting, setup.clock)
        self._contracts = Contracts(
            self._session, symbols=self._setting.symbols, instruments=setup.instruments, live=self._setting.live
        )
        accounts = Accounts(setup.accounts, self._setting.accounts)
        self._puller = Puller(
            self._session, accounts=accounts, contracts=self._contracts, clock=setup.clock,
            money_age_ns=_MONEY_NS if setup.role is BrokerRole.ACTUATOR else -1,
        )  # fmt: skip
        path = setup.directory / f"projectx-{setup.name}-closes.jsonl" if setup.directory else None
        self._closes = CloseBook(path)
        self._pulled: dict[AccountId, tuple[int, AccountSnapshot]] = {}
        self.reader: Reader | None = None
        """What reads and pushes while `run` runs; None for an actuator."""

    async def run(self, sink: EventSink, started: Started) -> None:
        """Push what is so and what happens; an actuator only keeps its login and its connection."""
        try:
            if self._setup.role is BrokerRole.ACTUATOR:
                await self._keep_ready(started)
            self.reader = Reader(
                self._puller, session=self._session, setting=self._setting, specs=self._setup.accounts,
                clock=self._clock, share=self._setup.share, sink=sink,
            )  # fmt: skip
            await self.reader.run(started)
        finally:
            await self._session.close()

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        """The platform's truth about an account."""
        found = await self._puller.snapshot(account)
        self._pulled[account] = self._clock.now(), found
        return found

    async def submit(self, request: OrderRequest) -> OrderReport:
        """Place an order under its client id, or carry out a reducing market order as an exact close."""
        number = await self._number(request.account)
        contract = await self._contracts.of_symbol(request.symbol)
        if request.quantity != int(request.quantity) or request.quantity <= 0:
            raise Refused(f"{request.quantity} is no whole number of contracts")
        if request.reduce_only and request.type is OrderType.MARKET:
            return await self._close(request, contract, number)
        if request.reduce_only:
            await self._reducible(request, contract, number)
        return await self._place(request, contract, number)

    async def cancel(self, account: AccountId, order_id: OrderId) -> None:
        """Cancel an order; one that works no more is no error."""
        if not order_id.isdecimal():
            return
        number = await self._number(account)
        try:
            await self._session.call("Order/cancel", {"accountId": number, "orderId": int(order_id)})
        except (Refused, OutcomeUnknown):
            if any(each.id == int(order_id) for each in await self._puller.working(number)):
                raise

    async def find_order(self, account: AccountId, client_id: str) -> OrderReport | None:
        """What became of an order or close of ours; None where the platform has never seen it."""
        number = await self._number(account)
        close = await self._closes.find(client_id)
        if close is not None:
            return await self._outcome(close, account, number)
        return await self._tagged(account, number, client_id)

    async def look_up(self, order: OrderReport) -> OrderReport | None:
        """What became of an order, asked by the platform's number for it."""
        if not order.order_id.isdecimal():
            return None
        number = await self._number(order.account)
        return await self._report(await self._puller.order(number, int(order.order_id)), order.account, order.client_id)

    def cost(self, call: BrokerCall) -> int:
        """How many of the platform's calls one of ours is, at most; a contract that is met first is one more."""
        if call is BrokerCall.SNAPSHOT:
            return 3 - self._puller.has_recent_money
        return {BrokerCall.SUBMIT: 3, BrokerCall.CANCEL: 2, BrokerCall.FIND_ORDER: 2}[call]

    async def diagnose(self) -> Sequence[Finding]:
        """What `haltline doctor` asks: login, clock, accounts, contracts."""
        try:
            return await diagnose(self._puller, session=self._session, contracts=self._setting.contracts)
        finally:
            await self._session.close()

    # -- orders --------------------------------------------------------------------------------------------------------

    async def _place(self, request: OrderRequest, contract: Contract, number: int) -> OrderReport:
        code = CODES.get(request.type)
        if code is None:
            raise Refused(f"orders of type {request.type} are not sent to this platform")
        body: dict[str, Any] = {
            "accountId": number, "contractId": contract.id, "type": code, "side": SIDE_CODES[request.side],
            "size": int(request.quantity), "limitPrice": _number(request.limit_price), "stopPrice": None,
            "trailPrice": None, "customTag": request.client_id or None,
        }  # fmt: skip
        if request.stop_price is not None:
            body["stopPrice"] = contract.on_tick(request.stop_price, request.side)
        try:
            reply = await self._session.call("Order/place", body)
        except Answered:
            seen = await self._tagged(request.account, number, request.client_id) if request.client_id else None
            if seen is None:
                raise
            return seen
        report = _sent(request, OrderId(str(reply.get("orderId"))))
        try:
            found = await self._puller.order(number, int(reply.get("orderId") or 0))
        except (Transient, Refused):
            return report
        return _accepted(order_report(found, request.account, request.symbol, self._now))

    async def _tagged(self, account: AccountId, number: int, client_id: str) -> OrderReport | None:
        found = [each for each in await self._puller.orders(number) if each.custom_tag == client_id]
        if not found:
            found = [each for each in await self._puller.working(number) if each.custom_tag == client_id]
        return await self._report(found[-1], account, client_id) if found else None

    # -- exact closes --------------------------------------------------------------------------------------------------

    async def _close(self, request: OrderRequest, contract: Contract, number: int) -> OrderReport:
        known = await self._closes.find(request.client_id)
        if known is not None:
            seen = await self._outcome(known, request.account, number)
            if seen is not None:
                return seen
            self._require_sure(known)
        held = await self._reducible(request, contract, number)
        now, size = self._now, min(int(request.quantity), held)
        close = Close(
            client_id=request.client_id, account=request.account, contract=contract.id, side=request.side, size=size,
            is_whole=size == held, at=now + self._session.skew_ns, sent_at=now,
        )  # fmt: skip
        await self._closes.note(close)
        body: dict[str, Any] = {"accountId": number, "contractId": contract.id}
        name = "Position/closeContract"
        if not close.is_whole:
            name, body["size"] = "Position/partialCloseContract", size
        self._pulled.pop(request.account, None)
        try:
            await self._session.call(name, body)
        except (Transient, Refused):
            close.is_void = True
            await self._closes.note(close)
            raise
        close.is_accepted = True
        await self._closes.note(close)
        return _pending(close, request.account, request.symbol)

    def _require_sure(self, close: Close) -> None:
        """A part-close in doubt is not sent again before it is sure that it did not arrive; a whole one cannot harm."""
        wait_ns = close.sent_at + SURE_NS - self._now
        if wait_ns > 0 and not close.is_whole:
            raise Transient("it is not certain yet that the close did not arrive", retry_after_s=wait_ns / NS_PER_S)

    async def _outcome(self, close: Close, account: AccountId, number: int) -> OrderReport | None:
        """The order that the platform made of a close; nothing where there is none and none is to be expected."""
        had = close.order_id
        orders = await self._puller.orders(number, since=close.at - SURE_NS)
        found = self._closes.matched(close, orders)
        if found is not None:
            if had is None:
                await self._closes.note(close)
            return await self._report(found, account, close.client_id)
        if close.is_accepted and self._now < close.sent_at + _APPEARS_NS:
            return _pending(close, account, (await self._contracts.get(close.contract)).symbol)
        return None

    async def _reducible(self, request: OrderRequest, contract: Contract, number: int) -> int:
        """How much an order can reduce; raises Refused where there is nothing on the other side."""
        at, pulled = self._pulled.get(request.account, (0, None))
        if pulled is not None and self._now - at <= _FRESH_NS:
            held = sum(int(each.quantity) for each in pulled.positions if each.symbol == request.symbol)
        else:
            held = sum(each.held for each in await self._puller.positions(number) if each.contract_id == contract.id)
        if held * request.side.sign >= 0:
            raise Refused(f"there is no {request.symbol} for this order to reduce")
        return abs(held)

    # -- the rest ------------------------------------------------------------------------------------------------------

    async def _keep_ready(self, started: Started) -> None:
        """Log in before the first action needs it, keep the connection warm, and log in again in time."""
        await self._puller.all_accounts()
        started()
        failures = 0
        while True:
            await self._clock.sleep_until(self._now + (_SOON_NS if failures else _PING_NS))
            try:
                await self._session.log_in()
                await self._session.ping()
            except Transient:
                failures += 1
                if failures >= _FAILURES:  # until then an action that is under way keeps its connection
                    raise
            else:
                failures = 0

    async def _number(self, account: AccountId) -> int:
        if not self._puller.accounts.is_bound:
            await self._puller.all_accounts()
        return self._puller.accounts.number(account)

    async def _report(self, told: WireOrder, account: AccountId, client_id: str) -> OrderReport:
        contract = await self._contracts.get(told.contract_id)
        try:
            return order_report(told, account, contract.symbol, self._now, client_id=client_id)
        except ValueError as mistake:
            raise Transient(f"order {told.id} cannot be read: {mistake}") from mistake

    @property
    def _now(self) -> int:
        return self._clock.now()


def _sent(request: OrderRequest, order_id: OrderId) -> OrderReport:
    return OrderReport(
        account=request.account, order_id=order_id, symbol=request.symbol, side=request.side,
        quantity=request.quantity, type=request.type, status=OrderStatus.PENDING, limit_price=request.limit_price,
        stop_price=request.stop_price, client_id=request.client_id,
    )  # fmt: skip


def _accepted(report: OrderReport) -> OrderReport:
    if report.status is OrderStatus.REJECTED and not report.filled:
        raise Refused(report.reason or "the platform rejected the order")
    return report


def _pending(close: Close, account: AccountId, symbol: Symbol) -> OrderReport:
    """A close that was accepted and does not show as an order yet."""
    side: Side = close.side
    return OrderReport(
        account=account, order_id=OrderId(f"close-{close.client_id}"), symbol=symbol, side=side,
        quantity=Decimal(close.size), type=OrderType.MARKET, status=OrderStatus.PENDING, reduce_only=True,
        client_id=close.client_id,
    )  # fmt: skip


def _number(price: Decimal | None) -> float | None:
    return None if price is None else float(price)
