"""`haltline explain`, where no journal is needed."""

from haltline.errors import CODES


def test_every_code_can_be_explained(terminal):
    for code, entry in CODES.items():
        assert terminal("explain", code, "--json").json["title"] == entry.title


def test_a_code_may_be_typed_small(terminal):
    assert "E201" in terminal("explain", "e201").out


def test_a_field_is_explained_with_its_unit(terminal):
    out = terminal("explain", "account.day.loss").out
    assert "in the account's currency" in out


def test_an_action_is_explained_with_its_parameters(terminal):
    (entry,) = terminal("explain", "reduce_to", "--json").json["entries"]
    assert entry["sort"] == "action"
    assert entry["parameters"]


def test_an_unknown_name_gets_a_suggestion(terminal):
    ran = terminal("explain", "acount.day.loss")
    assert ran.code == 1
    assert "did you mean 'account.day.loss'" in ran.err
    assert "[E903]" in ran.err


def test_a_rule_without_a_journal_says_what_to_start(terminal, tmp_path):
    terminal("init", str(tmp_path))
    ran = terminal("explain", "daily-loss", "eval", "--config", str(tmp_path / "haltline.yaml"))
    assert ran.code == 1
    assert "haltline run" in ran.err
