"""What a broker plugin raises beside what it may: never a reason to leave the rest of an action undone.

Contract. A call that changes something and ends with an error that nobody has classified may have taken effect: its
outcome is unknown, and is looked up like any other. A question that ends so was not answered, and is asked again.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from haltline.api import AccountSnapshot, Broker, EventSink, Started
from haltline.errors import InvariantBroken, OutcomeUnknown, Refused, Transient
from haltline.model.id import AccountId, OrderId
from haltline.model.order import OrderReport, OrderRequest


class WalledBroker:
    """`api.Broker` that raises nothing but Transient, Refused, OutcomeUnknown, TimeoutError and InvariantBroken."""

    __slots__ = ("_broker",)

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def run(self, sink: EventSink, started: Started) -> None:
        """Keep the connection; what ends it is for whoever runs it."""
        await self._broker.run(sink, started)

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        """The broker's truth."""
        with _classified(Transient):
            return await self._broker.snapshot(account)

    async def submit(self, request: OrderRequest) -> OrderReport:
        """Send an order."""
        with _classified(OutcomeUnknown):
            return await self._broker.submit(request)

    async def cancel(self, account: AccountId, order_id: OrderId) -> None:
        """Cancel an order."""
        with _classified(OutcomeUnknown):
            await self._broker.cancel(account, order_id)

    async def find_order(self, account: AccountId, client_id: str) -> OrderReport | None:
        """The order sent under a client id."""
        with _classified(Transient):
            return await self._broker.find_order(account, client_id)


@contextmanager
def _classified(kind: type[Transient | OutcomeUnknown]) -> Iterator[None]:
    try:
        yield
    except (Transient, Refused, OutcomeUnknown, TimeoutError, InvariantBroken):
        raise
    except Exception as error:
        raise kind(f"the broker plugin raised {type(error).__name__}: {error}") from error
