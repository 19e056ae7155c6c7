"""One life of an engine that exchanges its rules and is killed at the n-th write of that: run by the crash tests."""

import asyncio
import os
import signal
import sys
from decimal import Decimal
from pathlib import Path

from haltline.builtins.paper.broker import PaperBroker
from haltline.clock import ManualClock
from haltline.journal.store import Journal
from haltline.model.event import Quote
from haltline.model.id import AccountId, Symbol
from haltline.model.order import OrderRequest, Side
from haltline.runtime.embed import Haltline, load_parts

START = 1_746_500_000 * 1_000_000_000


def kill_at(number: int) -> None:
    """Die by SIGKILL just before or just after the n-th COMMIT from here on: odd numbers before, even ones after."""
    count = 0
    genuine = Journal.transaction

    class Watched:
        def __init__(self, inner) -> None:  # type: ignore[no-untyped-def]
            self.inner = inner

        def __enter__(self) -> None:
            self.inner.__enter__()

        def __exit__(self, *exc):  # type: ignore[no-untyped-def]
            self.step()
            done = self.inner.__exit__(*exc)
            self.step()
            return done

        def step(self) -> None:
            nonlocal count
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)

    Journal.transaction = lambda self, *, durable=False: Watched(genuine(self, durable=durable))  # type: ignore[method-assign, assignment]


async def main(folder: Path, number: int) -> None:
    """Hold a losing position, edit the rules, reload; with `number` 0 only start, look, and stop."""
    clock = ManualClock(START)
    parts = load_parts(folder / "haltline.yaml", environ={})
    async with Haltline.from_parts(parts, clock=clock, in_memory=False) as engine:
        if number:
            await lose(engine)
            rules = folder / "rules.yaml"
            rules.write_text(rules.read_text().replace("at: 2000", "at: 1000"))
            kill_at(number)
            await engine.reload(by="driver")
        await engine.until_idle()
    sys.stdout.write("the end\n")


async def lose(engine: Haltline) -> None:
    """Lose 1200: within the old limit, past the new one, and past one that holds a minute."""
    broker = engine.engine._brokers["paper"]
    assert isinstance(broker, PaperBroker)
    for price in (21_000.0, 20_850.0, 20_700.0):  # in steps that are believed
        engine.put(quote(price, engine.engine.clock.now()))
        await engine.until_idle()
        if price == 21_000.0:
            await broker.submit(
                OrderRequest(account=AccountId("eval"), symbol=Symbol("MNQ"), side=Side.BUY, quantity=Decimal(2))
            )
            await engine.until_idle()


def quote(price: float, now: int) -> Quote:
    """A price of MNQ."""
    return Quote(at=now, received_at=now, symbol=Symbol("MNQ"), bid=price, ask=price, last=price, mark=price)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
