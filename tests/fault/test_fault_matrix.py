"""The fault matrix: what can go wrong at a venue × what the engine may be asked to do.

Each cell is a whole engine on the remote paper venue, over TCP: a position of 3, an entry order, (but for `place_stop`)
a protective stop. A fault is armed, the price falls and the rule fires, or an operator asks. In the end the promise of
the action must be kept: at once, or after a receipt that says it was not and an alarm that reached the channel. Nothing
is done twice, and no order of ours ever turns a position. `pytest tests/fault -m long -s` prints the table.
"""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from haltline.clock import NS_PER_S, SystemClock
from haltline.enforce.budget import Budget
from haltline.errors import Transient
from haltline.journal.receipt import LegOutcome, Receipt
from haltline.journal.record import RecordKind
from haltline.model.account import AccountSpec
from haltline.model.event import ActionRequest, OutcomeStatus, Quote
from haltline.model.id import AccountId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderReport, OrderRequest, OrderStatus, OrderType, Side
from haltline.runtime.embed import Haltline, load_parts
from haltline_sim_paper.fault import Fault, FaultKind, HumanTrade
from haltline_sim_paper.host import Host
from haltline_sim_paper.link import Link
from haltline_sim_paper.server import Venue
from haltline_sim_paper.wire import Book, Break, Call, Login, Mend, Price, Show, Submit, Trade

EVAL, MNQ = AccountId("eval"), Symbol("MNQ")
CLOCK = SystemClock()
ACCOUNT = AccountSpec(id=EVAL, balance=Decimal(50_000))
SPEC = InstrumentSpec(symbol=MNQ, tick_size=Decimal("0.25"), tick_value=Decimal("0.50"))
CALL_S, ACTION_S, CELL_S = 0.4, 1.5, 60.0
AT_ONCE = 12
SETUP = """version: 1
mode: live
plugins: [{{name: sim_paper, required: true}}]
accounts: {{eval: {{broker: venue, balance: 50000}}}}
brokers: {{venue: {{kind: paper_remote, config: {{port: {port}, timeout_s: 0.3, silence_s: 1.2}}}}}}
channels: {{file: {{kind: jsonl, config: {{path: {folder}/messages.jsonl}}}}}}
instruments: {{MNQ: {{tick_size: 0.25, tick_value: 0.50, asset_class: future, stale_after: 1h}}}}
rules: [rules.yaml]
"""
RULE = """version: 1
rules:
  - id: falls
    each: {scope}
    when: {when}
    then: [{action}]
    severity: critical
"""
COLUMNS = {
    "flatten": ("account", "account.day.loss > 500", "block_entries, flatten, {lock: {for: 1h}}"),
    "close_position": ("position", "position.mark < 20900", "close_position"),
    "reduce_to": ("position", "position.mark < 20900 and abs(position.quantity) > 1", "{reduce_to: {quantity: 1}}"),
    "cancel_orders": ("account", "account.day.loss > 500", "cancel_orders"),
    "place_stop": ("position", "position.mark < 20900", "{place_stop: {distance: 50}}"),
}
ASKED = "operator: "
"""Columns in which a person asks and no rule does: the price stays, and there is no incident."""
NO_RULE = ("account", "account.day.loss > 40000", "notify")
COLUMNS |= {f"{ASKED}{name}": NO_RULE for name in ("flatten", "close_position", "cancel_orders")}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A fault; `lasting` ones are mended only after the alarm. `residue` is what no order can take off."""

    faults: tuple[Fault, ...]
    lasting: bool = False
    held: Decimal = Decimal(3)
    residue: Decimal = Decimal(0)


def fault(kind: FaultKind, **more: Any) -> Fault:
    return Fault(kind=kind, **more)


def human(side: Side, quantity: str) -> Fault:
    trade = HumanTrade(account=EVAL, symbol=MNQ, side=side, quantity=Decimal(quantity))
    return Fault(kind=FaultKind.HUMAN, trade=trade)


K = FaultKind
ROWS = {
    "rejected once": Row(faults=(fault(K.REJECT, reason="price band"),)),
    "rejected for long": Row(faults=(fault(K.REJECT, reason="price band", count=None),), lasting=True),
    "slow before effect": Row(faults=(fault(K.DELAY, after_s=0.7),)),
    "slow after effect": Row(faults=(fault(K.DELAY, stage="after", after_s=0.7),)),
    "hangs before effect": Row(faults=(fault(K.HANG),)),
    "lost ack": Row(faults=(fault(K.LOST_ACK),)),
    "three lost acks": Row(faults=(fault(K.LOST_ACK, count=3),)),
    "hangs for long": Row(faults=(fault(K.HANG, count=None),), lasting=True),
    "reset before effect": Row(faults=(fault(K.DROP),)),
    "reset after effect": Row(faults=(fault(K.DROP, stage="after"),)),
    "reset on every read": Row(faults=(fault(K.DROP, verb="snapshot", count=4),)),
    "duplicate fill": Row(faults=(fault(K.DUPLICATE_FILL),)),
    "partial, then rejected": Row(faults=(fault(K.PARTIAL_REJECT),)),
    "pushes out of order": Row(faults=(fault(K.REORDER, count=3),)),
    "pushes lost, pull fresh": Row(faults=(fault(K.MUTE, count=4),)),
    "stream silent, pull fresh": Row(faults=(fault(K.SILENCE, count=None),), lasting=True),
    "late fill after cancel": Row(faults=(fault(K.LATE_FILL, after_s=0.3),)),
    "late fill after the proof": Row(faults=(fault(K.LATE_FILL, after_s=3),)),
    "late fill, no push of it": Row(faults=(fault(K.LOSE, count=None), fault(K.LATE_FILL, after_s=3))),
    "session closed": Row(faults=(fault(K.CLOSED, count=None),), lasting=True),
    "429": Row(faults=(fault(K.THROTTLE, after_s=0.3, count=2),)),
    "token expired": Row(faults=(fault(K.EXPIRE),)),
    "venue restarts before effect": Row(faults=(fault(K.RESTART, after_s=0.2),)),
    "venue restarts after effect": Row(faults=(fault(K.RESTART, stage="after", after_s=0.2),)),
    "human flips the position": Row(faults=(human(Side.SELL, "5"),)),
    "human closes the position": Row(faults=(human(Side.SELL, "3"),)),
    "human adds to the position": Row(faults=(human(Side.BUY, "2"),)),
    "below the smallest lot": Row(faults=(), held=Decimal("3.4"), residue=Decimal("0.4"), lasting=True),
}
SAMPLE = (
    ("lost ack", "flatten"), ("partial, then rejected", "close_position"), ("human flips the position", "flatten"),
    ("venue restarts after effect", "reduce_to"), ("token expired", "cancel_orders"), ("lost ack", "place_stop"),
    ("pushes lost, pull fresh", "flatten"), ("session closed", "flatten"),
    ("rejected for long", "operator: flatten"), ("session closed", "operator: close_position"),
    ("429", "operator: cancel_orders"), ("late fill after the proof", "operator: flatten"),
)  # fmt: skip


@dataclass
class Found:
    """How a cell ended."""

    row: str
    column: str
    kept: bool = False
    twice: str = ""
    flipped: str = ""
    silent: list[str] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    held: Decimal = Decimal(0)
    working: list[OrderReport] = field(default_factory=list)
    is_to_come: bool = False
    """Whether the venue has confirmed a cancel and will fill that order all the same."""
    took_s: float = 0.0

    @property
    def verb(self) -> str:
        """The action, whoever asked for it."""
        return self.column.removeprefix(ASKED)

    @property
    def failures(self) -> int:
        return sum(receipt.status is not OutcomeStatus.DONE for receipt in self.receipts)

    @property
    def word(self) -> str:
        if self.twice or self.flipped or self.silent:
            return "BAD"
        if not self.kept:
            return "NOT KEPT"
        return f"alarm, kept ({self.failures})" if self.failures else "kept"


@contextlib.asynccontextmanager
async def venue(folder: Path) -> AsyncIterator[int]:
    """The venue, over TCP; yields its port."""
    ready: asyncio.Queue[int] = asyncio.Queue()
    serving = asyncio.create_task(Venue(Host(folder / "book.sqlite", CLOCK), CLOCK, beat_s=0.2).run(ready.put_nowait))
    try:
        yield await ready.get()
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


class Hand:
    """Whoever stands beside the venue: moves prices, trades, arms faults, looks into the book."""

    def __init__(self, port: int) -> None:
        login = Login(key="paper", accounts=(ACCOUNT,), instruments=(SPEC,))
        self._link = Link(("127.0.0.1", port), login, CLOCK, timeout_s=5)

    async def do(self, call: Call) -> None:
        await self._ask(call, Any)

    async def price(self, bid: float) -> None:
        now = CLOCK.now()
        quote = Quote(at=now, received_at=now, symbol=MNQ, bid=bid, ask=bid + 0.25, last=bid, mark=bid)
        await self.do(Price(quote=quote))

    async def book(self) -> Book:
        book: Book = await self._ask(Show(), Book)
        return book

    async def _ask(self, call: Call, kind: Any) -> Any:
        """Asked again while the venue is away: it may be about to restart."""
        while True:
            try:
                return await self._link.call(call, kind)
            except Transient:
                await CLOCK.sleep_until(CLOCK.now() + NS_PER_S // 20)

    def close(self) -> None:
        self._link.close()


async def cell(row: str, column: str) -> Found:
    """One story, from the fault to the end."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with venue(folder) as port:
            hand = Hand(port)
            try:
                return await _cell(Found(row=row, column=column), folder, port, hand)
            finally:
                hand.close()


async def _cell(found: Found, folder: Path, port: int, hand: Hand) -> Found:
    row = ROWS[found.row]
    scope, when, action = COLUMNS[found.column]
    (folder / "haltline.yaml").write_text(SETUP.format(port=port, folder=folder))
    (folder / "rules.yaml").write_text(
        RULE.replace("{scope}", scope).replace("{when}", when).replace("{action}", action)
    )
    await hand.price(21_000)
    await hand.do(Trade(account=EVAL, symbol=MNQ, side=Side.BUY, quantity=row.held))
    entry = OrderRequest(
        account=EVAL, symbol=MNQ, side=Side.BUY, quantity=Decimal(1), type=OrderType.LIMIT,
        limit_price=Decimal(20_000),
    )  # fmt: skip
    stop = msgspec.structs.replace(
        entry, side=Side.SELL, quantity=Decimal(3), type=OrderType.STOP, limit_price=None, stop_price=Decimal(20_500)
    )
    for number, order in enumerate((entry, stop)[: 1 if found.column == "place_stop" else 2]):
        await hand.do(Submit(order=msgspec.structs.replace(order, client_id=f"bot-{number}")))
    begun = CLOCK.now()
    parts = load_parts(folder / "haltline.yaml", environ={})
    budget = Budget(
        action_ns=round(ACTION_S * NS_PER_S), call_s=CALL_S, settle_ns=NS_PER_S // 2, hold_ns=NS_PER_S // 4,
        push_ns=NS_PER_S // 2,
    )  # fmt: skip
    async with Haltline.from_parts(parts, clock=CLOCK, budget=budget) as engine:
        for each in row.faults:
            await hand.do(Break(fault=each))
        if found.column.startswith(ASKED):
            await engine.engine.pump.submit(_request(found.verb))
        else:
            await hand.price(20_890)
        await _until_over(engine, hand, found, row)
        records = list(engine.engine.store.iterate(kinds=[RecordKind.OUTCOME]))
    outcomes = [msgspec.json.decode(record.body, type=LegOutcome | Receipt) for record in records]
    found.receipts = [outcome for outcome in outcomes if isinstance(outcome, Receipt)]
    found.took_s = (CLOCK.now() - begun) / NS_PER_S
    said = (folder / "messages.jsonl").read_text() if (folder / "messages.jsonl").exists() else ""
    ids = {json.loads(line)["id"] for line in said.splitlines()}
    failed = (receipt for receipt in found.receipts if receipt.status is not OutcomeStatus.DONE)
    found.silent = [receipt.action for receipt in failed if f"{receipt.action}:{receipt.status}" not in ids]
    _judge(found, await hand.book())
    return found


def _request(name: str) -> ActionRequest:
    """What an operator asks for."""
    now, symbol = CLOCK.now(), MNQ if name == "close_position" else None
    return ActionRequest(
        at=now, received_at=now, account=EVAL, name=name, request_id="r1", operator="ann", reason="news", symbol=symbol
    )


async def _until_over(engine: Haltline, hand: Hand, found: Found, row: Row) -> None:
    """Until the promise is kept and all is quiet for a while; lasting faults are mended after the first alarm."""
    deadline = CLOCK.now() + round(CELL_S * NS_PER_S)
    is_broken, calm = row.lasting, 0
    while calm < 8 and CLOCK.now() < deadline:
        await CLOCK.sleep_until(CLOCK.now() + NS_PER_S // 20)
        flights = [f for f in engine.engine.kernel.arbiter.flights.values() if f.action.name != "notify"]
        if is_broken and any(flight.retry_at is not None for flight in flights):
            is_broken = False
            await hand.do(Mend())
        _look(found, await hand.book(), row)
        is_quiet = engine.engine.is_idle and not any(flight.retry_at is None for flight in flights)
        calm = calm + 1 if found.kept and is_quiet and not found.is_to_come else 0


def _look(found: Found, book: Book, row: Row) -> None:
    """Is the promise of the action kept, by what the venue says?"""
    held = found.held = sum((fill.quantity * fill.side.sign for fill in book.fills), Decimal(0))
    working = found.working = [order for order in book.orders if order.status.is_working]
    entries = [order for order in working if not order.type.is_stop]
    filled = {fill.order_id for fill in book.fills}
    cancelled = [order.order_id for order in book.orders if order.status is OrderStatus.CANCELLED]
    is_late = any(fault.kind is K.LATE_FILL for fault in row.faults)
    found.is_to_come = is_late and bool(cancelled) and filled.isdisjoint(cancelled)
    match found.verb:
        case "flatten" | "close_position":
            found.kept = held == row.residue and (not working or bool(held))
        case "reduce_to":
            found.kept = abs(held) <= 1
        case "cancel_orders":
            found.kept = not entries
        case _:
            stops = [order for order in working if order.type.is_stop and order.side.sign * held < 0]
            found.kept = not held or any(stop.remaining >= abs(held) - row.residue for stop in stops)


def _judge(found: Found, book: Book) -> None:
    """Nothing twice, no flip: replay the executions in their order."""
    ours = {order.order_id: order for order in book.orders if order.client_id.startswith("hl-")}
    held = Decimal(0)
    for fill in book.fills:
        after = held + fill.quantity * fill.side.sign
        if fill.order_id in ours and (abs(after) >= abs(held) or after * held < 0):
            found.flipped = f"{held} became {after}"
        held = after
    found.twice = _twice(found, [order for order in ours.values() if order.status.is_working or order.filled], book)


def _twice(found: Found, effective: Sequence[OrderReport], book: Book) -> str:
    """More orders of ours that did something than this story needs."""
    stops = [order for order in effective if order.type.is_stop]
    if len([stop for stop in stops if stop.status.is_working]) > 1:
        return f"{len(stops)} stops work"
    closing = len(effective) - len(stops)
    ours = {order.order_id for order in effective}
    by_hand = [fill for fill in book.fills if fill.order_id not in ours]
    needed = len(by_hand) + (found.row == "partial, then rejected") + (found.row == "below the smallest lot")
    return f"{closing} closing orders" if closing > needed else ""


async def cells(wanted: Sequence[tuple[str, str]]) -> list[Found]:
    """All of them, some at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(row: str, column: str) -> Found:
        async with gate:
            return await cell(row, column)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(row, column)) for row, column in wanted]
    return [task.result() for task in tasks]


def table(found: Sequence[Found]) -> str:
    words = {(each.row, each.column): each.word for each in found}
    width, wide = max(len(each.row) for each in found), max(map(len, COLUMNS))
    lines = [f"{'':<{width}}  " + "  ".join(f"{column:<{wide}}" for column in COLUMNS)]
    for row in dict.fromkeys(each.row for each in found):
        lines.append(f"{row:<{width}}  " + "  ".join(f"{words.get((row, c), ''):<{wide}}" for c in COLUMNS))
    return "\n".join(lines)


def require(found: Sequence[Found]) -> None:
    print("\n" + table(found))
    bad = [each for each in found if not each.word.endswith(("kept", ")"))]
    assert bad == []


@pytest.mark.slow
async def test_a_sample_of_faults_leaves_every_promise_kept() -> None:
    require(await cells(SAMPLE))


@pytest.mark.long
async def test_every_fault_with_every_action_leaves_every_promise_kept() -> None:
    require(await cells([(row, column) for row in ROWS for column in COLUMNS]))
