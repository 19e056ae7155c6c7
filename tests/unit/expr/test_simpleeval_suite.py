"""Every expression that simpleeval's own published tests expect to be refused is refused here too, by both evaluators.

The tests come from simpleeval's source archive on the package index, in the installed version. They are run as they
are, on simpleeval itself, in a process of their own that writes down each expression that raised.
"""

import ast
import importlib.metadata
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from simpleeval import InvalidExpression  # type: ignore[import-untyped]  # it ships no types

from haltline.errors import Problem
from haltline.expr.check import check
from haltline.expr.compile import compile_value
from haltline.expr.explain import evaluate, evaluate_tree
from haltline.model.rule import Scope

RECORDER = """
import json, sys, unittest, warnings
import simpleeval

warnings.simplefilter("ignore")
raised = []
original = simpleeval.SimpleEval.eval

def recording(self, expr, previously_parsed=None):
    try:
        return original(self, expr, previously_parsed)
    except Exception:
        if isinstance(expr, str):
            raised.append(expr)
        raise

simpleeval.SimpleEval.eval = recording
names = ["tests." + path for path in sys.argv[1:]]
result = unittest.TestResult()
unittest.defaultTestLoader.loadTestsFromNames(names).run(result)
print(json.dumps({"ran": result.testsRun, "failed": len(result.failures) + len(result.errors), "raised": raised}))
"""
MODULES = (
    "test_security", "test_disallowed_functions", "test_allowed_attributes", "test_comprehensions",
    "test_deliberately_missed_features", "test_module_wrapper", "test_names", "test_basics", "test_compound_types",
)  # fmt: skip


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("simpleeval")
    version = importlib.metadata.version("simpleeval")
    wanted = ["--no-binary", ":all:", "--no-deps", "--no-build-isolation", f"simpleeval=={version}"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder), *wanted]
    try:
        fetched = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("the package index did not answer within 90 s, so simpleeval's tests are not at hand")
    archives = list(folder.glob("*.tar.gz"))
    if not archives:
        reason = (fetched.stderr.strip().splitlines() or ["no word from pip"])[-1]
        pytest.skip(f"simpleeval's source archive cannot be fetched: {reason}")
    with tarfile.open(archives[0]) as archive:
        archive.extractall(folder, filter="data")
    return _run(folder / f"simpleeval-{version}")


def _run(sources: Path) -> dict[str, Any]:
    command = [sys.executable, "-c", RECORDER, *MODULES]
    run = subprocess.run(command, cwd=sources, capture_output=True, text=True, timeout=120, check=True)
    outcome: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return outcome


def test_the_published_tests_ran_and_hold_for_simpleeval_itself(recorded: dict[str, Any]) -> None:
    assert recorded["ran"] > 60
    assert recorded["failed"] == 0
    assert len(recorded["raised"]) > 50


def test_the_checker_refuses_what_simpleeval_refuses_or_gives_a_plain_value(
    world: Any, recorded: dict[str, Any]
) -> None:
    for text in recorded["raised"]:
        problems: list[Problem] = []
        checked = check(text, scope=Scope.ACCOUNT, vocabulary=world.vocabulary, wants=None, problems=problems)
        if checked is None:
            assert problems, text
            continue
        value = compile_value(checked, world.bindings)(world.account)
        assert type(value) in (float, str, bool, type(None)), text
        assert repr(value) == repr(evaluate(checked, world.account, world.bindings)), text


def test_the_explaining_evaluator_walks_no_python_tree_at_all(recorded: dict[str, Any]) -> None:
    refused = 0
    for text in recorded["raised"]:
        try:
            tree: Any = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError):
            continue
        with pytest.raises(InvalidExpression):
            evaluate_tree(tree, None, {})
        refused += 1
    assert refused > 40
