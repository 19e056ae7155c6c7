"""`haltline notify` and `haltline drill`: the channels tried for real, who would hear what, and how ready that is."""

import json
from pathlib import Path

import pytest

from haltline.journal.record import RecordKind
from haltline.journal.store import Journal

SETUP = """version: 1
accounts: {eval: {broker: paper, balance: 50000}}
channels:
  phone: {kind: jsonl, config: {path: phone.jsonl}}
  boss: {kind: jsonl, config: {path: boss.jsonl}}
notify:
  channels: [phone]
  times: {nights: "22:00-07:00 America/Chicago"}
  escalations: {desk: [{after: 2m, channels: [boss]}]}
  routes:
    - {match: severity=critical, escalate: desk}
    - {match: severity=info, mute: nights}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "haltline.yaml").write_text(SETUP)
    return tmp_path


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_channel_gets_a_real_message(folder: Path, terminal) -> None:
    ran = terminal("notify", "test", "--json")
    assert (ran.code, ran.json["passed"]) == (0, True)
    assert lines(folder / "phone.jsonl")[0]["title"] == "Haltline test message"
    assert (folder / "boss.jsonl").exists()


def test_one_channel_may_be_named(folder: Path, terminal) -> None:
    ran = terminal("notify", "test", "phone")
    assert (ran.code, ran.out.startswith("phone: delivered in ")) == (0, True)
    assert not (folder / "boss.jsonl").exists()


def test_a_channel_that_refuses_is_told_with_its_cure(folder: Path, terminal) -> None:
    (folder / "haltline.yaml").write_text(SETUP.replace("path: phone.jsonl", "path: no/such/folder.jsonl"))
    ran = terminal("notify", "test")
    assert ran.code == 1
    assert "phone: refused after" in ran.out
    assert "correct the address, token or rights of the channel" in ran.out
    assert "boss: delivered" in ran.out


def test_a_channel_that_is_not_there_is_a_mistake_with_a_cure(folder: Path, terminal) -> None:
    ran = terminal("notify", "test", "fone")
    assert ran.code == 1
    assert "there is no channel 'fone'; did you mean 'phone'? [E912]" in ran.err


def test_a_set_up_without_channels_passes_no_test(folder: Path, terminal) -> None:
    (folder / "haltline.yaml").write_text("version: 1\naccounts: {eval: {broker: paper}}\n")
    ran = terminal("notify", "test")
    assert (ran.code, "nobody would hear anything" in ran.out) == (1, True)


def test_a_route_is_told_with_who_hears_it_and_when(folder: Path, terminal) -> None:
    found = terminal("notify", "route", "severity=critical", "account=eval", "--json").json
    assert [item["path"] for item in found["routes"]] == [["everything", 'severity="critical"']]
    assert found["routes"][0]["group"] == {"account": "eval"}
    assert {"after_ns": 120_000_000_000, "channel": "boss", "why": "not acknowledged for 2m"} in found["hearings"]


def test_hours_of_rest_are_those_of_the_instant_asked_for(folder: Path, terminal) -> None:
    night = terminal("notify", "route", "severity=info", "--at", "2026-03-02T23:00:00-06:00").out
    assert "it rests now" in night
    assert "nobody would hear it in the first ten minutes" in night
    assert "rests" not in terminal("notify", "route", "severity=info", "--at", "2026-03-02T12:00:00-06:00").out


@pytest.mark.parametrize(
    "words",
    [["critical"], ["severity=loud"], ["severity=info", "--at", "noon"], ["x=1", "--at", "2026-01-01T00:00:00"]],
)
def test_questions_that_make_no_sense_are_answered_with_a_cure(folder: Path, terminal, words: list[str]) -> None:
    ran = terminal("notify", "route", *words)
    assert ran.code == 1
    assert "[E912]" in ran.err


def test_a_drill_goes_through_the_channels_and_on_record(folder: Path, terminal) -> None:
    ran = terminal("drill", "--json")
    found = ran.json
    assert (ran.code, found["title"], "Not on record" in ran.out) == (0, "DRILL: readiness 85 of 100", False)
    assert [item["title"] for item in lines(folder / "phone.jsonl")] == [
        "DRILL: a made-up breach", "DRILL: a made-up breach", "DRILL: a made-up breach: over"
    ]  # fmt: skip
    assert not (folder / "boss.jsonl").exists()
    missed = [question for question, is_met, _ in found["parts"][2]["rows"] if not is_met]
    assert missed == ["more than one channel hears it"]
    with Journal.read(folder / "haltline.db") as journal:
        notices = [record.body.decode() for record in journal.iterate(kinds=[RecordKind.NOTICE])]
    assert any("drill: readiness 85 of 100; heard on phone" in body for body in notices)


def test_a_drill_beside_a_running_engine_says_that_it_is_not_on_record(folder: Path, terminal) -> None:
    with Journal.open(folder / "haltline.db"):
        ran = terminal("drill")
    assert ran.code == 0
    assert "Not on record: an engine has the journal" in ran.out


def test_a_drill_whose_alarm_reaches_nobody_fails(folder: Path, terminal) -> None:
    (folder / "haltline.yaml").write_text("version: 1\naccounts: {eval: {broker: paper}}\n")
    ran = terminal("drill")
    assert (ran.code, "readiness 10 of 100" in ran.out) == (1, True)


def test_a_drill_for_an_account_that_is_not_there_is_a_mistake(folder: Path, terminal) -> None:
    assert "unknown account 'evil'; did you mean 'eval'? [E425]" in terminal("drill", "--account", "evil").err


def test_a_channel_that_refuses_hands_the_drill_to_the_next_and_costs_points(folder: Path, terminal) -> None:
    (folder / "haltline.yaml").write_text(SETUP.replace("path: phone.jsonl", "path: no/such/folder.jsonl"))
    ran = terminal("drill", "--json")
    assert ran.code == 1
    assert ran.json["code"] == "E861"
    assert ran.json["parts"][2]["rows"][0] == ["every channel has taken the alarm", False, 40]
    assert lines(folder / "boss.jsonl")[0]["title"] == "DRILL: a made-up breach"


def test_a_front_end_is_tried_only_through_an_engine_and_that_is_said(folder: Path, terminal) -> None:
    front = 'surfaces: {chat: {kind: telegram, config: {token: "1:a", chat: 1}}}\nplugins: [bot_telegram]\n'
    (folder / "haltline.yaml").write_text(SETUP + front)
    ran = terminal("notify", "test")
    assert (ran.code, "not tried: chat" in ran.out) == (0, True)
    named = terminal("notify", "test", "chat")
    assert (named.code, "no engine runs, and 'chat' is a front end" in named.err) == (1, True)
