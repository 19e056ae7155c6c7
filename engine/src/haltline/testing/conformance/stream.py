"""BRK-080 … 099: a stream that is cut, silent or hostile is noticed, told, and made good."""

from haltline.model.order import Side
from haltline.testing.conformance.bench import Bench
from haltline.testing.conformance.case import case
from haltline.testing.conformance.push import is_refused
from haltline.testing.conformance.world import VenueFault


@case("BRK-080", VenueFault.DROP)
async def cut(bench: Bench) -> None:
    """what happens while the stream is cut is told after it is back"""
    await bench.world.arm(VenueFault.DROP)
    await bench.world.trade(bench.world.account, Side.BUY, 2 * bench.world.lot)
    await bench.until_held(2 * bench.world.lot)
    await bench.world.trade(bench.world.account, Side.BUY, bench.world.lot)
    await bench.until_held(3 * bench.world.lot)


@case("BRK-081", VenueFault.DROP)
async def cut_is_told(bench: Bench) -> None:
    """the loss of the stream is told"""
    since = len(bench.heard)
    await bench.world.arm(VenueFault.DROP)
    await bench.until(lambda: bench.was_told_of_trouble(since), "word of the loss")


@case("BRK-082", VenueFault.SILENCE)
async def silent(bench: Bench) -> None:
    """a stream that lives and says nothing is not believed"""
    await bench.world.arm(VenueFault.SILENCE)
    await bench.world.trade(bench.world.account, Side.SELL, 2 * bench.world.lot)
    await bench.until_held(-2 * bench.world.lot)


@case("BRK-083", VenueFault.AWAY)
async def down_and_back(bench: Bench) -> None:
    """a venue that was down is followed again once it is back"""
    since = len(bench.heard)
    await bench.world.arm(VenueFault.AWAY)
    await bench.until(lambda: bench.was_told_of_trouble(since), "word of the loss")
    await bench.world.mend()
    await bench.world.trade(bench.world.account, Side.BUY, bench.world.lot)
    await bench.until_held(bench.world.lot)


@case("BRK-084", VenueFault.AWAY, is_served=False)
async def stopped_while_connecting(bench: Bench) -> None:
    """a client that finds no venue can be made, and stopped"""
    await bench.world.arm(VenueFault.AWAY)
    bench.begin()
    await bench.until(bench.was_told_of_trouble, "word that the venue is away")
    await bench.stop()
    await bench.world.mend()


@case("BRK-090", VenueFault.NOT_JSON)
async def not_json(bench: Bench) -> None:
    """a message that is none does not end the stream for good"""
    await _survives(bench, VenueFault.NOT_JSON)


@case("BRK-091", VenueFault.MISSING_FIELD)
async def missing_field(bench: Bench) -> None:
    """a message without a field that it needs does not end the stream for good"""
    await _survives(bench, VenueFault.MISSING_FIELD)


@case("BRK-092", VenueFault.NOT_A_NUMBER)
async def not_a_number(bench: Bench) -> None:
    """a price that is no number is never believed"""
    await _survives(bench, VenueFault.NOT_A_NUMBER)


@case("BRK-093", VenueFault.HUGE_NUMBER)
async def huge_number(bench: Bench) -> None:
    """a price beyond all measure is never believed"""
    await _survives(bench, VenueFault.HUGE_NUMBER)


async def _survives(bench: Bench, fault: VenueFault) -> None:
    """The message is told of, by the client or by the engine, and what comes after it is heard."""
    since = len(bench.heard)
    await bench.world.arm(fault)

    def is_told() -> bool:
        return bench.was_told_of_trouble(since) or any(is_refused(event) for event in bench.heard[since:])

    await bench.until(is_told, "word of a message that cannot be used")
    await bench.world.trade(bench.world.account, Side.BUY, bench.world.lot)
    await bench.until_held(bench.world.lot)
