"""What counts as a second observation of a price."""

import pytest

from haltline.state.backing import REPEAT_NS, is_backed
from haltline.state.price import ASK, BID, LAST, MARK

REPEAT_S = REPEAT_NS / 1e9


@pytest.fixture
def mnq(world):
    """MNQ, well quoted until a second ago."""
    world.quote(bid=21_000.0, ask=21_000.25, last=21_000.0, mark=21_000.0)
    world.wait(1)
    world.quote(bid=21_000.25, ask=21_000.5, last=21_000.25, mark=21_000.25)
    world.wait(1)
    return world.state.instruments["MNQ"]


@pytest.mark.parametrize(
    ("told", "index"), [({"last": 19_000.0}, LAST), ({"mark": 19_000.0}, MARK), ({"bid": 19_000.0}, BID),
                        ({"ask": 22_000.0}, ASK), ({"bid": 19_000.0, "ask": 19_001.0}, BID)]
)  # fmt: skip
class TestARepeat:
    """Found by the soak of the venues: Hyperliquid's prices carry no time, and a message that came twice closed."""

    def test_the_same_message_twice_is_no_second_witness(self, world, mnq, told, index):
        world.quote(**told)
        world.quote(**told)
        world.wait(REPEAT_S / 2)
        world.quote(**told)
        assert not is_backed(mnq, index)
        assert mnq.prices[index] == next(iter(told.values()))

    def test_the_same_price_a_little_later_is(self, world, mnq, told, index):
        world.quote(**told)
        world.wait(REPEAT_S)
        world.quote(**told)
        assert is_backed(mnq, index)

    def test_repeats_without_end_do_not_put_that_off(self, world, mnq, told, index):
        world.quote(**told)
        for _ in range(3):
            world.wait(REPEAT_S / 2)
            world.quote(**told)
        assert is_backed(mnq, index)

    def test_a_price_close_by_is_one_at_once(self, world, mnq, told, index):
        world.quote(**told)
        world.quote(**{name: price + 0.25 for name, price in told.items()})
        assert is_backed(mnq, index)

    def test_the_same_price_after_a_trade_is_one_at_once(self, world, mnq, told, index):
        world.quote(**told, volume_24h=100.0)
        world.quote(**told, volume_24h=101.0)
        assert is_backed(mnq, index)


def test_another_sort_of_price_in_between_makes_no_second_witness_of_a_repeat(world, mnq):
    world.quote(last=19_000.0)
    world.quote(mark=21_000.5)
    world.quote(last=19_000.0)
    assert not is_backed(mnq, LAST)
    assert is_backed(mnq, MARK)


def test_a_repeat_keeps_a_price_fresh(world, mnq):
    world.quote(last=21_000.0)
    world.wait(REPEAT_S / 2)
    world.quote(last=21_000.0)
    assert mnq.age == 0.0


def test_a_restart_knows_what_was_told_when(world, mnq):
    world.quote(last=19_000.0)
    image = world.state.snapshot()
    mnq.last_told = 0
    world.state.restore(image)
    world.quote(last=19_000.0)
    assert not is_backed(world.state.instruments["MNQ"], LAST)
