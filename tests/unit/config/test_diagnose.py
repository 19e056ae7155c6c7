"""Problems as text, JSON, annotations and JUnit."""

import json
from xml.etree import ElementTree

from haltline.config.diagnose import render, with_excerpts
from haltline.errors import Place, Problem

PROBLEMS = [
    Problem(
        code="E201", place=Place(file="b,c.yaml", line=2, column=3), where="rule 'r'", what="unknown key 'x'\n100%",
        cure="did you mean 'y'?",
    ),
    Problem(code="E426", what="cannot <flatten>", severity="warning"),
]  # fmt: skip
SOURCES = {"b,c.yaml": "rules:\n  x: 1\n"}


def test_excerpts_are_added_and_problems_sorted_and_said_once() -> None:
    late = Problem(code="E999", what="later", place=Place(file="b,c.yaml", line=3))
    found = with_excerpts([late, *PROBLEMS, PROBLEMS[0]], SOURCES)
    assert [problem.code for problem in found] == ["E426", "E201", "E999"]
    assert found[1].excerpt == "  x: 1\n  ^"


def test_text_shows_the_line_with_a_caret_below_the_message() -> None:
    text = render(with_excerpts(PROBLEMS, SOURCES), "text")
    assert text == (
        "warning: cannot <flatten> [E426]\n"
        "b,c.yaml:2:3: rule 'r': unknown key 'x'\n100%; did you mean 'y'? [E201]\n      x: 1\n      ^"
    )


def test_a_long_line_is_cut_around_the_caret() -> None:
    line = "a" * 300 + "!" + "b" * 300
    [problem] = with_excerpts([Problem(code="E1", what="w", place=Place(file="f", column=301))], {"f": line})
    shown, caret = problem.excerpt.split("\n")
    assert shown[caret.index("^")] == "!"
    assert len(shown) <= 110


def test_json_has_one_record_a_problem() -> None:
    first, second = json.loads(render(PROBLEMS, "json"))
    assert (first["file"], first["line"], first["code"], first["severity"]) == ("b,c.yaml", 2, "E201", "error")
    assert second["file"] is None


def test_annotations_escape_what_github_would_read_as_its_own() -> None:
    assert render(PROBLEMS, "github").split("\n") == [
        "::error file=b%2Cc.yaml,line=2,col=3,title=E201::rule 'r': unknown key 'x'%0A100%25; did you mean 'y'?",
        "::warning title=E426::cannot <flatten>",
    ]


def test_junit_lists_good_files_too_and_is_well_formed() -> None:
    suite = ElementTree.fromstring(render(PROBLEMS, "junit", files=["a.yaml", "b,c.yaml"]))
    cases = {case.get("name"): len(case.findall("failure")) for case in suite}
    assert cases == {"a.yaml": 0, "b,c.yaml": 1, "set-up": 0}
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
