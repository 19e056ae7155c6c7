"""A capsule of an engine that ran on disk: stopped, its rules edited, started again, and given a rule while it ran."""

import asyncio
import json
import zipfile
from decimal import Decimal

import pytest
from typer.testing import CliRunner

from haltline import Haltline
from haltline.cli.main import app
from haltline.clock import NS_PER_S, ManualClock
from haltline.model.event import Fill, Quote
from haltline.model.id import AccountId, FillId, Symbol
from haltline.model.order import Side

START = 1_746_500_000 * NS_PER_S
CANARY = "canary-90210-token"
SETUP = """\
version: 1
mode: live
accounts: {eval: {broker: paper, balance: 50000}}
channels: {archive: {kind: jsonl, config: {path: "${ARCHIVE}/messages.jsonl"}}}
stale_after: 1h
store: {path: haltline.db}
rules: [rules.yaml]
"""
RULES = """\
version: 1
rules:
  - id: size
    each: position
    limit: {value: abs(position.quantity), max: MOST}
    then: [block_entries, notify]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("desk")
    (folder / "haltline.yaml").write_text(SETUP)
    (folder / CANARY).mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARCHIVE", str(folder / CANARY))
        patch.chdir(folder)
        yield folder


async def run(clock, folder, most, fills, *, rule=""):
    (folder / "rules.yaml").write_text(RULES.replace("MOST", str(most)))
    async with Haltline.open(folder / "haltline.yaml", clock=clock) as engine:
        if rule:
            engine.add_rule(rule)
        for number, quantity in enumerate(fills):
            clock.advance_to(clock.now() + 60 * NS_PER_S)
            now = clock.now()
            engine.put(Quote(at=now, received_at=now, symbol=Symbol("MNQ"), last=21_000.0, mark=21_000.0))
            engine.put(
                Fill(
                    at=now, received_at=now, account=AccountId("eval"), symbol=Symbol("MNQ"), side=Side.BUY,
                    fill_id=FillId(f"{now}-{number}"), quantity=Decimal(quantity), price=Decimal(21_000),
                )
            )  # fmt: skip
            await engine.until_idle()
        clock.advance_to(clock.now() + NS_PER_S)


def haltline(*words):
    return CliRunner().invoke(app, list(words), prog_name="haltline")


@pytest.fixture(scope="module")
def ran(folder):
    clock = ManualClock(START)
    asyncio.run(run(clock, folder, 3, [2, 2]))
    asyncio.run(run(clock, folder, 9, [1, 1]))
    added = "id: one\neach: position\nlimit: {value: abs(position.quantity), max: 2}\nthen: [notify]\n"
    asyncio.run(run(clock, folder, 9, [2, 1], rule=added))
    return folder


@pytest.mark.parametrize("incident", ["size/eval/MNQ/1", "one"])
@pytest.mark.parametrize("lead", ["1ms", "1h"])
def test_incidents_of_every_run_replay_and_hold_no_secret(ran, incident, lead):
    made = haltline("capsule", "make", incident, "--lead", lead, "--json")
    assert made.exit_code == 0, made.output
    file = json.loads(made.stdout)["file"]
    again = haltline("capsule", "replay", file)
    assert again.exit_code == 0, again.output
    with zipfile.ZipFile(file) as capsule:
        parts = [capsule.read(name) for name in capsule.namelist()]
    assert not any(CANARY.encode() in part for part in parts)


def test_the_rules_in_a_capsule_are_those_that_fired_not_those_of_today(ran):
    file = json.loads(haltline("capsule", "make", "size/eval/MNQ/1", "--json").stdout)["file"]
    with zipfile.ZipFile(file) as capsule:
        assert "max: 3" in capsule.read("rules/rules.yaml").decode()
    assert haltline("capsule", "to-test", file, "-o", "then.test.yaml").exit_code == 0
    assert haltline("test", "then.test.yaml").exit_code == 0
    today = haltline("capsule", "to-test", file, "-o", "now.test.yaml", "--rules", "rules.yaml")
    assert today.exit_code == 1
    assert "E726" in today.output
