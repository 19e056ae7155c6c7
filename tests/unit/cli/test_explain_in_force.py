"""`haltline explain RULE ENTITY` goes by the rules that were in force, whatever became of their files."""

from pathlib import Path

import pytest

from haltline import Haltline
from haltline.clock import NS_PER_S, ManualClock
from haltline.journal.record import Entry, RecordKind
from haltline.journal.store import Journal
from haltline.runtime.embed import load_parts

START = 1_746_500_000 * NS_PER_S
SETUP = "version: 1\naccounts: {eval: {broker: paper, balance: 50000}}\nrules: [rules.yaml]\n"
RULES = """version: 1
rules:
  - id: daily-loss
    each: account
    limit: {value: account.day.loss, at: LIMIT}
    then: [notify]
"""


@pytest.fixture
async def setup(tmp_path: Path) -> Path:
    """A set-up whose engine began with a limit of 500, and was given 700 while it ran."""
    (tmp_path / "haltline.yaml").write_text(SETUP)
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES.replace("LIMIT", "500"))
    parts = load_parts(tmp_path / "haltline.yaml", environ={})
    async with Haltline.from_parts(parts, clock=ManualClock(START), in_memory=False) as engine:
        rules.write_text(RULES.replace("LIMIT", "700"))
        await engine.engine.reloader.reload(by="ann", why="more room")
    return tmp_path / "haltline.yaml"


def test_the_rules_of_the_last_reload_explain_and_not_those_of_an_edited_file(terminal, setup):
    same = terminal("explain", "daily-loss", "eval", "--json", "--config", str(setup)).json
    assert (same["threshold"], same["rules"], same["files"]) == (700.0, "in force", "same")
    setup.with_name("rules.yaml").write_text(RULES.replace("LIMIT", "900"))
    edited = terminal("explain", "daily-loss", "eval", "--json", "--config", str(setup)).json
    assert (edited["threshold"], edited["rules"], edited["files"]) == (700.0, "in force", "differ")
    assert "haltline reload" in terminal("explain", "daily-loss", "eval", "--config", str(setup)).out


def test_broken_rule_files_keep_nobody_from_asking_why(terminal, setup):
    setup.with_name("rules.yaml").write_text("version: 1\nrules: [")
    ran = terminal("explain", "daily-loss", "eval", "--config", str(setup))
    assert ran.code == 0
    assert "haltline check" in ran.out


def test_a_rule_that_stands_in_the_files_only_is_not_called_unknown(terminal, setup):
    setup.with_name("rules.yaml").write_text(RULES.replace("LIMIT", "700").replace("daily-loss", "new-loss"))
    ran = terminal("explain", "new-loss", "eval", "--config", str(setup))
    assert ran.code == 1
    assert "was not in force" in ran.err and "haltline reload" in ran.err


def test_a_journal_that_keeps_no_rules_is_explained_by_the_files_and_says_so(terminal, setup):
    _without_rules(setup.with_name("haltline.db"), setup.with_name("old.db"))
    setup.write_text(f"{SETUP}store: {{path: old.db}}\n")
    said = terminal("explain", "daily-loss", "eval", "--json", "--config", str(setup)).json
    assert (said["threshold"], said["rules"]) == (700.0, "files")
    assert "does not keep rules" in terminal("explain", "daily-loss", "eval", "--config", str(setup)).out


def _without_rules(path: Path, other: Path) -> None:
    """The events of a journal alone, as versions wrote them that kept no rules."""
    with Journal.read(path) as source, Journal.open(other) as target:
        events = source.iterate(kinds=[RecordKind.EVENT])
        target.append([Entry(each.kind, each.at, each.body) for each in events])
