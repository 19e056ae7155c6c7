"""`haltline fields`, `schema`, `plugins`: what there is."""

import json


def test_fields_can_be_searched_by_words(terminal):
    out = terminal("fields", "drawdown", "fraction").out
    assert "account.drawdown_fraction" in out
    assert "account.balance" not in out


def test_fields_can_be_limited_to_a_sort(terminal):
    entries = terminal("fields", "--sort", "action", "--json").json["entries"]
    assert {"flatten", "lock", "notify"} <= {entry["name"] for entry in entries}
    assert {entry["sort"] for entry in entries} == {"action"}


def test_a_search_without_result_fails(terminal):
    ran = terminal("fields", "no such thing")
    assert ran.code == 1
    assert "haltline fields" in ran.out


def test_the_schema_is_valid_json_and_knows_the_actions(terminal):
    out = terminal("schema", "--json").out
    assert json.loads(out)["$schema"].startswith("https://json-schema.org/draft/2020-12")
    assert "flatten" in out


def test_the_schema_can_be_written_to_a_file(terminal, tmp_path):
    path = tmp_path / "s.json"
    assert terminal("schema", "-o", str(path)).code == 0
    assert json.loads(path.read_text())["type"] == "object"


def test_the_built_ins_and_the_starter_pack_are_listed(terminal):
    listed = {plugin["name"]: plugin for plugin in terminal("plugins", "--json").json["plugins"]}
    assert listed["builtins"]["status"] == "ok"
    assert "broker paper" in listed["builtins"]["provides"]
    assert listed["starter"]["status"] == "ok"


def test_a_named_set_up_must_exist(terminal):
    ran = terminal("plugins", "--config", "nowhere.yaml")
    assert ran.code == 1
    assert "[E904]" in ran.err
