"""Two markets under one name are told, and nothing else is."""

import asyncio

import pytest

from haltline.model.event import Event, Quote, Tick
from haltline.runtime.namesake import CURE, TITLE, Namesakes


def quote(source: str, symbol: str = "BTCUSDT") -> Quote:
    return Quote(at=1, received_at=1, symbol=symbol, last=1.0, source=source)


def told(*heard: tuple[str, Event]) -> dict[str, str]:
    names, taken = Namesakes(), []
    for broker, event in heard:
        names.between(broker, taken.append)(event)
    assert taken == [event for _, event in heard]  # everything is handed on, whatever its name
    return names.found


def test_two_brokers_at_two_venues_that_quote_one_name_are_told_once() -> None:
    heard = [("a", quote("bybit")), ("b", quote("binance")), ("a", quote("bybit")), ("b", quote("binance"))]
    assert told(*heard) == {
        "BTCUSDT": "BTCUSDT is quoted by the brokers 'a' and 'b' from different venues, and is one price to the engine"
    }


def test_two_brokers_at_one_venue_quote_one_market() -> None:
    assert told(("a", quote("bybit")), ("b", quote("bybit"))) == {}


def test_one_broker_may_have_several_sources() -> None:
    assert told(("a", quote("bybit")), ("a", quote("index"))) == {}


def test_names_that_differ_are_no_namesakes() -> None:
    assert told(("a", quote("bybit", "BTCBYBIT")), ("b", quote("binance", "BTCBINANCE"))) == {}


@pytest.mark.parametrize("event", [Tick(at=1, received_at=1), quote("x", symbol=7), quote("x", symbol=[])])  # type: ignore[arg-type]  # what odd plugins do
def test_what_is_no_quote_of_a_name_is_handed_on_as_it_is(event: Event) -> None:
    assert told(("a", event), ("b", event)) == {}


def test_names_without_end_are_not_kept() -> None:
    names = Namesakes()
    ear = names.between("a", lambda event: None)
    for number in range(20_000):
        ear(quote("x", f"NAME{number}"))
    assert len(names._first) == 10_000


async def test_whoever_runs_the_engine_hears_of_each_name_with_its_cure() -> None:
    names, heard = Namesakes(), []

    async def tell(title: str, text: str) -> None:
        heard.append((title, text))

    running = asyncio.ensure_future(names.run(tell))
    for symbol in ("BTC", "ETH", "BTC"):
        names.between("a", lambda event: None)(quote("bybit", symbol))
        names.between("b", lambda event: None)(quote("binance", symbol))
    for _ in range(9):
        await asyncio.sleep(0)
    running.cancel()
    assert heard == [(TITLE, f"{names.found[symbol]}: {CURE}") for symbol in ("BTC", "ETH")]
