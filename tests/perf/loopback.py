"""A paper venue in a process of its own, over loopback TCP: quotes on one connection, orders on the other.

    python tests/perf/loopback.py POSITIONS RATE     serves, and prints the port it listens on

It quotes every symbol in turn, RATE quotes a second, whatever the engine does. The client side is a feed and a broker
like any other: both know nothing of the measurement but the marks they call back with.
"""

import asyncio
import itertools
import struct
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec

from haltline.api import AccountSnapshot, BrokerKind, BrokerSetup, Capability, EventSink, Started
from haltline.builtins.paper.venue import PaperVenue
from haltline.clock import Clock
from haltline.errors import OutcomeUnknown, Refused, Transient
from haltline.model.event import ConnectionStatus, ConnectionUpdate, Event, Quote
from haltline.model.id import AccountId, OrderId, Symbol
from haltline.model.order import OrderReport, OrderRequest, OrderStatus, Side

sys.path.insert(0, str(Path(__file__).parent))

from book import ACCOUNTS, members

HOST = "127.0.0.1"
PACE_S = 0.002
CALM = 100.0
NEAR = 96.1
"""The price of a symbol at which its account is just within its rule."""
CRASHED = 95.3
"""The price of a symbol that breaks its account's rule: a usual move away from `NEAR`, a jump away from `CALM`."""

type Row = tuple[str, float, int]
"""One quote on the wire: symbol, bid, the instant it was sent."""

_ROWS = msgspec.msgpack.Decoder(list[Row])
_EVENT = msgspec.msgpack.Decoder(Event)
_SIZE = struct.Struct(">I")


class Call(msgspec.Struct, array_like=True):
    """A request of the client; `body` is what the verb needs."""

    id: int
    verb: str
    body: msgspec.Raw


class Answer(msgspec.Struct, array_like=True):
    """The venue's word: to the request `id`, or an event where it is 0. `at` is when the request arrived."""

    id: int
    body: msgspec.Raw
    at: int = 0
    refusal: str = ""


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """The next frame; raises IncompleteReadError at the end."""
    return await reader.readexactly(_SIZE.unpack(await reader.readexactly(_SIZE.size))[0])


def write_frame(writer: asyncio.StreamWriter, content: object) -> None:
    """Send one frame."""
    body = msgspec.msgpack.encode(content)
    writer.write(_SIZE.pack(len(body)) + body)


class Server:
    """The venue: its book in memory, its market, and everybody who listens."""

    def __init__(self, positions: int, rate: int) -> None:
        accounts, instruments, symbols = members(positions)
        self._rate = rate
        self._symbols = symbols
        self._prices = dict.fromkeys(symbols, CALM)
        self._urgent: list[str] = []
        self._orders: asyncio.StreamWriter | None = None
        self.venue = PaperVenue(accounts=accounts, instruments=instruments, sink=self._push)
        for symbol in symbols:
            self._quote(symbol)
        for account in accounts:
            self._open(account.id)

    async def serve(self) -> None:
        """Until the order connection is closed."""
        server = await asyncio.start_server(self._welcome, HOST, 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        self._over = asyncio.Event()
        async with server:
            await self._over.wait()

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if await read_frame(reader) == b"\xa6quotes":
                await self._flood(writer)
            else:
                await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _flood(self, writer: asyncio.StreamWriter) -> None:
        start, sent = time.monotonic(), 0
        turn = itertools.cycle(self._symbols)
        while not self._over.is_set():
            due = int((time.monotonic() - start) * self._rate) - sent
            names, self._urgent = self._urgent, []
            names += itertools.islice(turn, max(0, due))
            if names:
                write_frame(writer, [self._quote(name) for name in names])
                await writer.drain()
                sent += len(names)
            await asyncio.sleep(PACE_S)  # sleeps: the pace of the market

    def _quote(self, symbol: str) -> Row:
        now = time.time_ns()
        bid = self._prices[symbol] + (now // 1000 % 2) * 0.01
        quote = Quote(at=now, received_at=now, symbol=Symbol(symbol), bid=bid, ask=bid + 0.02, last=bid)
        self.venue.on_quote(quote, now)
        return symbol, bid, now

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        decode = msgspec.msgpack.Decoder(Call).decode
        self._orders = writer
        try:
            while True:
                call = decode(await read_frame(reader))
                at = time.time_ns()
                try:
                    answer = Answer(call.id, _raw(self._do(call, at)), at)
                except Refused as refusal:
                    answer = Answer(call.id, _raw(None), at, str(refusal))
                write_frame(writer, answer)
                await writer.drain()
        finally:
            self._orders = None
            self._over.set()

    def _do(self, call: Call, now: int) -> object:
        body = msgspec.msgpack.decode
        match call.verb:
            case "snapshot":
                return self.venue.snapshot(body(call.body, type=AccountId), now)
            case "submit":
                report = self.venue.submit(body(call.body, type=OrderRequest), now)
                if report.status is OrderStatus.REJECTED:
                    raise Refused(report.reason)
                return report
            case "cancel":
                self.venue.cancel(*body(call.body, type=tuple[AccountId, OrderId]), now)
            case "find_order":
                return self.venue.find_order(*body(call.body, type=tuple[AccountId, str]))
            case "price":
                symbol, price = body(call.body, type=tuple[str, float])
                self._prices[symbol] = price
                self._urgent.append(symbol)
            case "open":
                self._open(body(call.body, type=AccountId))
        return None

    def _open(self, account: AccountId) -> None:
        """The account holds every symbol of its own again."""
        held = {position.symbol for position in self.venue.snapshot(account, time.time_ns()).positions}
        for number, symbol in enumerate(self._symbols):
            if f"a{number % ACCOUNTS}" != account or symbol in held:
                continue
            self.venue.execute(
                account, Symbol(symbol), Side.BUY, quantity=Decimal(10), price=Decimal(100), now=time.time_ns()
            )

    def _push(self, event: Event) -> None:
        if self._orders is not None:
            write_frame(self._orders, Answer(0, _raw(event)))


def _raw(content: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.msgpack.encode(content))


class LoopbackFeed:
    """`api.Feed` over TCP; `on_row` is called for every quote of a crashed symbol with the instant it was read."""

    def __init__(self, port: int, clock: Clock, on_crash: Callable[[Row, int], None]) -> None:
        self.quotes = 0
        self._port = port
        self._clock = clock
        self._on_crash = on_crash

    async def run(self, sink: EventSink, started: Started) -> None:
        """Push quotes until the venue goes away."""
        reader, writer = await asyncio.open_connection(HOST, self._port, limit=1 << 20)
        write_frame(writer, "quotes")
        started()
        try:
            while True:
                frame = await read_frame(reader)
                now = self._clock.now()
                for row in _ROWS.decode(frame):
                    symbol, bid, at = row
                    if bid < CRASHED + 0.1:
                        self._on_crash(row, now)
                    sink(Quote(at=at, received_at=now, symbol=Symbol(symbol), bid=bid, ask=bid + 0.02, last=bid))
                    self.quotes += 1
        except asyncio.IncompleteReadError as end:
            raise Transient("the venue closed the connection") from end
        finally:
            writer.close()


class LoopbackBroker:
    """`api.Broker` over TCP; `on_call` is told of each verb, its account and the moment before it is sent."""

    def __init__(self, setup: BrokerSetup) -> None:
        self._accounts = [spec.id for spec in setup.accounts]
        self._clock = setup.clock
        self._port = int(str(setup.config["port"]))
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._ticket = itertools.count(1)
        self.on_call: Callable[[str, AccountId, int], None] = lambda verb, account, at: None
        self.on_answer: Callable[[str, AccountId, int], None] = lambda verb, account, at: None

    async def run(self, sink: EventSink, started: Started) -> None:
        """Push what the venue says until it goes away."""
        reader, self._writer = await asyncio.open_connection(HOST, self._port, limit=1 << 20)
        write_frame(self._writer, "orders")
        decode = msgspec.msgpack.Decoder(Answer).decode
        now = self._clock.now()
        for account in self._accounts:
            sink(ConnectionUpdate(at=now, received_at=now, account=account, status=ConnectionStatus.CONNECTED))
        started()
        try:
            while True:
                answer = decode(await read_frame(reader))
                if answer.id:
                    waiting = self._waiting.pop(answer.id, None)
                    if waiting is not None and not waiting.done():
                        waiting.set_result(answer)
                else:
                    sink(_EVENT.decode(answer.body))
        except asyncio.IncompleteReadError as end:
            raise Transient("the venue closed the connection") from end
        finally:
            self._writer.close()
            self._writer = None
            for waiting in self._waiting.values():
                waiting.cancel()

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        """Pull an account; the push of its state is what reconciling makes of it."""
        return msgspec.msgpack.decode(await self.call("snapshot", account, account), type=AccountSnapshot)

    async def submit(self, request: OrderRequest) -> OrderReport:
        """Send an order."""
        return msgspec.msgpack.decode(await self.call("submit", request.account, request), type=OrderReport)

    async def cancel(self, account: AccountId, order_id: OrderId) -> None:
        """Cancel an order."""
        await self.call("cancel", account, (account, order_id))

    async def find_order(self, account: AccountId, client_id: str) -> OrderReport | None:
        """Look for an order."""
        found = await self.call("find_order", account, (account, client_id))
        return msgspec.msgpack.decode(found, type=OrderReport | None)

    async def call(self, verb: str, account: AccountId, body: object) -> msgspec.Raw:
        """One request and its answer; raises Refused, Transient where there is no connection, OutcomeUnknown."""
        if self._writer is None:
            raise Transient("not connected")
        number = next(self._ticket)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        self.on_call(verb, account, self._clock.now())
        write_frame(self._writer, Call(number, verb, _raw(body)))
        try:
            answer = await waiting
        except asyncio.CancelledError as cut:
            if self._writer is None:
                raise OutcomeUnknown("the connection was lost") from cut
            raise
        self.on_answer(verb, account, answer.at)
        if answer.refusal:
            raise Refused(answer.refusal)
        return answer.body


LOOPBACK = BrokerKind(
    name="loopback",
    make=LoopbackBroker,
    meaning="the paper venue in another process",
    capabilities=frozenset(
        {
            Capability.MARKET_ORDERS, Capability.STOP_ORDERS, Capability.REDUCE_ONLY, Capability.CANCEL_ORDERS,
            Capability.CLIENT_ORDER_IDS, Capability.PUSH_ORDERS, Capability.PULL_ORDERS, Capability.PULL_POSITIONS,
        }
    ),
    schema={"type": "object"},
)  # fmt: skip


if __name__ == "__main__":
    asyncio.run(Server(int(sys.argv[1]), int(sys.argv[2])).serve())
