"""`paper_remote`: a genuine network client, with a connection for the stream and another for requests."""

import asyncio
from collections.abc import Mapping

import msgspec

from haltline.api import AccountSnapshot, BrokerKind, BrokerRole, BrokerSetup, Capability, EventSink, Started
from haltline.builtins.paper.broker import PAPER
from haltline.clock import NS_PER_S, Clock
from haltline.errors import Refused, Transient
from haltline.model.event import Event
from haltline.model.id import AccountId, OrderId
from haltline.model.order import OrderReport, OrderRequest, OrderStatus
from haltline_sim_paper.link import Link
from haltline_sim_paper.order import Sequence
from haltline_sim_paper.wire import Cancel, Find, Login, Missed, Present, Push, Snapshot, Submit, Subscribe

SCHEMA: Mapping[str, object] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["port"],
    "properties": {
        "host": {"type": "string", "description": "where the venue listens; loopback by default"},
        "port": {"type": "integer", "minimum": 1, "maximum": 65535, "description": "the port it printed at its start"},
        "key": {"type": "string", "description": "what the venue was started with as --key"},
        "timeout_s": {"type": "number", "exclusiveMinimum": 0, "description": "how long one request may take"},
        "silence_s": {
            "type": "number",
            "exclusiveMinimum": 0,
            "description": "without a push or heartbeat for so long, the connection is made anew",
        },
    },
}


class Setting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `config` section."""

    port: int
    host: str = "127.0.0.1"
    key: str = "paper"
    timeout_s: float = 5.0
    silence_s: float = 5.0


GAP_NS = NS_PER_S // 5
"""How long a missing push may still come by itself."""


class RemotePaperBroker:
    """`api.Broker` over the network. Requests have a connection of their own: they never wait behind the stream.

    An actuator has no stream: what a reader asks or hears on its connections holds no action up.
    """

    def __init__(self, setup: BrokerSetup) -> None:
        self._is_actuator = setup.role is BrokerRole.ACTUATOR
        self._setting = msgspec.convert(dict(setup.config), Setting, strict=False)
        self._clock = setup.clock
        self._login = Login(
            key=self._setting.key, accounts=tuple(setup.accounts), instruments=tuple(setup.instruments)
        )  # fmt: skip
        self._requests = self._link()

    async def run(self, sink: EventSink, started: Started) -> None:
        """Push what is so, then what happens, in order; raises Transient once the stream cannot be trusted."""
        if self._is_actuator:
            await self._keep_connected(started)
            return
        pushes: asyncio.Queue[Push | None] = asyncio.Queue()
        stream = self._link(pushes)
        try:
            present = await stream.call(Subscribe(), Present)
            for event in present.events:
                sink(_received(event, self._clock))
            started()
            await self._follow(stream, pushes, Sequence(present.seq), sink)
        finally:
            stream.close()
            self._requests.close()

    async def _keep_connected(self, started: Started) -> None:
        """Log in before the first action needs it, and again after a loss."""
        try:
            await self._requests.connect()
            started()
            await self._requests.lost()
            raise Transient("the venue closed the connection")
        finally:
            self._requests.close()

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        """The venue's truth; raises Refused for an unknown account."""
        return await self._requests.call(Snapshot(account=account), AccountSnapshot)

    async def submit(self, request: OrderRequest) -> OrderReport:
        """Place an order; raises Refused where nothing of it was done."""
        report = await self._requests.call(Submit(order=request), OrderReport, mutates=True)
        if report.status is OrderStatus.REJECTED and not report.filled:
            raise Refused(report.reason)
        return report

    async def cancel(self, account: AccountId, order_id: OrderId) -> None:
        """Cancel an order; one that no longer works is no error."""
        await self._requests.call(Cancel(account=account, order_id=order_id), type(None), mutates=True)

    async def find_order(self, account: AccountId, client_id: str) -> OrderReport | None:
        """The order sent under a client id."""
        return await self._requests.call(Find(account=account, client_id=client_id), OrderReport | None)  # type: ignore[arg-type]  # mypy takes a union for no type

    async def _follow(
        self, stream: Link, pushes: asyncio.Queue[Push | None], sequence: Sequence, sink: EventSink
    ) -> None:
        """Hand on pushes in order; one that is missing may still come by itself for a little, then it is asked for."""
        gap_ends: int | None = None
        while True:
            now = self._clock.now()
            if gap_ends is not None and now >= gap_ends:
                found = await _ask_for_missed(stream, sequence)
            else:
                wait_s = (gap_ends - now) / NS_PER_S if gap_ends is not None else self._setting.silence_s
                found = await self._next(pushes, wait_s, is_gap=gap_ends is not None)
            for event in sequence.take(found):
                sink(_received(event, self._clock))
            if not sequence.has_gap:
                gap_ends = None
            elif gap_ends is None:
                gap_ends = self._clock.now() + GAP_NS

    async def _next(self, pushes: asyncio.Queue[Push | None], wait_s: float, *, is_gap: bool) -> list[Push]:
        """The next push; nothing where the wait was for a missing one."""
        try:
            async with asyncio.timeout(wait_s):
                push = await pushes.get()
        except TimeoutError as silence:
            if is_gap:
                return []
            raise Transient(f"the venue was silent for {self._setting.silence_s:g} s") from silence
        if push is None:
            raise Transient("the venue closed the connection")
        return [push]

    def _link(self, pushes: asyncio.Queue[Push | None] | None = None) -> Link:
        address = (self._setting.host, self._setting.port)
        hand_on = pushes.put_nowait if pushes is not None else _ignore
        return Link(address, self._login, self._clock, timeout_s=self._setting.timeout_s, on_push=hand_on)


async def _ask_for_missed(stream: Link, sequence: Sequence) -> list[Push]:
    try:
        return await stream.call(Missed(since=sequence.last), list[Push])
    except Refused as refusal:
        raise Transient(f"pushes were missed: {refusal}") from refusal


def _ignore(push: Push | None) -> None:
    """Requests have no pushes."""


def _received(event: Event, clock: Clock) -> Event:
    return msgspec.structs.replace(event, received_at=clock.now())


PAPER_REMOTE = BrokerKind(
    name="paper_remote",
    make=RemotePaperBroker,
    meaning="the paper exchange as a process of its own, over the network",
    capabilities=PAPER.capabilities | {Capability.PUSH_QUOTES},
    schema=SCHEMA,
    paired=True,
    practice=True,
)
