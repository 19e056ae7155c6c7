"""`haltline diff`: what changes, what would fire, and how it ends."""

import pytest

from haltline.clock import NS_PER_S, ManualClock
from haltline.model.event import Quote
from haltline.model.id import Symbol
from haltline.runtime.embed import Haltline

SETUP = """version: 1
accounts: {eval: {broker: paper, balance: 50000}}
instruments: {MNQ: {tick_size: 0.25, tick_value: 0.50, asset_class: future}}
store: {path: journal.db}
rules: [old.yaml]
"""
OLD = """version: 1
rules:
  - {id: busy, title: Busy, each: account, limit: {value: account.day.entries, at: 20}, then: [notify]}
  - {id: high, each: instrument, when: instrument.mark > 22000, then: [notify]}
"""


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "haltline.yaml").write_text(SETUP)
    (tmp_path / "old.yaml").write_text(OLD)
    return tmp_path


def edited(desk, old, new, text=OLD):
    assert old in text
    (desk / "new.yaml").write_text(text.replace(old, new))


def test_the_same_behaviour_ends_with_0(desk, terminal):
    edited(desk, "title: Busy", "title: Too busy")
    ran = terminal("diff", "old.yaml", "new.yaml")
    assert ran.code == 0
    assert "~ busy: changed (only words; decides as before)\n    title: Busy → Too busy" in ran.out
    assert ran.out.endswith("same behaviour\n")


def test_other_behaviour_ends_with_1_and_names_the_keys(desk, terminal):
    edited(desk, "at: 20", "at: 10")
    ran = terminal("diff", "old.yaml", "new.yaml")
    assert ran.code == 1
    assert "    limit.at: 20 → 10\n= unchanged: high\nbehaviour differs\n" in ran.out


def test_rules_that_come_and_go(desk, terminal):
    edited(desk, "id: busy", "id: busier")
    found = terminal("diff", "old.yaml", "new.yaml", "--json").json
    assert (found["added"], found["removed"], found["same_behaviour"]) == (["busier"], ["busy"], False)


def test_a_whole_set_up_is_compared_with_its_rules_and_accounts(desk, terminal):
    (desk / "edited").mkdir()
    (desk / "edited" / "haltline.yaml").write_text(SETUP.replace("50000", "60000"))
    (desk / "edited" / "old.yaml").write_text(OLD)
    ran = terminal("diff", "haltline.yaml", "edited")
    assert ran.code == 1
    assert "account 'eval' was changed (a running engine applies it at a restart)" in ran.out


def test_a_file_with_problems_is_told_with_all_of_both(desk, terminal):
    edited(desk, "account.day.entries", "account.day.entires")
    (desk / "worse.yaml").write_text("rules: 3")
    ran = terminal("diff", "new.yaml", "worse.yaml")
    assert ran.code == 1
    assert "account.day.entries" in ran.err
    assert "worse.yaml:1:" in ran.err


async def test_at_a_journal_it_tells_what_would_fire_and_end(desk, terminal):
    clock = ManualClock(1_746_500_000 * NS_PER_S)
    async with Haltline.open("haltline.yaml", clock=clock, environ={}) as engine:
        now = clock.now()
        engine.put(Quote(at=now, received_at=now, symbol=Symbol("MNQ"), mark=22_100.0))
        await engine.until_idle()
    edited(desk, "at: 20", "down_to: 3", OLD.replace("22000", "23000"))
    ran = terminal("diff", "old.yaml", "new.yaml", "--at", "journal.db")
    assert ran.code == 1
    assert "fires busy on eval: 0 of 3" in ran.out
    assert "ends high on MNQ" in ran.out
    assert "would do notify eval" in ran.out
    found = terminal("diff", "old.yaml", "new.yaml", "--at", "journal.db", "--json").json
    assert ("busy", "breached") in [(each["rule"], each["phase"]) for each in found["transitions"]]
    assert ran.out.count("high on") == 1, "what was unknown and stays unknown is no news"
    assert terminal("diff", "old.yaml", "old.yaml", "--at", "journal.db").out.count("nothing fires") == 1


def test_a_journal_that_is_not_there_is_told(desk, terminal):
    ran = terminal("diff", "old.yaml", "old.yaml", "--at", "nowhere.db")
    assert ran.code == 1
    assert "nowhere.db" in ran.err


@pytest.mark.parametrize(
    ("policy", "applies"),
    [
        ("at_once", "at once"),
        ("next_session", "at the next session"),
        ("second_operator", "once a second operator agrees"),
        ("both", "at the next session, or once a second operator agrees"),
    ],
)
def test_which_way_a_change_goes_and_when_it_counts(desk, terminal, policy, applies):
    (desk / "haltline.yaml").write_text(SETUP + f"loosening: {policy}\n")
    edited(desk, "at: 20", "at: 30")
    ran = terminal("diff", "old.yaml", "new.yaml")
    assert f"~ busy: changed (loosens; counts {applies})" in ran.out


def test_what_tightens_counts_at_once_and_what_cannot_be_compared_may_loosen(desk, terminal):
    (desk / "haltline.yaml").write_text(SETUP + "loosening: next_session\n")
    edited(desk, "mark > 22000", "mark > 21000", OLD.replace("at: 20", "at: 10"))
    ran = terminal("diff", "old.yaml", "new.yaml")
    assert "~ busy: changed (tightens; counts at once)" in ran.out
    assert "~ high: changed (may loosen: not shown to be as strict; counts at the next session)" in ran.out


def test_rules_that_come_tighten_and_rules_that_go_loosen(desk, terminal):
    (desk / "haltline.yaml").write_text(SETUP + "loosening: next_session\n")
    edited(desk, "id: busy", "id: busier")
    ran = terminal("diff", "old.yaml", "new.yaml")
    assert "+ busier: added (tightens; counts at once)" in ran.out
    assert "- busy: removed (loosens; counts at the next session)" in ran.out


def test_the_policy_of_a_rule_is_seen_and_taking_it_away_is_no_matter_of_words(desk, terminal):
    own = OLD.replace("title: Busy", "title: Busy, loosening: second_operator")
    (desk / "old.yaml").write_text(own)
    (desk / "new.yaml").write_text(OLD)
    ran = terminal("diff", "old.yaml", "new.yaml")
    assert "~ busy: changed (loosens; counts once a second operator agrees)" in ran.out
    assert "    loosening: second_operator → nothing" in ran.out


def test_directions_are_data_too(desk, terminal):
    edited(desk, "at: 20", "at: 30")
    ran = terminal("diff", "old.yaml", "new.yaml", "--json")
    assert ran.json["ways"] == {"busy": {"direction": "loosens", "applies": "at once"}}
