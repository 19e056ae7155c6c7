"""Messages of a whole engine: routed, repeated, silenced, kept over restarts, and never in enforcement's way."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from haltline import Haltline
from haltline.api import Message
from haltline.builtins.paper.broker import PaperBroker
from haltline.clock import NS_PER_S, ManualClock, SystemClock
from haltline.journal.record import RecordKind, event_entry
from haltline.journal.store import Journal
from haltline.model.event import Acknowledge, Quote, Silence
from haltline.model.id import AccountId, IncidentId, Symbol
from haltline.model.order import OrderRequest, Side
from haltline.runtime.embed import load_parts

START = 1_746_500_000 * NS_PER_S
SETUP = """version: 1
mode: live
store: {path: data/journal.db}
accounts: {eval: {broker: paper, balance: 50000, labels: {desk: one}}}
instruments: {MNQ: {tick_size: 0.25, tick_value: 0.50, asset_class: future, stale_after: 1h}}
channels: {phone: {kind: jsonl, config: {path: phone.jsonl}}, mail: {kind: jsonl, config: {path: mail.jsonl}}}
rules: [rules.yaml]
notify:
  channels: [mail]
  routes: [{match: [severity=critical, team=risk, desk=one], channels: [phone]}]
"""
RULES = """version: 1
rules:
  - id: size
    each: position
    limit: {value: abs(position.quantity), max: 1}
    then: [notify, flatten]
    severity: critical
    labels: {team: risk}
"""


class Ear:
    """Hears everything."""

    def __init__(self) -> None:
        self.heard: list[Message] = []

    async def send(self, message: Message) -> None:
        self.heard.append(message)


class Deaf:
    """Never answers."""

    def __init__(self) -> None:
        self.asked = 0

    async def send(self, message: Message) -> None:
        self.asked += 1
        await asyncio.Event().wait()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "haltline.yaml").write_text(SETUP)
    (tmp_path / "rules.yaml").write_text(RULES)
    return tmp_path


def make(folder: Path, clock: Any, **more: Any) -> Haltline:
    return Haltline.from_parts(load_parts(folder / "haltline.yaml", environ={}), clock=clock, **more)


def hear(engine: Haltline, **channels: Any) -> None:
    """Put fakes where the channels are."""
    cast("dict[str, Any]", engine.engine._outbox._channels).update(channels)


async def settle() -> None:
    for _ in range(200):
        await asyncio.sleep(0)


async def buy(engine: Haltline, clock: Any, size: int = 2) -> None:
    now = clock.now()
    quote = Quote(at=now, received_at=now, symbol=Symbol("MNQ"), bid=21_000, ask=21_000.25, last=21_000, mark=21_000)
    engine.put(quote)
    await engine.until_idle()
    broker = cast("PaperBroker", engine.engine._brokers["paper"])
    await broker.submit(
        OrderRequest(account=AccountId("eval"), symbol=Symbol("MNQ"), side=Side.BUY, quantity=Decimal(size))
    )


def no_flatten(folder: Path) -> None:
    (folder / "rules.yaml").write_text(RULES.replace("[notify, flatten]", "[notify]"))


def texts(ear: Ear) -> list[str]:
    return [message.title for message in ear.heard]


async def test_labels_of_rule_and_account_decide_who_hears_it(folder: Path) -> None:
    no_flatten(folder)
    clock, phone, mail = ManualClock(START), Ear(), Ear()
    async with make(folder, clock) as engine:
        hear(engine, phone=phone, mail=mail)
        await buy(engine, clock)
        await engine.until_idle()
        assert (texts(phone), texts(mail)) == (["eval/MNQ: rule size is broken"], [])
        assert phone.heard[0].labels["team"] == "risk"
        assert phone.heard[0].buttons[0].command == "ack"


async def test_it_is_repeated_until_an_operator_acknowledges(folder: Path) -> None:
    no_flatten(folder)
    clock, phone = ManualClock(START), Ear()
    async with make(folder, clock) as engine:
        hear(engine, phone=phone)
        await buy(engine, clock)
        await engine.until_idle()
        for _ in range(2):
            clock.advance_to(clock.now() + 60 * NS_PER_S)
            await settle()
        assert len(phone.heard) == 3
        incident = IncidentId(next(iter(engine.engine.kernel.live)))
        engine.put(Acknowledge(at=clock.now(), received_at=clock.now(), incident=incident, operator="ann"))
        await engine.until_idle()
        clock.advance_to(clock.now() + 3600 * NS_PER_S)
        await settle()
        assert len(phone.heard) == 4
        assert phone.heard[-1].text.endswith("Acknowledged by ann.")


async def test_reminders_and_silences_survive_a_restart(folder: Path) -> None:
    no_flatten(folder)
    clock, phone = ManualClock(START), Ear()
    async with make(folder, clock, in_memory=False) as engine:
        hear(engine, phone=phone)
        await buy(engine, clock)
        await engine.until_idle()
        now = clock.now()
        engine.put(Silence(at=now, received_at=now, silence_id="s", matchers=("rule=size",), until=now + 600 * NS_PER_S,
                           operator="ann", reason="known"))  # fmt: skip
        await engine.until_idle()
    later = ManualClock(START + 300 * NS_PER_S)
    async with make(folder, later, in_memory=False) as engine:
        hear(engine, phone=phone)
        await settle()
        assert len(phone.heard) == 1
        assert [silence.id for silence in engine.engine.publisher.desk.silences] == ["s"]
        later.advance_to(START + 600 * NS_PER_S)
        for _ in range(20):
            await settle()
            await engine.until_idle()
        assert texts(phone)[1:] == ["Not acknowledged yet: eval/MNQ: rule size is broken"]


async def test_the_end_tells_what_was_done_and_how_long_it_lasted(folder: Path) -> None:
    clock, phone, mail = ManualClock(START), Ear(), Ear()
    async with make(folder, clock) as engine:
        hear(engine, phone=phone, mail=mail)
        await buy(engine, clock)
        await engine.until_idle()
        clock.advance_to(clock.now() + 2 * NS_PER_S)
        await settle()
        await engine.until_idle()
        assert [message.phase for message in phone.heard] == ["breached", "resolved"]
        assert "It lasted" in phone.heard[-1].text
        assert "the worst value was 2 (limit 1)" in phone.heard[-1].text


async def time_to_flat(folder: Path, channel: Any) -> int:
    clock = SystemClock()
    async with make(folder, clock) as engine:
        hear(engine, phone=channel, mail=channel)
        broker = cast("PaperBroker", engine.engine._brokers["paper"])
        await buy(engine, clock)
        begun = clock.now()
        while clock.now() - begun < 5 * NS_PER_S:
            if not (await broker.snapshot(AccountId("eval"))).positions and len(engine.engine.inbox) == 0:
                break
            await asyncio.sleep(0)
        taken = clock.now() - begun
        assert engine.engine._outbox.delivered or isinstance(channel, Deaf)
        return taken


async def test_a_channel_that_hangs_delays_no_enforcement(folder: Path) -> None:
    """Measured: a position is flat as soon with a channel that never answers as with one that always does."""
    deaf = Deaf()
    quick, slow = await time_to_flat(folder, Ear()), await time_to_flat(folder, deaf)
    assert deaf.asked
    assert slow < quick + NS_PER_S // 2, (quick, slow)
    assert slow < NS_PER_S


async def test_a_running_engine_can_be_drilled_and_keeps_the_report(folder: Path) -> None:
    clock, phone, mail = SystemClock(), Ear(), Ear()
    async with make(folder, clock) as engine:
        hear(engine, phone=phone, mail=mail)
        before = len(phone.heard)
        report = await engine.engine.drill({"account": "eval", "team": "risk", "desk": "one"})
        assert [message.title for message in phone.heard[before:]] == [
            "DRILL: a made-up breach", "DRILL: a made-up breach", "DRILL: a made-up breach: over"
        ]  # fmt: skip
        assert report.score == 75
        assert engine.engine.kernel.live == {}
        notices = [record.body for record in engine.engine.store.iterate(kinds=[RecordKind.NOTICE])]
        assert any(b"drill: readiness 75 of 100" in body for body in notices)


async def test_a_silence_on_record_that_the_desk_never_heard_of_is_taken_up_after_a_crash(folder: Path) -> None:
    clock = ManualClock(START)
    async with make(folder, clock, in_memory=False):
        pass
    event = Silence(at=START, received_at=START, silence_id="s", matchers=("rule=size",), until=START + 600 * NS_PER_S,
                    operator="ann", reason="known")  # fmt: skip
    with Journal.open(folder / "data" / "journal.db") as journal:
        journal.append([event_entry(event, START + 1)])
    for _ in range(2):
        async with make(folder, ManualClock(START + NS_PER_S), in_memory=False) as engine:
            assert [silence.id for silence in engine.engine.publisher.desk.silences] == ["s"]
