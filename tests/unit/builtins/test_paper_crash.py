"""The paper book after a kill at an arbitrary instant, and the event loop while it is written."""

import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from haltline.api import BrokerSetup
from haltline.builtins.paper.broker import PaperBroker
from haltline.clock import ManualClock
from haltline.model.account import AccountSpec
from haltline.model.event import Quote
from haltline.model.id import AccountId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderRequest, Side

EVAL, MNQ = AccountId("eval"), Symbol("MNQ")

TRADER = """
import asyncio, sys
from decimal import Decimal
from pathlib import Path
from haltline.api import BrokerSetup
from haltline.builtins.paper.broker import PaperBroker
from haltline.clock import SystemClock
from haltline.model.account import AccountSpec
from haltline.model.event import Quote
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderRequest, Side

async def main():
    broker = PaperBroker(BrokerSetup(
        name="sim", config={}, accounts=[AccountSpec(id="eval", balance=Decimal(1000000))],
        instruments=[InstrumentSpec(symbol="MNQ")], clock=SystemClock(), directory=Path(sys.argv[1]),
    ))
    broker.on_quote(Quote(at=1, received_at=1, symbol="MNQ", last=100.0))
    for count in range(100000):
        await broker.submit(OrderRequest(account="eval", symbol="MNQ", side=Side.BUY, quantity=Decimal(1)))
        print(count + 1, flush=True)

asyncio.run(main())
"""


def reopened(directory: Path) -> PaperBroker:
    return PaperBroker(
        BrokerSetup(
            name="sim",
            config={},
            accounts=[AccountSpec(id=EVAL, balance=Decimal(1_000_000))],
            instruments=[InstrumentSpec(symbol=MNQ)],
            clock=ManualClock(5),
            directory=directory,
        )
    )


@pytest.mark.parametrize("confirmed", [1, 7, 30])
async def test_a_kill_loses_nothing_that_was_confirmed(tmp_path: Path, confirmed: int) -> None:
    with subprocess.Popen(  # noqa: ASYNC220 - the test has nothing else to do
        [sys.executable, "-c", TRADER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as trader:
        assert trader.stdout is not None
        seen = 0
        while seen < confirmed:
            seen = int(trader.stdout.readline())
        os.kill(trader.pid, signal.SIGKILL)
        rest = trader.stdout.read().splitlines()
        seen = int(rest[-1]) if rest and rest[-1].isdigit() else seen
    snapshot = await reopened(tmp_path).snapshot(EVAL)
    (position,) = snapshot.positions
    assert seen <= position.quantity <= seen + 1
    assert snapshot.account.balance == Decimal(1_000_000)


async def test_writing_the_book_never_blocks_the_event_loop(tmp_path: Path) -> None:
    broker = reopened(tmp_path)
    with blockbuster_ctx():
        broker.on_quote(Quote(at=1, received_at=1, symbol=MNQ, last=100.0))
        await broker.submit(OrderRequest(account=EVAL, symbol=MNQ, side=Side.BUY, quantity=Decimal(1)))
        assert len((await broker.snapshot(EVAL)).positions) == 1
