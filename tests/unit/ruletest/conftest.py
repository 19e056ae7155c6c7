"""Test files written by tests."""

from pathlib import Path
from textwrap import dedent

import pytest

from haltline.plugins.load import load_plugins
from haltline.ruletest.run import run_files

RULES = """\
accounts: {eval: {balance: 50000}}
stale_after: 1h
at: 2025-05-06T09:30:00-04:00
book:
  - id: daily-loss
    each: account
    limit: {value: account.day.loss, at: 1000, warn: 80%}
    then: [block_entries, flatten, {lock: {until: reset}}, notify]
    latch: session
    severity: critical
  - id: size
    each: position
    limit: {value: abs(position.quantity), max: 5}
    then: [{reduce_to: {quantity: 5}}]
  - {id: seen, each: account, when: account.open_positions > 0, then: [notify], latch: ack}
"""


@pytest.fixture(scope="session")
def registry():
    """The built-in plugins and installed packs."""
    return load_plugins().registry


class Folder:
    """Writes test files and runs them."""

    def __init__(self, path: Path, registry) -> None:
        self.path = path
        self.registry = registry

    def write(self, text: str, *, name: str = "a.test.yaml", head: str = RULES) -> Path:
        path = self.path / name
        path.write_text(head + dedent(text), encoding="utf-8")
        return path

    def run(self, text: str, *, head: str = RULES, pattern: str | None = None):
        return run_files([self.write(text, head=head)], self.registry, pattern=pattern)

    def problems(self, text: str, *, head: str = RULES) -> list[str]:
        """What is wrong with a file, as ``line code what``."""
        (file,) = self.run(text, head=head).files
        return [f"{problem.place.line} {problem.code} {problem.what}" for problem in file.problems]

    def failures(self, text: str, *, head: str = RULES) -> list[str]:
        """Every mismatch, as ``subject expected actual``."""
        report = self.run(text, head=head)
        assert not report.files[0].problems, report.files[0].problems
        return [
            f"{item.subject}: {item.expected} / {item.actual}"
            for case in report.files[0].cases
            for failure in case.failures
            for item in failure.mismatches
        ]

    def steps(self, *steps: str) -> list[str]:
        """The mismatches of one test made of these steps."""
        lines = "".join(f"      {step}\n" for step in steps)
        return self.failures(f"tests:\n  - name: t\n    steps:\n{lines}")


@pytest.fixture
def folder(tmp_path, registry):
    """A folder of test files."""
    return Folder(tmp_path, registry)
