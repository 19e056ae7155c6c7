"""What brokers say goes on record and to people: it holds no secret, whatever a venue repeats of a request."""

from collections.abc import Callable
from types import TracebackType
from typing import Protocol

import msgspec

from haltline.api import AccountSnapshot, Broker, EventSink, Started
from haltline.errors import PluginFailed
from haltline.model.event import ConnectionUpdate, Event, OrderUpdate
from haltline.model.id import AccountId, OrderId
from haltline.model.order import OrderReport, OrderRequest

type Hide = Callable[[str], str]
"""A text without secrets."""


class Puller(Protocol):
    """What may be asked for the state of an account."""

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        """The broker's truth, pulled now."""


class Inquirer(Puller, Protocol):
    """What may be asked for an order, too."""

    async def find_order(self, account: AccountId, client_id: str) -> OrderReport | None:
        """The order sent under a client id, working or not."""

    async def look_up(self, order: OrderReport) -> OrderReport | None:
        """What became of an order; None where that cannot be asked by its id alone."""


class DiscreetReader:
    """A `Puller` whose failures and answers say no secret."""

    def __init__(self, puller: Puller, hide: Hide) -> None:
        self._puller = puller
        self._hide = hide
        self._discretion = _Discretion(hide)

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        """The broker's truth."""
        with self._discretion:
            found = await self._puller.snapshot(account)
        if not any(order.reason for order in found.orders):
            return found
        return msgspec.structs.replace(found, orders=tuple(_discreet(order, self._hide) for order in found.orders))


class DiscreetInquirer(DiscreetReader):
    """An `Inquirer` whose failures and answers say no secret."""

    def __init__(self, inquirer: Inquirer, hide: Hide) -> None:
        super().__init__(inquirer, hide)
        self._inquirer = inquirer

    async def find_order(self, account: AccountId, client_id: str) -> OrderReport | None:
        """The order sent under a client id."""
        with self._discretion:
            found = await self._inquirer.find_order(account, client_id)
        return None if found is None else _discreet(found, self._hide)

    async def look_up(self, order: OrderReport) -> OrderReport | None:
        """What became of an order."""
        with self._discretion:
            found = await self._inquirer.look_up(order)
        return None if found is None else _discreet(found, self._hide)


class DiscreetBroker:
    """`api.Broker` whose failures, reports and events say no secret; otherwise it is the broker given."""

    def __init__(self, broker: Broker, hide: Hide) -> None:
        self._broker = broker
        self._hide = hide
        self._discretion = _Discretion(hide)
        self._reader = DiscreetReader(broker, hide)

    async def run(self, sink: EventSink, started: Started) -> None:
        """Push what happens."""
        with self._discretion:
            await self._broker.run(discreet_sink(sink, self._hide), started)

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        """The broker's truth."""
        return await self._reader.snapshot(account)

    async def submit(self, request: OrderRequest) -> OrderReport:
        """Send an order."""
        with self._discretion:
            return _discreet(await self._broker.submit(request), self._hide)

    async def cancel(self, account: AccountId, order_id: OrderId) -> None:
        """Cancel an order."""
        with self._discretion:
            await self._broker.cancel(account, order_id)

    async def find_order(self, account: AccountId, client_id: str) -> OrderReport | None:
        """The order sent under a client id."""
        with self._discretion:
            found = await self._broker.find_order(account, client_id)
        return None if found is None else _discreet(found, self._hide)


def discreet_sink(sink: EventSink, hide: Hide) -> EventSink:
    """A sink that takes the secrets out of what it hands on. Quotes have no text: they pass as they are."""

    def put(event: Event) -> None:
        if isinstance(event, OrderUpdate) and event.order.reason:
            event = msgspec.structs.replace(event, order=_discreet(event.order, hide))
        elif isinstance(event, ConnectionUpdate) and event.reason:
            event = msgspec.structs.replace(event, reason=hide(event.reason))
        sink(event)

    return put


class _Discretion:
    """Takes the secrets out of what an exception says on its way: it stays the exception that it is."""

    def __init__(self, hide: Hide) -> None:
        self._hide = hide

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or self._hide(said := str(error)) == said:
            return
        error.args = tuple(self._hide(each) if isinstance(each, str) else each for each in error.args)
        if self._hide(str(error)) != str(error):  # it makes its words of something else
            raise PluginFailed(self._hide(f"{type(error).__name__}: {said}")) from None


def _discreet(order: OrderReport, hide: Hide) -> OrderReport:
    return msgspec.structs.replace(order, reason=hide(order.reason)) if order.reason else order
