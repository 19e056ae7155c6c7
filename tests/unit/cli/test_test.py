"""`haltline test`."""

import xml.etree.ElementTree as ET

import pytest


@pytest.fixture
def desk(terminal, tmp_path):
    terminal("init", str(tmp_path))
    return tmp_path


def fail(desk):
    path = desk / "rules" / "account.test.yaml"
    path.write_text(path.read_text().replace("state: warning", "state: ok"))


def test_a_failure_says_what_was_expected_and_what_was(terminal, desk):
    fail(desk)
    ran = terminal("test", str(desk))
    assert ran.code == 1
    assert "expected ok, was warning" in ran.out
    assert "1 passed, 1 failed" in ran.out


def test_a_pattern_chooses_tests(terminal, desk):
    assert terminal("test", str(desk), "--run", "sixth", "--json").json["tests"] == 1


def test_coverage_shows_what_was_never_seen(terminal, desk):
    assert "never seen" in terminal("test", str(desk), "--coverage").out


def test_json_counts_tests(terminal, desk):
    found = terminal("test", str(desk), "--json").json
    assert (found["passed"], found["tests"], found["failed"]) == (True, 2, 0)


def test_junit_and_github_name_the_failure(terminal, desk):
    fail(desk)
    assert ET.fromstring(terminal("test", str(desk), "--format", "junit").out).get("failures") == "1"
    assert "::error file=" in terminal("test", str(desk), "--format", "github").out


def test_no_tests_are_no_success(terminal, tmp_path):
    ran = terminal("test", str(tmp_path))
    assert ran.code == 1
    assert "no tests were found" in ran.out
