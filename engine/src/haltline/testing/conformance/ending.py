"""BRK-100 … 119: a client ends cleanly, starts again, and never says what must not be said."""

import asyncio
import gc
import warnings
from pathlib import Path

from haltline.api import Capability
from haltline.errors import EngineError, Refused
from haltline.model.order import OrderType, Side
from haltline.testing.conformance.bench import Bench
from haltline.testing.conformance.case import case
from haltline.testing.conformance.world import VenueFault

_FILES = Path("/proc/self/fd")
_MOMENTS_S = (0.0, 0.01, 0.03, 0.1, 0.2, 0.3)
"""When a start is cut short: while it asks for markets, logs in, or makes its connections."""


@case("BRK-100", is_served=False)
async def nothing_is_left(bench: Bench) -> None:
    """after `run` was cancelled no task and no socket is left"""
    before = _tasks(), _sockets()
    await bench.start()
    await bench.snapshot()
    await bench.submit(bench.order())
    await bench.stop()
    await _until_clean(bench, *before)


@case("BRK-106", is_served=False)
async def nothing_is_left_of_a_start(bench: Bench) -> None:
    """`run` that is cancelled at any moment of its start leaves no task and no socket"""
    before = _tasks(), _sockets()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # a half-made connection that the collector closes is closed
        for moment_s in _MOMENTS_S:
            bench.begin()
            await asyncio.sleep(moment_s)
            await bench.stop()
        await _until_clean(bench, *before)


@case("BRK-101")
async def starts_again(bench: Bench) -> None:
    """`run` can be cancelled and called again"""
    await bench.stop()
    await bench.start()
    await bench.world.trade(bench.world.account, Side.BUY, bench.world.lot)
    await bench.until_held(bench.world.lot)


@case("BRK-102", Capability.STOP_ORDERS, Capability.REDUCE_ONLY, Capability.PULL_ORDERS)
async def stops_outlive_the_client(bench: Bench) -> None:
    """a protective stop works on after the client has ended"""
    await bench.world.trade(bench.world.account, Side.BUY, bench.world.lot)
    request = bench.order(Side.SELL, type=OrderType.STOP, reduce_only=True)
    await bench.submit(request)
    await bench.stop()
    async with Bench(bench.world) as later:
        await later.start()
        assert [order.client_id for order in (await later.snapshot()).orders] == [request.client_id]


@case("BRK-103")
async def representation(bench: Bench) -> None:
    """no secret is in what the client looks like, or pushes"""
    await bench.snapshot()
    said = [repr(bench.broker), str(bench.broker), *(repr(event) for event in bench.heard)]
    _check_silence(bench, said)


@case("BRK-104", VenueFault.AWAY)
async def silence_in_failure(bench: Bench) -> None:
    """no secret is in what the client raises"""
    await bench.world.arm(VenueFault.AWAY)
    for call in (bench.snapshot(), bench.submit(bench.order()), bench.find(bench.order())):
        try:
            await call
        except EngineError:
            continue
    await bench.until(bench.was_told_of_trouble, "word of the loss")
    assert bench.said, "nothing was raised"
    _check_silence(bench, bench.said)


@case("BRK-105", VenueFault.WRONG_KEY, is_served=False)
async def wrong_key(bench: Bench) -> None:
    """a wrong key is refused, in words that do not hold it"""
    await bench.world.arm(VenueFault.WRONG_KEY)
    bench.begin()
    await bench.until(lambda: bench.losses, "a refusal of the key")
    assert isinstance(bench.losses[0], Refused), f"a wrong key is Refused, not {bench.losses[0]!r}"
    assert str(bench.losses[0])
    _check_silence(bench, bench.said)


async def _until_clean(bench: Bench, tasks: set[asyncio.Task[object]], sockets: int) -> None:
    def is_clean() -> bool:
        gc.collect()
        return _tasks() <= tasks and _sockets() <= sockets

    await bench.until(is_clean, f"tasks and sockets to be gone (there were {sockets} sockets and {len(tasks)} tasks)")


def _check_silence(bench: Bench, said: list[str]) -> None:
    for text in said:
        for number, secret in enumerate(bench.world.secrets, start=1):
            assert secret not in text, f"secret {number} of the world was said"


def _tasks() -> set[asyncio.Task[object]]:
    return {task for task in asyncio.all_tasks() if not task.done()}


def _sockets() -> int:
    """How many sockets this process has open; 0 where the system does not say."""
    if not _FILES.is_dir():
        return 0
    found = 0
    for link in _FILES.iterdir():
        try:
            found += str(link.readlink()).startswith("socket:")
        except OSError:  # closed while we looked
            continue
    return found
