"""Random trading under random faults: in the end everything is known, and nothing was ever told that was not so."""

import asyncio
import gc
import random
import resource
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from haltline.clock import NS_PER_S, SystemClock
from haltline.model.event import AccountReport, Fill, OrderUpdate, PositionReport
from haltline.model.id import AccountId

EVAL = AccountId("eval")
SECONDS = 40
CALM_S = 60.0


def trade_something(desk: Any, chance: random.Random, seen: set[int]) -> None:
    trader = desk.trader
    match chance.randint(0, 5):
        case 0 | 1:
            trader.buys("MNQZ5", chance.randint(1, 3))
        case 2 | 3:
            trader.sells("MNQZ5", chance.randint(1, 3))
        case 4 if trader.holds("MNQZ5"):
            trader.closes("MNQZ5")
        case _:
            trader.buys("MNQZ5", 1, limit=20_000.0 + chance.randint(0, 40) * 0.25)
    seen.add(trader.holds("MNQZ5"))
    desk.sim.price("MNQZ5", 21_000.0 + chance.randint(-40, 40) * 0.25)


def is_all_known(desk: Any) -> bool:
    """Whether what was told adds up to what is so."""
    trades = {str(trade.id) for trade in desk.sim.market.trades}
    if {fill.fill_id for fill in desk.of(Fill)} != trades:
        return False
    reports = desk.of(PositionReport)
    if (int(reports[-1].quantity) if reports else 0) != desk.trader.holds("MNQZ5"):
        return False
    last = {update.order.order_id: update.order for update in desk.of(OrderUpdate)}
    working = {str(order.id) for order in desk.sim.market.working(77)}
    if {key for key, order in last.items() if order.status.is_working} != working:
        return False
    return float(desk.of(AccountReport)[-1].balance) == round(desk.trader.account.balance, 2)


def sockets() -> int:
    return sum("socket:" in str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink())


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open sockets are counted in /proc")
async def test_random_faults_lose_nothing_and_leak_nothing(desk: Any) -> None:
    chance, clock = random.Random(20_261_121), SystemClock()
    seen, broken = {0}, Counter[str]()
    outages = asyncio.create_task(desk.sim.outages())
    recoveries: list[float] = []
    before = len(asyncio.all_tasks()), sockets()
    async with desk.listening({"silence_s": 1.0, "poll_s": 1.0}):
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        end = clock.now() + SECONDS * NS_PER_S
        while clock.now() < end:
            for _ in range(chance.randint(1, 6)):
                trade_something(desk, chance, seen)
                if chance.random() < 0.5:
                    broken[desk.break_something(chance)] += 1
                await clock.sleep_until(clock.now() + NS_PER_S // 10)  # sleeps: the world goes on
            desk.mend()
            began = clock.now()
            await desk.until(lambda: is_all_known(desk), timeout_s=CALM_S)
            recoveries.append((clock.now() - began) / NS_PER_S)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
    told = {int(report.quantity) for report in desk.of(PositionReport)}
    assert told <= seen, "a position was told that the account never had"
    recoveries.sort()
    print(
        f"{sum(broken.values())} faults of {len(broken)} kinds, {len(desk.sim.market.trades)} trades, "
        f"{len(desk.heard)} events; known again after p50 {recoveries[len(recoveries) // 2]:.2f} s, "
        f"worst {recoveries[-1]:.2f} s; memory {grown:+.0f} MB"
    )

    def is_clean() -> bool:
        gc.collect()
        return len(asyncio.all_tasks()) <= before[0] and sockets() <= before[1]

    await desk.until(is_clean)
    outages.cancel()
    await asyncio.wait([outages])
