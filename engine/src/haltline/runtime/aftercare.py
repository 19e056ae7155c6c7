"""After a flatten or close: what became of the orders it cancelled? Their broker is asked while one may fill late.

A push of a late fill may be lost, or name no order. Each order is asked for once after it, and again while
something is held that it may have filled; when its broker has told of a fill, it has to tell of the position as well.
What to do about it is the kernel's business (`kernel.late`). Where an order cannot be asked for, people are told that
something is held which may be nobody's wish: nothing is traded against somebody's own new position.
"""

from collections.abc import Awaitable, Callable, Container, Mapping
from decimal import Decimal

from haltline.api import AccountSnapshot
from haltline.clock import NS_PER_S, Clock
from haltline.errors import InvariantBroken
from haltline.kernel.kernel import Kernel
from haltline.kernel.late import Doubt, doubtful, is_watched, open_orders, untold
from haltline.model.event import Event, OrderUpdate, PositionReport
from haltline.model.id import AccountId, OrderId, Symbol
from haltline.model.order import OrderReport
from haltline.runtime.discreet import Inquirer
from haltline.runtime.health import Tell
from haltline.runtime.reconcile import activity_of

EVERY_NS = 5 * NS_PER_S
_MOST = 5
"""Orders that are asked for in one round: the others wait for the next."""


class Aftercare:
    """The service `run`. `accounts` tells whom to ask for each account."""

    def __init__(
        self, *, kernel: Kernel, accounts: Mapping[AccountId, Inquirer], clock: Clock, confirmed: Container[AccountId],
        put: Callable[[Event], None], settle: Callable[[], Awaitable[None]], tell: Tell,
    ) -> None:  # fmt: skip
        self._kernel = kernel
        self._accounts = accounts
        self._clock = clock
        self._confirmed = confirmed
        self._put = put
        self._settle = settle
        self._tell = tell
        self._asked: dict[AccountId, dict[OrderId, bool]] = {}
        self._told: dict[tuple[AccountId, Symbol], Decimal] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._clock.sleep_until(self._clock.now() + EVERY_NS)
            for account in self._accounts:
                await self.look(account)

    async def look(self, account: AccountId) -> None:
        """One round for one account; most have nothing to be asked for."""
        if account not in self._confirmed or not is_watched(self._kernel, account, self._clock.now()):
            self._forget(account)
            return
        asked = self._asked.setdefault(account, {})
        suspects = {order.order_id for doubt in self._doubts(account) for order in doubt.orders}
        orders = open_orders(self._kernel, account, self._clock.now())
        for order in [each for each in orders if each.order_id not in asked or each.order_id in suspects][:_MOST]:
            asked[order.order_id] = await self._ask(order)
        await self._settle()
        symbols = untold(self._kernel, account, self._clock.now())
        if symbols:
            await self._pull(account, symbols)
        await self._tell_doubts(account, asked)

    def _doubts(self, account: AccountId) -> list[Doubt]:
        return doubtful(self._kernel, account, self._clock.now())

    async def _ask(self, order: OrderReport) -> bool:
        """Have the kernel told what became of an order; whether its broker has said so."""
        broker = self._accounts[order.account]
        try:
            if order.client_id:
                found = await broker.find_order(order.account, order.client_id)
            else:
                found = await broker.look_up(order)
        except InvariantBroken:
            raise
        except Exception:  # noqa: BLE001 - the wall around plugin code: a broker may raise anything
            return False
        if found is None or found.order_id != order.order_id:
            return False
        now = self._clock.now()
        self._put(OrderUpdate(at=now, received_at=now, order=found))
        return True

    async def _pull(self, account: AccountId, symbols: list[Symbol]) -> None:
        """Have the kernel told what is held of these; if something is filled meanwhile, the next round does."""
        before = activity_of(self._kernel, account)
        try:
            snapshot = await self._accounts[account].snapshot(account)
        except InvariantBroken:
            raise
        except Exception:  # noqa: BLE001 - the wall around plugin code: a broker may raise anything
            return
        await self._settle()
        if activity_of(self._kernel, account) == before:
            for symbol in symbols:
                self._put(self._report(snapshot, symbol))
            await self._settle()

    def _report(self, snapshot: AccountSnapshot, symbol: Symbol) -> PositionReport:
        for position in snapshot.positions:
            known = self._kernel.state.names.get(position.symbol)
            if known is not None and known.symbol == symbol:
                return position
        now = self._clock.now()
        return PositionReport(
            at=now, received_at=now, account=snapshot.account.account, symbol=symbol, quantity=Decimal(0),
            average_price=Decimal(0),
        )  # fmt: skip

    async def _tell_doubts(self, account: AccountId, asked: Mapping[OrderId, bool]) -> None:
        doubts = {each.symbol: each for each in self._doubts(account)}
        for symbol in [symbol for owner, symbol in self._told if owner == account and symbol not in doubts]:
            del self._told[account, symbol]
        for symbol, doubt in doubts.items():
            silent = [order.order_id for order in doubt.orders if not asked.get(order.order_id, True)]
            if silent and self._told.get((account, symbol)) != doubt.quantity:
                self._told[account, symbol] = doubt.quantity
                await self._tell(*_words(doubt, silent))

    def _forget(self, account: AccountId) -> None:
        self._asked.pop(account, None)
        for key in [key for key in self._told if key[0] == account]:
            del self._told[key]


def _words(doubt: Doubt, silent: list[OrderId]) -> tuple[str, str]:
    orders = f"order {silent[0]}" if len(silent) == 1 else f"orders {', '.join(silent)}"
    return (
        f"{doubt.account} holds {doubt.quantity.normalize():+f} {doubt.symbol} since it was flat, and nobody knows why",
        f"It may be of {orders}, which we have cancelled and whose broker does not say what became of it, or it is "
        "somebody's new trade, and is left. Look at the account, and close it if it is nobody's wish [E865]",
    )
