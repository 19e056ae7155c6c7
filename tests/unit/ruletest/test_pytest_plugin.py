"""pytest collects `*.test.yaml`: one item a test, failing with the report and without a stack trace."""

import subprocess
import sys

import pytest

GOOD = """\
accounts: {eval: {}}
at: 2025-05-06T09:30:00Z
book: [{id: a, each: account, when: account.open_positions > 0, then: [notify]}]
tests:
  - name: quiet
    steps: [{after: 1s, expect: {rule: a, entity: eval, state: ok}}]
  - name: wrong
    steps: [{after: 1s, expect: {rule: a, entity: eval, state: breached}}]
"""


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rules")
    (folder / "good.test.yaml").write_text(GOOD)
    (folder / "bad.test.yaml").write_text(GOOD.replace("open_positions", "open_position"))
    (folder / "other.yaml").write_text("a: 1")
    options = ["-q", "-c", "/dev/null", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
    command = [sys.executable, "-m", "pytest", *options, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder).stdout


def test_each_test_is_an_item(output):
    assert "1 failed, 1 passed, 1 error" in output


def test_a_failure_is_the_report(output):
    assert "good.test.yaml:8:" in output
    assert "state  expected breached, was ok" in output


def test_a_file_that_cannot_be_loaded_is_told_with_its_problems(output):
    assert "unknown field 'account.open_position'; did you mean 'account.open_positions'? [E305]" in output


def test_there_is_no_stack_trace(output):
    assert "Traceback" not in output


def test_the_plugin_imports_nothing_of_the_engine_until_it_is_needed():
    code = (
        "import sys, haltline.testing.pytest_plugin;"
        "print([name for name in sys.modules if name.startswith(('haltline.', 'pandas', 'msgspec'))])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "['haltline.testing', 'haltline.testing.pytest_plugin']"
