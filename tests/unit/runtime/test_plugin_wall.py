"""A broker that raises anything, at any call, takes no protection down."""

import asyncio
from pathlib import Path
from typing import cast

import pytest

from haltline import Haltline
from haltline.api import AccountSnapshot
from haltline.builtins.paper.broker import PaperBroker
from haltline.clock import NS_PER_S, ManualClock
from haltline.journal.memory import MemoryJournal
from haltline.journal.record import RecordKind
from haltline.model.event import Quote
from haltline.model.id import AccountId, Symbol
from haltline.runtime.embed import load_parts

START = 1_746_500_000 * NS_PER_S


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text = Path(__file__).with_name("world.yaml").read_text()
    (tmp_path / "haltline.yaml").write_text(text.replace("out.jsonl", str(tmp_path / "out.jsonl")))
    (tmp_path / "rules.yaml").write_text("version: 1\nrules: []\n")
    return tmp_path


async def test_a_quote_that_a_simulating_broker_chokes_on_still_reaches_the_rules(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def choke(self: PaperBroker, quote: Quote) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(PaperBroker, "on_quote", choke)
    parts = load_parts(folder / "haltline.yaml", environ={})
    async with Haltline.from_parts(parts, clock=ManualClock(START)) as engine:
        engine.put(Quote(at=START, received_at=START, symbol=Symbol("MNQ"), last=21_000.0))
        await engine.until_idle()
        assert engine.engine.kernel.state.instruments["MNQ"].last == 21_000.0
        notices = cast("MemoryJournal", engine.engine.store).iterate(kinds=[RecordKind.NOTICE])
        assert any(b"on_quote raised ZeroDivisionError: oops" in record.body for record in notices)


async def test_a_broker_that_cannot_be_asked_at_first_is_asked_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [KeyError("a bug")]
    whole = PaperBroker.snapshot

    async def snapshot(self: PaperBroker, account: AccountId) -> AccountSnapshot:
        if faults:
            raise faults.pop()
        return await whole(self, account)

    monkeypatch.setattr(PaperBroker, "snapshot", snapshot)
    clock = ManualClock(START)
    parts = load_parts(folder / "haltline.yaml", environ={})

    async def move() -> None:
        while True:
            await asyncio.sleep(0)
            if not faults and (wake := clock.next_wake_ns()) is not None and wake < START + 5 * NS_PER_S:
                clock.advance_to(wake)

    mover = asyncio.create_task(move())
    async with Haltline.from_parts(parts, clock=clock) as engine:
        assert engine.status().reconciled
    mover.cancel()
