"""The demonstration's own plugin: the paper broker with somebody watching, and a telephone.

Both enter the engine by the registry, as any plugin's would; the engine does not know that it is being shown.
"""

from collections.abc import Callable

from haltline.api.broker import AccountSnapshot, Broker, BrokerKind, BrokerSetup, EventSink, QuoteTaker, Started
from haltline.api.notifier import Message, NotifierKind, NotifierSetup
from haltline.api.registry import Registry
from haltline.builtins import plugin as builtins
from haltline.clock import Clock
from haltline.errors import InvariantBroken
from haltline.model.event import Event, Quote
from haltline.model.id import AccountId, OrderId
from haltline.model.order import OrderReport, OrderRequest

BUILTIN_HOOKS = (
    builtins.haltline_register_brokers,
    builtins.haltline_register_feeds,
    builtins.haltline_register_actions,
    builtins.haltline_register_functions,
    builtins.haltline_register_notifiers,
)


REQUEST_NS = 30_000_000
"""How long a request of the engine travels to the broker, once the session has begun."""


_NO_CONFIG: dict[str, object] = {"type": "object", "additionalProperties": False}


class WatchedBroker:
    """The paper broker behind a network. What it reports is shown to `seen` before the engine hears of it.

    The trader stands at `counter`: his orders are filled before the engine can know of them.
    """

    def __init__(self, broker: Broker, clock: Clock, seen: Callable[[Event], None]) -> None:
        self.counter = broker
        self.request_ns = 0
        self._clock = clock
        self._seen = seen

    async def run(self, sink: EventSink, started: Started) -> None:
        """Run the paper broker, with everything it pushes seen on its way."""

        def push(event: Event) -> None:
            self._seen(event)
            sink(event)

        await self.counter.run(push, started)

    def on_quote(self, quote: Quote) -> None:
        """Let the paper broker match its orders."""
        assert isinstance(self.counter, QuoteTaker)
        self.counter.on_quote(quote)

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        """The paper broker's truth."""
        await self._travel()
        return await self.counter.snapshot(account)

    async def submit(self, request: OrderRequest) -> OrderReport:
        """Send an order to the paper broker."""
        await self._travel()
        return await self.counter.submit(request)

    async def cancel(self, account: AccountId, order_id: OrderId) -> None:
        """Cancel an order at the paper broker."""
        await self._travel()
        await self.counter.cancel(account, order_id)

    async def find_order(self, account: AccountId, client_id: str) -> OrderReport | None:
        """Find an order at the paper broker."""
        await self._travel()
        return await self.counter.find_order(account, client_id)

    async def _travel(self) -> None:
        await self._clock.sleep_until(self._clock.now() + self.request_ns)


class Phone:
    """A channel that keeps what it was sent."""

    def __init__(self, rings: Callable[[Message], None]) -> None:
        self._rings = rings

    async def send(self, message: Message) -> None:
        """Take a message."""
        self._rings(message)


class Floor:
    """What the demonstration plugs in: `registry` for the engine, and the broker once the engine has made it."""

    def __init__(self, *, seen: Callable[[Event], None], rings: Callable[[Message], None]) -> None:
        self._seen = seen
        self._rings = rings
        self._broker: WatchedBroker | None = None
        self.registry = self._fill(Registry())

    @property
    def counter(self) -> Broker:
        """The door the trader uses: the broker's own, past the engine."""
        if self._broker is None:
            raise InvariantBroken("the engine has not made its broker yet")
        return self._broker.counter

    def begin(self) -> None:
        """The session begins: from now on requests take their time."""
        if self._broker is not None:
            self._broker.request_ns = REQUEST_NS

    def _fill(self, registry: Registry) -> Registry:
        registry.owner = "builtins"
        for register in BUILTIN_HOOKS:
            register(registry)
        registry.owner = "demo"
        paper = registry.brokers.get("paper")
        assert paper is not None
        registry.add_broker(
            BrokerKind(
                name="watched-paper",
                make=lambda setup: self._make(paper, setup),
                meaning=paper.meaning,
                capabilities=paper.capabilities,
                schema=paper.schema,
            )
        )
        registry.add_notifier(
            NotifierKind(name="phone", make=self._answer, meaning="a telephone on the screen", schema=_NO_CONFIG)
        )
        registry.freeze()
        return registry

    def _make(self, paper: BrokerKind, setup: BrokerSetup) -> WatchedBroker:
        self._broker = WatchedBroker(paper.make(setup), setup.clock, self._seen)
        return self._broker

    def _answer(self, setup: NotifierSetup) -> Phone:
        return Phone(self._rings)
