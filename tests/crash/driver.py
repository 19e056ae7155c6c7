"""One life of an engine that is killed at the n-th write: run as a program by the crash tests.

The world outside is a script of quotes and one manual order, on a manual clock; its progress is the paper book and the
journal itself, so that a new life continues where the last one was killed.
"""

import asyncio
import os
import signal
import sys
from decimal import Decimal
from pathlib import Path

import msgspec

from haltline.builtins.paper.broker import PaperBroker
from haltline.clock import ManualClock
from haltline.enforce.budget import Budget
from haltline.journal.record import RecordKind, event_of
from haltline.journal.store import Journal
from haltline.model.event import Quote
from haltline.model.id import AccountId, Symbol
from haltline.model.order import OrderRequest, Side
from haltline.runtime.embed import Haltline, load_parts

S = 1_000_000_000
START = 1_746_500_000 * S
PRICES = [21000, 21100, 21150, 21080, 20990, 20990, 20960, 20900, 20700, 20690, 20695, 20710]


def shown(path: Path) -> tuple[int, int]:
    """How many quotes of the script are on record, and the instant to continue at."""
    if not path.exists():
        return 0, START
    with Journal.open(path) as journal:
        events = [(event_of(record), record.at) for record in journal.iterate(kinds=[RecordKind.EVENT])]
    return sum(isinstance(event, Quote) for event, _ in events), max([START, *(at for _, at in events)])


def kill_at(number: int) -> None:
    """Die by SIGKILL just before or just after the n-th COMMIT: odd numbers before, even ones after."""
    count = 0
    original = Journal.transaction

    def watched(self: Journal, *, durable: bool = False):  # type: ignore[no-untyped-def]  # a test's hook
        return Watched(original(self, durable=durable))

    class Watched:
        def __init__(self, inner) -> None:  # type: ignore[no-untyped-def]
            self.inner = inner

        def __enter__(self) -> None:
            self.inner.__enter__()

        def __exit__(self, *exc):  # type: ignore[no-untyped-def]
            nonlocal count
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)
            done = self.inner.__exit__(*exc)
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

    if number:
        Journal.transaction = watched  # type: ignore[method-assign]


def keep_market_open(done: int, now: int) -> None:
    """The market outside does not vanish with our process: a new life finds the last price in force."""
    read_book = PaperBroker._require_book

    async def primed(self: PaperBroker) -> None:
        await read_book(self)
        if done and not self.venue._markets:
            self.venue.on_quote(quote(done - 1, now), now)

    PaperBroker._require_book = primed  # type: ignore[method-assign]


def quote(number: int, at: int) -> Quote:
    bid = float(PRICES[number])
    return Quote(at=at, received_at=at, symbol=Symbol("MNQ"), bid=bid, ask=bid + 0.25, last=bid, mark=bid)


async def live(folder: Path, crash_at: int) -> None:
    parts = load_parts(folder / "haltline.yaml", environ={})
    done, now = shown(parts.setup.store.path)
    clock = ManualClock(now)
    keep_market_open(done, now)
    kill_at(crash_at)
    async with Haltline(parts, clock=clock, budget=Budget(hold_ns=0)) as engine:
        await engine.until_idle()
        broker = engine.engine._brokers["paper"]
        if done:
            await buy(broker)
            await engine.until_idle()
        for number in range(done, len(PRICES)):
            clock.advance_to(START + (number + 1) * 10 * S)
            engine.put(quote(number, clock.now()))
            await engine.until_idle()
            await buy(broker)
            await engine.until_idle()
        kernel = engine.engine.kernel
        account = kernel.state.accounts["eval"]
        snapshot = await broker.snapshot(AccountId("eval"))
        state = {
            "positions": {name: position.quantity for name, position in account.book.items()},
            "broker": [str(position.quantity) for position in snapshot.positions],
            "balance": str(snapshot.account.balance),
            "peak": account.day.peak_equity,
            "loss": account.day.loss,
            "mode": account.mode,
            "incidents": sorted(
                (view.rule, view.phase.value, view.fired_at, view.since) for view in kernel.incidents()
            ),
            "locks": sorted((lock.rule, lock.until) for lock in kernel.governor.locks.of_account("eval")),
            "orders": len(broker.venue._book.orders),
        }
    print(msgspec.json.encode(state).decode())


async def buy(broker) -> None:  # type: ignore[no-untyped-def]
    """The manual order: idempotent by its client id, given once a first price is there."""
    await broker.submit(
        OrderRequest(
            account=AccountId("eval"), symbol=Symbol("MNQ"), side=Side.BUY, quantity=Decimal(2), client_id="m1"
        )
    )


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1]), int(sys.argv[2])))
