"""Reports for people, programs, code reviews and CI servers."""

import json
from xml.etree import ElementTree

import pytest

from haltline.ruletest.report import render

FAILING = """\
tests:
  - name: quiet
    steps:
      - after: 1s
        expect: {rule: daily-loss, entity: eval, state: ok}
  - name: 'fails: <here> & now, 100%'
    steps:
      - after: 1s
        expect: {rule: daily-loss, entity: eval, state: breached}
"""


@pytest.fixture
def report(folder):
    return folder.run(FAILING)


def test_text_names_the_failed_test_its_place_both_sides_and_why(report):
    text = render(report)
    assert "a.test.yaml: 2 tests, 1 failed" in text
    assert "FAILED  fails: <here> & now, 100%" in text
    assert "a.test.yaml:24:17: rule daily-loss on eval" in text
    assert "state  expected breached, was ok" in text
    assert "account.day.loss = 0" in text
    assert text.endswith("1 passed, 1 failed in 1 file; case coverage 6 % of 3 rules")


def test_coverage_is_a_table_on_request(report):
    text = render(report, coverage=True)
    assert "rule        firing  quiet  boundary  unknown  restart  never seen" in text
    assert "daily-loss  -       yes    -         -        -        warning" in text


def test_json_is_the_whole_report(report):
    found = json.loads(render(report, "json"))
    assert (found["passed"], found["tests"], found["failed"]) == (False, 2, 1)
    failure = found["files"][0]["tests"][1]["failures"][0]
    assert failure["mismatches"] == [{"subject": "state", "expected": "breached", "actual": "ok"}]
    assert {rule["rule"] for rule in found["coverage"]} == {"daily-loss", "size", "seen"}


def test_junit_is_well_formed_and_counts(report):
    root = ElementTree.fromstring(render(report, "junit"))
    suite = root[0]
    assert (root.get("tests"), root.get("failures"), suite.get("failures")) == ("2", "1", "1")
    assert suite[1].get("name") == "fails: <here> & now, 100%"
    assert "expected breached, was ok" in (suite[1][0].text or "")


def test_github_annotates_the_line(report):
    (line,) = render(report, "github").splitlines()
    assert line.startswith("::error file=")
    assert ",line=24,col=17,title=fails%3A <here> & now%2C 100%25::" in line
    assert "%0A" in line


@pytest.mark.parametrize("style", ["text", "json", "github", "junit"])
def test_a_file_that_cannot_be_loaded_fails_in_every_form(folder, style):
    report = folder.run("tests: [{name: a, steps: [{afterr: 1s}]}]\n")
    assert not report.passed
    assert report.failed_count == 1
    assert "E280" in render(report, style)


def test_no_tests_at_all_is_said(folder):
    from haltline.ruletest.run import run_files

    assert render(run_files([folder.path], folder.registry)) == "no tests were found"


def test_hidden_folders_are_not_searched(folder):
    from haltline.ruletest.run import find_files

    hidden = folder.path / ".cache"
    hidden.mkdir()
    (hidden / "x.test.yaml").write_text("")
    shown = folder.write(FAILING)
    assert find_files([folder.path, shown]) == [shown]
