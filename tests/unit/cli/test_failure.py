"""What a person is told when something goes wrong."""

import json
import os
from pathlib import Path

import pytest

from haltline.cli.failure import problems_of, report_failure
from haltline.cli.option import WANTS_JSON
from haltline.errors import CODES, ConfigError, EngineError, Problem


def test_problems_of_a_config_error_are_kept():
    problem = Problem(code="E201", what="x")
    assert problems_of(ConfigError([problem])) == [problem]


def test_a_code_at_the_end_of_a_sentence_is_recognised():
    assert problems_of(EngineError("no rule 'x' [E461]")) == [Problem(code="E461", what="no rule 'x'")]


def test_a_sentence_without_a_code_gets_one():
    assert problems_of(EngineError("no"))[0].code == "E911"


def test_what_the_operating_system_refuses_names_the_file():
    problem = problems_of(PermissionError(13, "Permission denied", "x.yaml"))[0]
    assert problem.code == "E910"
    assert "x.yaml: Permission denied" in problem.what


def test_a_bug_is_one_sentence_that_says_how_to_report_it(capsys, monkeypatch):
    monkeypatch.delenv("HALTLINE_DEBUG", raising=False)
    assert report_failure(KeyError("x"), {}) == 1
    err = capsys.readouterr().err
    assert "HALTLINE_DEBUG=1" in err
    assert "Traceback" not in err
    assert len(err.splitlines()) == 1


def test_a_bug_leaves_a_trace_file_when_debugging(monkeypatch):
    monkeypatch.setenv("HALTLINE_DEBUG", "1")
    try:
        raise KeyError("x")
    except KeyError as error:
        problem = problems_of(error)[0]
    path = Path(problem.cure.rsplit(" ", 1)[-1])
    assert "Traceback" in path.read_text()
    os.unlink(path)


def test_with_json_the_problems_are_the_one_object_on_standard_output(capsys):
    report_failure(ConfigError([Problem(code="E201", what="x")]), {WANTS_JSON: True})
    captured = capsys.readouterr()
    assert json.loads(captured.out)["problems"][0]["code"] == "E201"
    assert captured.err == ""


@pytest.mark.parametrize("code", ["E901", "E902", "E903", "E904", "E905", "E907", "E908", "E910", "E911", "E999"])
def test_every_code_of_the_command_line_is_in_the_table(code):
    assert CODES[code].cure
