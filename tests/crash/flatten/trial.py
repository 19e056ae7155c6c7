"""Trials, one a line from standard input: a world, a life that is killed, a life that goes on, what is true then.

Warm: the engine is imported once, and every process of a trial (venue, first life, second life) is forked from here.
A trial is ``[where, occurrence, again]``; `again` is the point at which the second life is killed as well, or null.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from life import CLOSE, HANDOVER, RULES, SETUP, live

from haltline.journal.receipt import LegOutcome, Receipt
from haltline.journal.record import RecordKind
from haltline.journal.store import Journal
from haltline.model.account import AccountSpec
from haltline.model.id import AccountId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderRequest, OrderType, Side
from haltline_sim_paper.__main__ import main as serve_venue
from haltline_sim_paper.control import Control
from haltline_sim_paper.fault import Fault, FaultKind
from haltline_sim_paper.wire import Book, Login

EVAL, MNQ, MES = AccountId("eval"), Symbol("MNQ"), Symbol("MES")
HELD = {MNQ: Decimal(3), MES: Decimal(-2)}
CLOSING = "close"
"""The story of a close; any other is the fault that a handover meets, and none the flatten."""
LEGS = {"cancel eval-1", "cancel eval-2", "cancel eval-3", "reduce MNQ 0", "reduce MES 0"}


def fork(work: Any, *, output: int | None = None) -> int:
    """A process of its own that does the work and ends."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        if output is not None:
            os.dup2(output, 1)
            sys.stdout = os.fdopen(1, "w")
        work()
        code = 0
    except BaseException:  # noqa: BLE001 - a fork must never return
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def start_venue(book: Path) -> tuple[int, int]:
    reading, writing = os.pipe()
    pid = fork(lambda: serve_venue(["--port", "0", "--book", str(book)]), output=writing)
    os.close(writing)
    with os.fdopen(reading) as said:
        return pid, int(said.readline())


def open_world(folder: Path, port: int, story: str) -> None:
    """Two positions, two entry orders, one protective stop; in the story of a handover, what happens to the close."""
    (folder / "data").mkdir()
    (folder / "haltline.yaml").write_text(SETUP.format(port=port))
    (folder / "rules.yaml").write_text(CLOSE if story == CLOSING else RULES + (HANDOVER if story else ""))
    login = Login(
        key="paper",
        accounts=(AccountSpec(id=EVAL, balance=Decimal(50_000)),),
        instruments=(
            InstrumentSpec(symbol=MNQ, tick_size=Decimal("0.25"), tick_value=Decimal("0.50")),
            InstrumentSpec(symbol=MES, tick_size=Decimal("0.25"), tick_value=Decimal("1.25")),
        ),
    )
    with Control(port, login) as hand:
        hand.price(MNQ, 21_000, 21_000.25)
        hand.price(MES, 5_000, 5_000.25)
        hand.trade(EVAL, MNQ, Side.BUY, Decimal(3))
        hand.trade(EVAL, MES, Side.SELL, Decimal(2))
        for symbol, side, type_, price in (
            (MNQ, Side.BUY, OrderType.LIMIT, 20_000),
            (MES, Side.SELL, OrderType.LIMIT, 6_000),
            (MNQ, Side.SELL, OrderType.STOP, 20_500),
        ):
            hand.submit(
                OrderRequest(
                    account=EVAL, symbol=symbol, side=side, quantity=abs(HELD[symbol]), type=type_,
                    limit_price=Decimal(price) if type_ is OrderType.LIMIT else None,
                    stop_price=Decimal(price) if type_ is OrderType.STOP else None,
                )
            )  # fmt: skip
        if story not in ("", CLOSING):
            hand.arm(Fault(kind=FaultKind(story), verb="submit"))


def one_life(folder: Path, port: int, target: list[Any] | None, *, is_first: bool) -> int:
    at = (str(target[0]), int(target[1])) if target else None
    _, status = os.waitpid(fork(lambda: live(folder, port, at, is_first=is_first)), 0)
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def trial(target: list[Any] | None, again: list[Any] | None, story: str = "") -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="haltline-crash-"))
    venue, port = start_venue(folder / "book.sqlite")
    try:
        open_world(folder, port, story)
        codes = [one_life(folder, port, target, is_first=True)]
        passed = (folder / "points.txt").read_text().splitlines()
        if codes[-1] and again:
            codes.append(one_life(folder, port, again, is_first=False))
        if codes[-1]:
            codes.append(one_life(folder, port, None, is_first=False))
        with Control(port) as hand:
            book = hand.book()
        judged = judge_close(folder, book) if story == CLOSING else judge(folder, book, story)
        found = {"target": target, "again": again, "codes": codes} | judged
        return found | ({"points": passed} if target is None else {})
    finally:
        os.kill(venue, signal.SIGKILL)
        os.waitpid(venue, 0)
        if os.environ.get("KEEP"):
            print(folder, file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def end_of(folder: Path) -> dict[str, Any]:
    end: dict[str, Any] = {"over": False}
    return json.loads((folder / "end.json").read_bytes()) if (folder / "end.json").exists() else end


def quantities(book: Book) -> Counter[str]:
    found: Counter[str] = Counter()
    for fill in book.fills:
        found[fill.symbol] += fill.quantity * fill.side.sign  # type: ignore[assignment]
    return found


def closes_of(book: Book) -> dict[Symbol, list[Decimal]]:
    """What our orders have filled."""
    sent = {order.order_id for order in book.orders if order.client_id.startswith("hl-")}
    return {
        symbol: [f.quantity * f.side.sign for f in book.fills if f.symbol == symbol and f.order_id in sent]
        for symbol in HELD
    }


def judge_close(folder: Path, book: Book) -> dict[str, Any]:
    """The symbol is closed and its orders are gone; the position and the order of the other are as they were."""
    end, quantity, closes = end_of(folder), quantities(book), closes_of(book)
    receipts, is_whole = receipts_of(folder)
    legs = [leg.leg for receipt in receipts for leg in receipt.legs]
    working = [order.order_id for order in book.orders if order.status.is_working]
    left = [receipt.remaining for receipt in receipts if receipt.status == "done"]
    return {
        "flat": (quantity[MNQ], quantity[MES]) == (0, HELD[MES]),
        "no_orders": working == ["eval-2"],
        "locked": end["over"] and end["mode"] == "ACTIVE" and list(end["held"]) == [MES],
        "one_close": closes == {MNQ: [-HELD[MNQ]], MES: []},
        "receipt": [receipt.name for receipt in receipts] == ["close_position"]
        and [each and (each.positions, each.orders) for each in left] == [({MES: HELD[MES]}, {MES: 1})]
        and sorted(legs) == ["cancel eval-1", "cancel eval-3", "reduce MNQ 0"],
        "chain": is_whole,
        "end": end,
        "legs": legs,
        "working": working,
        "receipts": [f"{receipt.name} {receipt.status}: {receipt}" for receipt in receipts],
    }


def judge(folder: Path, book: Book, story: str) -> dict[str, Any]:
    """What the venue and the journal say in the end."""
    end, quantity, closes = end_of(folder), quantities(book), closes_of(book)
    receipts, is_whole = receipts_of(folder)
    flattens = [receipt for receipt in receipts if receipt.name == "flatten"]
    legs = sorted({(receipt.action, leg.leg) for receipt in receipts for leg in receipt.legs})
    return {
        "flat": not any(quantity.values()),
        "no_orders": not any(order.status.is_working for order in book.orders),
        "locked": end["over"] and end["mode"] == "HALTED" and end["locks"] == 1 and not end["held"],
        "one_close": all(closes[symbol] == [-held] for symbol, held in HELD.items()),
        "receipt": len(flattens) == 1
        and _shows_flat(flattens[0])
        and (_gave_way(receipts) if story else _are_complete(receipts)),
        "chain": is_whole,
        "end": end,
        "legs": [leg for _, leg in legs],
        "receipts": [f"{receipt.name} {receipt.status}: {receipt}" for receipt in receipts],
        "closes": {symbol: [str(cut) for cut in cuts] for symbol, cuts in closes.items()},
    }


def _are_complete(receipts: list[Receipt]) -> bool:
    """Every request is named, and by no receipt twice; every close by one receipt only."""
    named = [[leg.leg for leg in receipt.legs] for receipt in receipts]
    every = [leg for legs in named for leg in legs]
    closes = [leg for leg in every if leg.startswith("reduce")]
    return set(every) == LEGS and all(len(set(legs)) == len(legs) for legs in [*named, closes])


def _gave_way(receipts: list[Receipt]) -> bool:
    """One receipt for the close, that names the flatten as what took over."""
    closes = [receipt for receipt in receipts if receipt.name == "close_position"]
    (flatten,) = [receipt for receipt in receipts if receipt.name == "flatten"]
    return [(close.status, close.superseded_by) for close in closes] == [("superseded", flatten.action)]


def _shows_flat(receipt: Receipt) -> bool:
    left = receipt.remaining
    return receipt.status == "done" and left is not None and not left.positions and not left.working_orders


def receipts_of(folder: Path) -> tuple[list[Receipt], bool]:
    with Journal.read(folder / "data/journal.db") as journal:
        records = list(journal.iterate(kinds=[RecordKind.OUTCOME]))
        is_whole = journal.verify().ok
    outcomes = [msgspec.json.decode(record.body, type=LegOutcome | Receipt) for record in records]
    return [outcome for outcome in outcomes if isinstance(outcome, Receipt)], is_whole


if __name__ == "__main__":
    for line in sys.stdin:
        wanted = json.loads(line)
        print(json.dumps(trial(*wanted)), flush=True)
