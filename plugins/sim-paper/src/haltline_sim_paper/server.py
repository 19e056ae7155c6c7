"""Answers calls, pushes what happens, breaks on request. A restart keeps the port, and of the rest only the book."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable
from typing import Never, assert_never

from haltline.clock import NS_PER_S, Clock
from haltline.errors import Refused
from haltline.model.event import Event
from haltline.model.order import OrderReport, OrderRequest, OrderStatus
from haltline_sim_paper.fault import Fault, FaultBox, FaultKind, Stage
from haltline_sim_paper.host import Host
from haltline_sim_paper.session import Session
from haltline_sim_paper.wire import (
    Answer,
    Ask,
    Book,
    Break,
    Cancel,
    Cut,
    Failure,
    Find,
    Login,
    Mend,
    Missed,
    Present,
    Price,
    Show,
    Snapshot,
    Submit,
    Subscribe,
    Token,
    Trade,
    raw,
)

BEAT_S = 0.5
_CONTROLS = (Price, Trade, Break, Cut, Mend, Show)


class _Unanswered(Exception):
    """The fault wants silence."""


class _Failed(Exception):
    """The call did not succeed."""

    def __init__(self, kind: str, reason: str, retry_after_s: float = 0.0) -> None:
        self.failure = Failure(kind=kind, reason=reason, retry_after_s=retry_after_s)
        super().__init__(reason)


class Venue:
    """A paper exchange on a port of the loopback interface."""

    def __init__(self, host: Host, clock: Clock, *, key: str = "paper", beat_s: float = BEAT_S) -> None:
        self.port = 0
        self.faults = FaultBox()
        self._host = host
        self._clock = clock
        self._key = key
        self._beat_s = beat_s
        self._tokens: set[str] = set()
        self._sessions: set[Session] = set()
        self._calls: Counter[str] = Counter()
        self._group = asyncio.TaskGroup()
        self._server: asyncio.Server | None = None
        self._awake = asyncio.Event()
        self._is_away = False

    async def run(self, started: Callable[[int], None], port: int = 0) -> Never:
        """Serve until cancelled; `started` is told the port."""
        self.port = port
        try:
            async with self._group:
                await self._host.load()
                await self._listen()
                self._group.create_task(self._beat())
                self._group.create_task(self._let_orders_arrive())
                started(self.port)
                await asyncio.Event().wait()
        finally:
            self._hang_up()
            await self._host.close()
        raise AssertionError("a venue ends by being cancelled")

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def _session(self) -> Session:
        session = Session(self.faults, self._take, self._sessions.discard)
        self._sessions.add(session)
        return session

    def _take(self, session: Session, ask: Ask) -> None:
        self._group.create_task(self._serve(session, ask))

    async def _serve(self, session: Session, ask: Ask) -> None:
        try:
            content = await self._answer(session, ask)
        except _Unanswered:
            return
        except _Failed as failed:
            session.answer(Answer(id=ask.id, error=failed.failure))
        except Refused as refusal:
            session.answer(Answer(id=ask.id, error=Failure(kind="refused", reason=str(refusal))))
        else:
            session.answer(Answer(id=ask.id, ok=raw(content)))

    async def _answer(self, session: Session, ask: Ask) -> object:
        call = ask.call
        verb = type(call).__name__.lower()
        self._calls[verb] += 1
        if isinstance(call, _CONTROLS):
            content = self._control(call)
            await self._tell()
            return content
        if isinstance(call, Login):
            return await self._login(session, call)
        await self._meet(verb, "before", session)
        if ask.token not in self._tokens:
            raise _Failed("expired", "the token is not valid; log in again")
        content = self._do(session, call)
        await self._tell()
        await self._meet(verb, "after", session)
        return content

    def _do(self, session: Session, call: Subscribe | Missed | Snapshot | Submit | Cancel | Find) -> object:
        match call:
            case Subscribe():
                session.is_subscribed = True
                return Present(seq=session.seq, events=self._host.present(session.accounts))
            case Missed():
                found = session.missed(call.since)
                if found is None:
                    raise Refused(f"pushes after {call.since} are no longer kept")
                return found
            case Snapshot():
                return self._host.snapshot(call.account)
            case Submit():
                return self._submit(session, call.order)
            case Cancel():
                self._cancel(session, call)
                return None
            case Find():
                return self._host.find(call.account, call.client_id)
            case _:
                assert_never(call)

    def _submit(self, session: Session, request: OrderRequest) -> OrderReport:
        is_new = not session.is_by_hand and self._host.find(request.account, request.client_id) is None
        fault = self.faults.on_effect("submit") if is_new else None
        if fault is not None:
            return self._host.submit_partly(request, fault.reason)
        report = self._host.submit(request)
        if report.status is OrderStatus.REJECTED and not self._host.is_open:
            raise _Failed("closed", report.reason)
        return report

    def _cancel(self, session: Session, call: Cancel) -> None:
        gone = self._host.cancel(call.account, call.order_id)
        fault = self.faults.on_effect("cancel") if gone is not None and not session.is_by_hand else None
        if gone is not None and fault is not None:
            self._group.create_task(self._fill_late(gone, fault.after_s))

    async def _fill_late(self, order: OrderReport, after_s: float) -> None:
        await self._clock.sleep_until(self._clock.now() + round(after_s * NS_PER_S))
        self._host.trade(
            order.account, order.symbol, order.side, order.remaining, order.limit_price, order.order_id
        )  # fmt: skip
        await self._tell()

    def _control(self, call: Price | Trade | Break | Cut | Mend | Show) -> object:
        match call:
            case Price():
                self._host.quote(call.quote)
            case Trade():
                return self._host.trade(call.account, call.symbol, call.side, call.quantity, call.price)
            case Break():
                self.faults.arm(call.fault)
            case Cut():
                self._cut(call.away_s)
            case Mend():
                self.faults.clear()
            case Show():
                fills = self._host.venue.recent_fills()
                return Book(orders=self._host.orders(), fills=fills, calls=dict(self._calls))
            case _:
                assert_never(call)
        self._host.is_open = not self.faults.has(FaultKind.CLOSED)
        return None

    def _cut(self, away_s: float | None) -> None:
        if away_s is not None:
            self._group.create_task(self._restart(away_s))
            return
        for session in tuple(self._sessions):
            if not session.is_by_hand:
                session.abort()

    async def _login(self, session: Session, call: Login) -> Token:
        session.is_by_hand = call.by_hand
        await self._meet("login", "before", session)
        if call.key != self._key:
            raise Refused("the key is not known here")
        self._host.open(call.accounts, call.instruments)
        await self._tell()
        session.accounts = tuple(account.id for account in call.accounts)
        token = secrets.token_hex(8)
        self._tokens.add(token)
        return Token(token=token)

    async def _meet(self, verb: str, stage: Stage, session: Session) -> None:
        """Let the next fault happen that waits for this call; calls by hand meet none."""
        while not session.is_by_hand and (fault := self.faults.on_call(verb, stage)) is not None:
            await self._strike(fault, session)

    async def _strike(self, fault: Fault, session: Session) -> None:
        match fault.kind:
            case FaultKind.REJECT:
                raise Refused(fault.reason or "rejected")
            case FaultKind.THROTTLE:
                raise _Failed("throttled", fault.reason or "too many requests", fault.after_s)
            case FaultKind.DELAY:
                await self._clock.sleep_until(self._clock.now() + round(fault.after_s * NS_PER_S))
            case FaultKind.HANG | FaultKind.LOST_ACK:
                raise _Unanswered
            case FaultKind.DROP:
                session.abort()
                raise _Unanswered
            case FaultKind.EXPIRE:
                self._tokens.clear()
            case FaultKind.RESTART:
                await self._restart(fault.after_s)
                raise _Unanswered
            case FaultKind.HUMAN if fault.trade is not None:
                trade = fault.trade
                self._host.trade(trade.account, trade.symbol, trade.side, trade.quantity, None)
                await self._tell()
            case _:
                raise _Failed("transient", f"the venue could not do it ({fault.kind})")

    async def _restart(self, after_s: float) -> None:
        """Go away and come back; whoever asks for it while the venue is away gets nothing more."""
        if self._is_away:
            return
        self._is_away = True
        self._hang_up()
        self._tokens.clear()
        await self._clock.sleep_until(self._clock.now() + round(after_s * NS_PER_S))
        await self._host.load()
        await self._listen()
        self._is_away = False

    def _hang_up(self) -> None:
        if self._server is not None:
            self._server.close()
        for session in tuple(self._sessions):
            session.abort()

    async def _tell(self) -> None:
        """Make what happened durable, then push it."""
        for event in await self._host.settle():
            self._push(event)
        if self._host.is_waiting:
            self._awake.set()

    def _push(self, event: Event) -> None:
        for session in tuple(self._sessions):
            session.push(event)

    async def _beat(self) -> None:
        while True:
            await self._clock.sleep_until(self._clock.now() + round(self._beat_s * NS_PER_S))
            for session in tuple(self._sessions):
                session.beat()

    async def _let_orders_arrive(self) -> None:
        """Orders on their way to the market (`latency_ms`) arrive in time."""
        while True:
            due = self._host.advance()
            await self._tell()
            if due is not None:
                await self._clock.sleep_until(due)
                continue
            self._awake.clear()
            await self._awake.wait()
