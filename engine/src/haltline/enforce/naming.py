"""One name for each instrument: what a venue calls by another name is held and traded under ours.

Contract. A plan names instruments as the set-up does. A position or an order that the broker shows under an alias is
shown to actions under our name, and an order for it goes out under the name by which the account holds it or has an
order in it. What an account holds of one instrument under several names is shown and closed one after the other.
"""

from collections.abc import Mapping

import msgspec

from haltline.api import AccountSnapshot, Broker, EventSink, Started
from haltline.model.event import PositionReport
from haltline.model.id import AccountId, OrderId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderReport, OrderRequest


class NamingBroker:
    """`api.Broker` that speaks our names with us and the venue's with the venue."""

    __slots__ = ("_broker", "_instruments", "_theirs")

    def __init__(self, broker: Broker, instruments: Mapping[Symbol, InstrumentSpec]) -> None:
        self._broker = broker
        self._instruments = instruments
        self._theirs: dict[tuple[AccountId, Symbol], Symbol] = {}

    async def run(self, sink: EventSink, started: Started) -> None:
        """Keep the connection."""
        await self._broker.run(sink, started)

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        """The broker's truth, in our names."""
        found = await self._broker.snapshot(account)
        symbols = [*(each.symbol for each in found.positions), *(each.symbol for each in found.orders)]
        if all(self._is_ours(symbol) for symbol in symbols):
            return found
        for order in found.orders:
            self._theirs[account, self._own(order.symbol)] = order.symbol
        for position in sorted(found.positions, key=lambda each: (each.quantity != 0, self._is_ours(each.symbol))):
            self._theirs[account, self._own(position.symbol)] = position.symbol
        return msgspec.structs.replace(
            found,
            positions=tuple(self._shown(each) for each in found.positions),
            orders=tuple(self._renamed(each) for each in found.orders),
        )

    def _shown(self, position: PositionReport) -> PositionReport:
        own = self._own(position.symbol)
        is_meant = self._theirs[position.account, own] == position.symbol
        return msgspec.structs.replace(position, symbol=own) if is_meant else position

    def _is_ours(self, symbol: Symbol) -> bool:
        return self._own(symbol) == symbol

    async def submit(self, request: OrderRequest) -> OrderReport:
        """Send an order, under the venue's name."""
        theirs = self._theirs.get((request.account, request.symbol), request.symbol)
        return self._renamed(await self._broker.submit(msgspec.structs.replace(request, symbol=theirs)))

    async def cancel(self, account: AccountId, order_id: OrderId) -> None:
        """Cancel an order."""
        await self._broker.cancel(account, order_id)

    async def find_order(self, account: AccountId, client_id: str) -> OrderReport | None:
        """The order sent under a client id, under our name."""
        found = await self._broker.find_order(account, client_id)
        return None if found is None else self._renamed(found)

    def _renamed(self, order: OrderReport) -> OrderReport:
        return msgspec.structs.replace(order, symbol=self._own(order.symbol))

    def _own(self, symbol: Symbol) -> Symbol:
        spec = self._instruments.get(symbol)
        return symbol if spec is None else spec.symbol
