"""`haltline capsule` on journals of the demonstration and of a replay."""

import json
from pathlib import Path

import pytest

from haltline.cli.main import app
from haltline.journal.store import Journal

BARS = """\
time,open,high,low,close
2025-05-06T13:30:00Z,100,101,99,100
2025-05-06T13:31:00Z,100,100,80,82
2025-05-06T13:32:00Z,82,83,60,61
2025-05-06T13:33:00Z,61,62,60,61
"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The journal of the demonstration, and a capsule of its incident."""
    from typer.testing import CliRunner

    folder = tmp_path_factory.mktemp("demo")
    file = folder / "demo.db"
    run = CliRunner().invoke
    assert run(app, ["demo", "--fast", "--json", "--journal", str(file)]).exit_code == 0
    made = run(app, ["capsule", "make", "--last", "--file", str(file), "-o", str(folder), "--json"])
    assert made.exit_code == 0, made.output
    return file, Path(json.loads(made.stdout)["file"])


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_capsule_of_the_demonstration_is_identical(terminal, demo):
    ran = terminal("capsule", "replay", str(demo[1]))
    assert ran.code == 0
    assert ran.out.startswith("identical: 2 transitions and 9 plans")


def test_the_journal_of_the_demonstration_is_intact(terminal, demo):
    assert terminal("journal", "verify", "--file", str(demo[0])).code == 0


def test_the_demonstration_does_not_overwrite_a_file(terminal, demo):
    ran = terminal("demo", "--fast", "--plain", "--journal", str(demo[0]))
    assert ran.code == 1
    assert "[E901]" in ran.err


def test_show_says_what_it_is_why_it_fired_and_what_people_were_told(terminal, demo):
    out = terminal("capsule", "show", str(demo[1])).out
    assert "daily-loss/eval/1 (breached)" in out
    assert "account.unrealized_pnl" in out
    assert "is broken" in out
    assert "Done: flatten for account eval" in out


def test_show_as_json_is_the_manifest(terminal, demo):
    found = terminal("capsule", "show", str(demo[1]), "--json").json
    assert found["proof"] == "identical"
    assert found["manifest"]["incident"]["rule"] == "daily-loss"


def test_a_test_from_it_passes_and_fails_once_the_rule_does_not_fire(terminal, demo, here):
    ran = terminal("capsule", "to-test", str(demo[1]))
    assert ran.code == 0, ran.err
    assert terminal("test", "daily-loss-eval-1.test.yaml").code == 0
    rules = here / "daily-loss.rules.yaml"
    rules.write_text(rules.read_text().replace("1000", "5000"))
    failed = terminal("test", "daily-loss-eval-1.test.yaml")
    assert failed.code == 1
    assert "expected breached, was ok" in failed.out


def test_a_test_of_other_rules_that_do_not_fire_is_not_written(terminal, demo, here):
    (here / "mine.yaml").write_text(
        "version: 1\nrules:\n  - id: daily-loss\n    each: account\n"
        "    limit: {value: account.day.loss, at: 9000}\n    then: [notify]\n"
    )
    ran = terminal("capsule", "to-test", str(demo[1]), "--rules", "mine.yaml")
    assert ran.code == 1
    assert "state should be breached" in ran.err
    assert "[E726]" in ran.err
    assert not list(here.glob("*.test.yaml"))


def test_a_test_is_not_written_over_another_file(terminal, demo, here):
    assert terminal("capsule", "to-test", str(demo[1]), "-o", "a.test.yaml").code == 0
    ran = terminal("capsule", "to-test", str(demo[1]), "-o", "a.test.yaml")
    assert (ran.code, "[E901]" in ran.err) == (1, True)
    assert terminal("capsule", "to-test", str(demo[1]), "-o", "a.test.yaml", "--force").code == 0


def test_tests_of_two_incidents_share_rules_that_are_the_same_and_overwrite_no_others(terminal, demo, here):
    assert terminal("capsule", "to-test", str(demo[1]), "-o", "a.test.yaml").code == 0
    assert terminal("capsule", "to-test", str(demo[1]), "-o", "b.test.yaml").code == 0
    rules = here / "daily-loss.rules.yaml"
    for content in (b"version: 1\nrules: []\n", b"\xff"):
        rules.write_bytes(content)
        ran = terminal("capsule", "to-test", str(demo[1]), "-o", "c.test.yaml")
        assert (ran.code, "in another folder" in ran.err) == (1, True)
        assert rules.read_bytes() == content
    assert terminal("capsule", "to-test", str(demo[1]), "-o", "other/c.test.yaml").code == 0


def test_a_test_file_is_called_so(terminal, demo, here):
    assert terminal("capsule", "to-test", str(demo[1]), "-o", "a.yaml").code == 2


def test_a_cut_off_state_in_a_test_is_told_at_its_place(terminal, demo, here):
    terminal("capsule", "to-test", str(demo[1]), "-o", "a.test.yaml")
    file = here / "a.test.yaml"
    lines = file.read_text().splitlines(keepends=True)
    number = next(index for index, line in enumerate(lines) if line.lstrip().startswith("state:"))
    del lines[number + 2 : number + 4]
    file.write_text("".join(lines))
    ran = terminal("test", "a.test.yaml")
    assert ran.code == 1
    assert "[E288]" in ran.out + ran.err


def test_a_replayed_recording_gives_capsule_and_test(terminal, here):
    (here / "ACME_1m.csv").write_text(BARS)
    words = ("ACME_1m.csv", "-p", "ACME:+10@100", "--balance", "1000", "--journal", "r.db")
    assert terminal("replay", *words, "--plain").code == 0
    found = terminal("capsule", "make", "drawdown", "--file", "r.db", "--json").json
    assert found["proof"] == "identical"
    assert terminal("capsule", "replay", found["file"], "--json").json["ok"] is True
    assert terminal("capsule", "to-test", found["file"], "-o", "crash.test.yaml").code == 0
    assert "state: |" not in (here / "crash.test.yaml").read_text()
    assert terminal("test", "crash.test.yaml").code == 0


def test_an_unknown_incident_names_the_nearest(terminal, demo, here):
    ran = terminal("capsule", "make", "dayly-loss/eval/1", "--file", str(demo[0]))
    assert ran.code == 1
    assert "did you mean 'daily-loss/eval/1'? [E723]" in ran.err


@pytest.mark.parametrize("words", [(), ("daily-loss", "--last"), ("daily-loss", "--lead", "soon")])
def test_wrong_words_are_a_usage_error(terminal, demo, here, words):
    assert terminal("capsule", "make", *words, "--file", str(demo[0])).code == 2


def test_a_file_that_is_no_capsule_is_told_in_a_sentence(terminal, demo):
    ran = terminal("capsule", "replay", str(demo[0]))
    assert ran.code == 1
    assert "this file is not a capsule" in ran.err
    assert "[E720]" in ran.err


def test_a_missing_file_is_told(terminal, here):
    assert "[E904]" in terminal("capsule", "show", "nothing.capsule").err


def test_a_journal_without_a_story_has_no_incident(terminal, here):
    Journal.open(here / "empty.db").close()
    assert "the journal has no incident" in terminal("capsule", "make", "--last", "--file", "empty.db").err
