"""`haltline check`."""

import xml.etree.ElementTree as ET

import pytest

BAD = """\
version: 1
rules:
  - id: daily-loss
    each: account
    limit: {value: acount.day.loss, at: 1000}
    then: [notify]
"""


@pytest.fixture
def bad_rules(tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text(BAD)
    return path


def test_a_problem_has_place_cure_code_and_caret(terminal, bad_rules):
    ran = terminal("check", str(bad_rules))
    assert ran.code == 1
    first, source, caret, summary = ran.out.splitlines()
    assert first.startswith(f"{bad_rules}:5:")
    assert "did you mean" in first
    assert first.endswith("[E305]")
    assert source.strip() == "limit: {value: acount.day.loss, at: 1000}"
    assert source.index("acount") == caret.index("^")
    assert summary == "1 problem in 1 file"


def test_json_is_one_object_with_flat_problems(terminal, bad_rules):
    found = terminal("check", "--json", str(bad_rules)).json
    assert found["ok"] is False
    assert found["files"] == 1
    (problem,) = found["problems"]
    assert (problem["line"], problem["code"], problem["severity"]) == (5, "E305", "error")


def test_the_json_format_is_the_json_option(terminal, bad_rules):
    assert (
        terminal("check", "--format", "json", str(bad_rules)).json == terminal("check", "--json", str(bad_rules)).json
    )


def test_github_gets_annotations(terminal, bad_rules):
    ran = terminal("check", "--format", "github", str(bad_rules))
    assert ran.code == 1
    assert ran.out.startswith("::error file=")


def test_junit_is_xml_that_counts_the_failure(terminal, bad_rules):
    suite = ET.fromstring(terminal("check", "--format", "junit", str(bad_rules)).out)
    assert suite.get("failures") == "1"


def test_a_path_that_does_not_exist_is_named(terminal, tmp_path):
    ran = terminal("check", str(tmp_path / "nowhere"))
    assert ran.code == 1
    assert "[E904]" in ran.err


def test_a_rule_test_with_a_mistake_is_a_problem(terminal, tmp_path):
    (tmp_path / "rules.yaml").write_text(BAD.replace("acount", "account"))
    (tmp_path / "a.test.yaml").write_text("rules: [rules.yaml]\ntests:\n  - {nam: x, steps: []}\n")
    ran = terminal("check", str(tmp_path))
    assert ran.code == 1
    assert "a.test.yaml:3" in ran.out


def test_this_folder_is_the_default(terminal, tmp_path, monkeypatch, bad_rules):
    monkeypatch.chdir(tmp_path)
    assert terminal("check").out.startswith("rules.yaml:5:")


def test_a_set_up_that_names_a_missing_plugin_is_a_problem_not_a_crash(terminal, tmp_path):
    (tmp_path / "haltline.yaml").write_text("version: 1\nplugins: [{name: broker_nowhere, required: true}]\n")
    ran = terminal("check", str(tmp_path))
    assert ran.code == 1
    assert "broker_nowhere" in ran.out + ran.err


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"", b"a: [", b"[]", b"rules: 5", b"\x00", b"rules: {a: &a [*a]}"]
)
def test_no_content_makes_a_traceback(terminal, tmp_path, content):
    (tmp_path / "x.yaml").write_bytes(content)
    ran = terminal("check", str(tmp_path))
    assert ran.code == 1
    assert "Traceback" not in ran.out + ran.err
    assert "E999" not in ran.out + ran.err
