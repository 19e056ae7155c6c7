"""`haltline doctor`: what is wrong is found, said with a cure, and nothing is changed anywhere."""

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from haltline.api import (
    AccountSnapshot,
    BrokerKind,
    BrokerSetup,
    Capability,
    EventSink,
    Finding,
    Level,
    Registry,
    Started,
)
from haltline.clock import SystemClock
from haltline.config.settings import BrokerEntry, OperatorEntry
from haltline.errors import Refused, Transient
from haltline.journal.store import Journal
from haltline.model.account import AccountSpec
from haltline.model.event import AccountReport, Quote
from haltline.model.id import AccountId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.plugins.load import load_plugins
from haltline.runtime.compose import Parts
from haltline.runtime.doctor import Examination
from haltline.runtime.embed import load_parts

SECRET = "k3y-that-nobody-sees"


class FakeVenue:
    """A broker that counts what is asked of it; `wrong` is what its `run` raises, `quiet` means no prices."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.wrong: Exception | None = None
        self.quiet = False
        self.source = ""
        self.barred = False
        self.findings: Sequence[Finding] | Exception = (
            Finding(level=Level.WARN, about="permissions", text="the key may withdraw", cure="make one that may not"),
        )
        self.is_running = False

    def make(self, setup: BrokerSetup) -> "FakeVenue":
        self.calls.append(f"make {setup.role}")
        return self

    async def run(self, sink: EventSink, started: Started) -> None:
        self.calls.append("run")
        if self.wrong is not None:
            raise self.wrong
        self.is_running = True
        if not self.quiet:
            sink(Quote(at=1, received_at=1, symbol=Symbol("CON.MNQ"), last=1.0, source=self.source))
        started()
        try:
            await asyncio.Event().wait()
        finally:
            self.is_running = False

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        self.calls.append("snapshot")
        can_trade = False if self.barred else None
        report = AccountReport(at=1, received_at=1, account=account, balance=Decimal(7), can_trade=can_trade)
        return AccountSnapshot(account=report, positions=(), orders=())

    async def diagnose(self) -> Sequence[Finding]:
        self.calls.append("diagnose")
        if isinstance(self.findings, Exception):
            raise self.findings
        return self.findings

    async def submit(self, request: object) -> Any:
        self.calls.append("submit")

    async def cancel(self, account: object, order_id: object) -> None:
        self.calls.append("cancel")

    async def find_order(self, account: object, client_id: str) -> Any:
        self.calls.append("find")


class World:
    def __init__(self, folder: Path) -> None:
        text = Path(__file__).with_name("world.yaml").read_text()
        (folder / "haltline.yaml").write_text(text.replace("out.jsonl", str(folder / "out.jsonl")))
        (folder / "rules.yaml").write_text("version: 1\nrules: []\n")
        found = load_parts(folder / "haltline.yaml", environ={})
        self.folder = folder
        self.venue = FakeVenue()
        self.registry = Registry()
        for shelf, source in zip(self.registry.shelves(), load_plugins().registry.shelves(), strict=True):
            for name, value, owner in source.items():
                self.registry.owner = owner
                shelf.add(name, value)  # type: ignore[arg-type] # shelves of one sort
        self.registry.owner = "odd"
        self.registry.add_broker(
            BrokerKind(
                name="venue", make=self.venue.make, meaning="m", schema={}, paired=True,
                capabilities=frozenset({Capability.PUSH_QUOTES}),
            )
        )  # fmt: skip
        setup = replace(
            found.setup, brokers=(BrokerEntry(name="main", kind="venue", config={"api_key": SECRET}),),
            accounts=(AccountSpec(id=AccountId("eval"), broker="main", live=True),),
            instruments=(InstrumentSpec(symbol=Symbol("MNQ"), aliases=("CON.MNQ",)),),
        )  # fmt: skip
        self.parts: Parts = replace(found, setup=setup, registry=self.registry)

    async def look(self, *, send: bool = False) -> list[str]:
        examination = Examination(self.parts, clock=SystemClock(), environ={}, connect_s=0.3, quote_s=0.3, send=send)
        found = await examination.run()
        return [f"{each.finding.level} {each.subject}: {each.finding.about}: {each.finding.text}" for each in found]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def about(lines: list[str], subject: str) -> list[str]:
    return [line for line in lines if f" {subject}: " in line]


async def test_a_broker_is_asked_seen_and_left_and_nothing_is_sent_to_it(world: World) -> None:
    lines = await world.look()
    assert about(lines, "broker main") == [
        "warn broker main: permissions: the key may withdraw",
        "ok broker main: connection: it answers, and its stream has begun",
        "ok broker main: account eval: 7, 0 positions, 0 orders",
    ]
    assert world.venue.calls == ["make reader", "diagnose", "run", "snapshot"]
    assert not world.venue.is_running


async def test_a_quote_under_an_alias_counts_for_its_instrument(world: World) -> None:
    assert "ok prices: quoted: MNQ" in await world.look()


@pytest.mark.parametrize(("source", "is_told"), [("other", True), ("", False)])
async def test_one_name_for_the_markets_of_two_venues_is_told(world: World, source: str, is_told: bool) -> None:
    other = FakeVenue()
    other.source = source
    world.registry.owner = "odd"
    capabilities = frozenset({Capability.PUSH_QUOTES})
    world.registry.add_broker(
        BrokerKind(name="other", make=other.make, meaning="m", schema={}, capabilities=capabilities)
    )
    setup = world.parts.setup
    world.parts = replace(
        world.parts,
        setup=replace(
            setup, brokers=(*setup.brokers, BrokerEntry(name="second", kind="other", config={})),
            accounts=(*setup.accounts, AccountSpec(id=AccountId("two"), broker="second")),
        ),
    )  # fmt: skip
    told = [line for line in await world.look() if "is one price" in line]
    assert len(told) == is_told
    assert not is_told or told[0].startswith(
        "warn prices: CON.MNQ: CON.MNQ is quoted by the brokers 'main' and 'second'"
    )


async def test_an_instrument_without_a_quote_is_told(world: World) -> None:
    world.venue.quiet = True
    assert "warn prices: MNQ: no quote within 0.3 s" in await world.look()


async def test_where_no_instrument_is_named_silence_is_told_once(world: World) -> None:
    world.venue.quiet = True
    world.parts = replace(world.parts, setup=replace(world.parts.setup, places={}))
    lines = await world.look()
    assert about(lines, "prices") == ["warn prices: nothing: no quote of anything within 0.3 s"]


async def test_a_wrong_key_fails_in_words_that_do_not_hold_it(world: World) -> None:
    world.venue.wrong = Refused(f"the key {SECRET} is not known here")
    world.venue.findings = Refused(f"401 for {SECRET}")
    lines = await world.look()
    failed = [line for line in lines if line.startswith("fail broker main")]
    assert [line.partition(": ")[2].partition(": ")[0] for line in failed] == ["diagnosis", "connection"]
    assert SECRET not in str(lines)


@pytest.mark.parametrize(
    ("failure", "said"),
    [(Transient("no route to host"), "no route to host"), (KeyError("balance"), "KeyError: 'balance'")],
)
async def test_whatever_a_plugin_raises_is_a_failure_of_its_broker(world: World, failure: Exception, said: str) -> None:
    world.venue.wrong = failure
    world.venue.findings = failure
    lines = await world.look()
    assert f"fail broker main: connection: {said}" in lines
    assert f"fail broker main: diagnosis: {said}" in lines
    assert any(line.startswith("ok channel") for line in lines)


async def test_a_broker_that_never_starts_is_given_up_in_time(world: World) -> None:
    async def never(sink: EventSink, started: Started) -> None:
        await asyncio.Event().wait()

    world.venue.run = never  # type: ignore[method-assign]
    assert "fail broker main: connection: it did not answer within 0.3 s" in await world.look()


async def test_an_account_that_may_not_trade_is_told(world: World) -> None:
    world.venue.barred = True
    assert any("bars it from trading" in line for line in await world.look())


async def test_an_account_that_is_armed_is_told_loudly(world: World) -> None:
    assert "ok account eval: mode: LIVE: rules act on it" in await world.look()


async def test_a_person_whom_nobody_recognises_is_told(world: World) -> None:
    people = (OperatorEntry(name="ann", role="admin"),)
    world.parts = replace(world.parts, setup=replace(world.parts.setup, operators=people))
    assert "warn operators: ann: no identity: nobody is recognised as this person" in await world.look()


async def test_a_message_is_sent_only_where_it_is_asked_for(world: World) -> None:
    await world.look()
    assert not (world.folder / "out.jsonl").exists() or not (world.folder / "out.jsonl").read_text()
    await world.look(send=True)
    assert (world.folder / "out.jsonl").read_text().count("\n") == 1


@pytest.mark.parametrize("shut", ["journal.db", "place"])
async def test_a_journal_that_cannot_be_written_fails(world: World, monkeypatch: pytest.MonkeyPatch, shut: str) -> None:
    store = world.parts.setup.store
    store.path.parent.mkdir(parents=True, exist_ok=True)
    with Journal.open(store.path):
        pass
    refused = store.path if shut == "journal.db" else store.path.parent
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != refused and real(path, mode))
    (line,) = [line for line in await world.look() if "journal: lock" in line]
    assert line.startswith("fail")
    assert f"{refused} cannot be written" in line


async def test_a_file_that_is_no_journal_fails(world: World) -> None:
    store = replace(world.parts.setup.store, path=world.folder / "no.db")
    store.path.write_bytes(b"not a journal at all, but something else" * 40)
    world.parts = replace(world.parts, setup=replace(world.parts.setup, store=store))
    assert any(line.startswith("fail journal: file") for line in await world.look())


def test_the_command_says_each_finding_and_ends_with_one_where_something_fails(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from haltline.cli.main import app

    World(tmp_path)
    shown = CliRunner().invoke(app, ["doctor", "--config", str(tmp_path / "haltline.yaml"), "--json"])
    body = json.loads(shown.stdout)
    assert body["ok"] is (shown.exit_code == 0)
    assert {"subject", "level", "about", "text", "cure"} == set(body["findings"][0])
