"""What the shell offers at Tab."""

from haltline.cli.completion import accounts, names


def test_fields_functions_and_codes_are_offered():
    offered = {name for name, _ in names("")}
    assert {"account.day.loss", "max_over", "E201"} <= offered


def test_only_what_begins_so_is_offered():
    assert {name for name, _ in names("account.day.lo")} == {"account.day.loss"}


def test_rules_and_accounts_of_the_set_up_here_are_offered(terminal, tmp_path, monkeypatch):
    terminal("init", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert "daily-loss" in {name for name, _ in names("dai")}
    assert accounts("e") == [("eval", "account at paper")]


def test_without_a_set_up_there_are_no_accounts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert accounts("") == []


def test_a_broken_set_up_breaks_nothing(tmp_path, monkeypatch):
    (tmp_path / "haltline.yaml").write_text("a: [")
    monkeypatch.chdir(tmp_path)
    assert accounts("") == []
    assert names("E201") == [("E201", names("E201")[0][1])]
