"""`haltline arming`: what is guaranteed, by what, and what is not covered."""

import pytest

SETUP = """version: 1
accounts: {eval: {broker: paper, balance: 50000, mode: live}, main: {broker: paper, balance: 1000}}
instruments: {MNQ: {tick_size: 0.25, tick_value: 0.50, asset_class: future}}
store: {path: journal.db}
rules: [rules.yaml]
"""
RULES = """version: 1
rules:
  - {id: loss, each: account, limit: {value: account.day.loss, at: 500}, then: [flatten, notify]}
  - {id: new, each: account, when: account.locked, then: [block_entries], mode: shadow}
"""


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "haltline.yaml").write_text(SETUP)
    (tmp_path / "rules.yaml").write_text(RULES)
    return tmp_path


def test_every_account_is_listed_with_its_gaps(desk, terminal):
    ran = terminal("arming", "--plain")
    assert ran.code == 0
    assert "account eval at broker paper (paper), armed by the set-up" in ran.out
    assert "account main at broker paper (paper), in shadow" in ran.out
    assert "  ok loss, broken: flatten by cancel_orders" in ran.out
    assert "  -- new, broken: block_entries by Haltline itself" in ran.out
    assert "  not covered: shadow:new: rule new is in shadow" in ran.out


def test_one_account_as_data(desk, terminal):
    ran = terminal("arming", "eval", "--json")
    (listed,) = ran.json["accounts"]
    assert (listed["account"], listed["live"], listed["kind"]) == ("eval", True, "paper")
    assert {"rule", "when", "action", "meaning", "by", "missing", "acts"} == set(listed["guarantees"][0])
    assert "no-guardian" in {gap["code"] for gap in listed["gaps"]}


def test_an_account_that_is_not_there_is_named_with_those_that_are(desk, terminal):
    ran = terminal("arming", "other")
    assert ran.code == 1
    assert "there is no account 'other'; accounts: eval, main" in ran.err
