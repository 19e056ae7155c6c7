"""Runs tests on mutants, as a plugin of one pytest session: tests are collected once, each mutant gets a process.

A child is forked after collection, puts the mutant's code into the function that is loaded already, and runs the tests
that came by its line, cheapest first, until one fails. So a mutant costs no import and no collection. What stays in a
child dies with it. A test that takes far longer than it did is ended by the alarm, which counts as a failure.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType
from typing import NamedTuple

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from mutant import Mutant
from source import function_of
from survey import Reports, Visit, be_child, survey

SHORTEST_ALARM_S = 4.0
SHORTEST_HANG_S = 30.0
PATIENCE = 20
"""A test may take so many times as long as without a mutant, on the processor; what waits, on the wall as well."""
LONGEST_MUTANT_S = 240.0
"""The test that runs when a mutant's process is so old has hung, or nearly: it counts as the one that noticed."""
LONGEST_TESTS_S = 12.0
"""Of the tests that come by a line, so many seconds' worth are run: a mutant that outlives these counts as alive."""
LONGEST_TEST_S = 2.0
"""What takes longer is left out: a property tried on hundreds of examples kills, but it does not say why."""


class Outcome(msgspec.Struct):
    """What became of a mutant: `by` is the test that failed; empty where none did, and `tests` is how many were run."""

    by: str = ""
    tests: int = 0

    @property
    def survived(self) -> bool:
        """Whether no test noticed."""
        return not self.by


class Kid(NamedTuple):
    """A process that runs one mutant."""

    mutant: Mutant
    answer: int
    folder: str


@dataclass
class Hunt:
    """The plugin. `on_end` is told of each mutant's end; where `visits` is empty it is filled first, and told."""

    mutants: Sequence[Mutant]
    on_end: Callable[[Mutant, Outcome], None]
    on_survey: Callable[[dict[str, Visit]], None]
    jobs: int = 2
    visits: dict[str, Visit] = field(default_factory=dict)
    modules: frozenset[str] = frozenset()
    kills: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of running the tests: see where they come by, then hunt."""
        if not self.visits:
            self.visits.update(survey(session, self.modules, self.jobs))
            self.on_survey(self.visits)
        items = {item.nodeid: item for item in session.items}
        kids: dict[int, Kid] = {}
        waiting = list(reversed(self.mutants))
        while waiting or kids:
            while waiting and len(kids) < self.jobs:
                self._begin(waiting.pop(), items, kids)
            if kids:
                pid, status = os.wait()
                self._end(kids.pop(pid), status)
        return True

    def tests_of(self, mutant: Mutant) -> list[str]:
        """The tests that come by its line: what has killed in its function before, then the cheapest."""
        kills = self.kills[f"{mutant.module}::{mutant.function}"]
        found = [
            name
            for name, visit in self.visits.items()
            if visit.seconds < LONGEST_TEST_S and not set(mutant.lines).isdisjoint(visit.lines.get(mutant.module, ()))
        ]
        found.sort(key=lambda name: (-kills[name], self.visits[name].seconds))
        return list(_within(found, lambda name: self.visits[name].seconds))

    def _begin(self, mutant: Mutant, items: dict[str, pytest.Item], kids: dict[int, Kid]) -> None:
        tests = [items[name] for name in self.tests_of(mutant) if name in items]
        if not tests:
            self.on_end(mutant, Outcome())
            return
        answer, write = os.pipe()
        folder = tempfile.mkdtemp(prefix="mutant-")
        if pid := os.fork():
            os.close(write)
            kids[pid] = Kid(mutant, answer, folder)
            return
        try:
            be_child(folder)
            patch(mutant.module, mutant.function, mutant.code())
            by, count = first_failure(tests, lambda name: self.visits[name].seconds, write)
            os.write(write, (json.dumps({"by": by, "tests": count}) + "\n").encode())
        except ValueError as refused:
            os.write(write, (json.dumps({"by": f"(Python refuses it: {refused})"}) + "\n").encode())
        finally:
            os._exit(0)

    def _end(self, kid: Kid, status: int) -> None:
        with os.fdopen(kid.answer) as pipe:
            said = [json.loads(line) for line in pipe.read().splitlines()]
        shutil.rmtree(kid.folder, ignore_errors=True)
        last = said[-1] if said else {}
        if "begun" in last:  # it died in the middle of a test: the alarm, or the test ended the process
            outcome = Outcome(by=last["begun"])
        elif last:
            outcome = msgspec.convert(last, Outcome)
        else:
            outcome = Outcome(by=f"(the process ended with {status})")
        if outcome.by in self.visits:
            self.kills[f"{kid.mutant.module}::{kid.mutant.function}"][outcome.by] += 1
        self.on_end(kid.mutant, outcome)


def _within(names: Sequence[str], seconds: Callable[[str], float]) -> Iterator[str]:
    spent = 0.0
    for name in names:
        spent += seconds(name)
        if spent > LONGEST_TESTS_S:
            return
        yield name


def first_failure(tests: Sequence[pytest.Item], seconds: Callable[[str], float], write: int) -> tuple[str, int]:
    """Run the tests until one fails; its name, and how many were run. Each is announced before it begins."""
    reports = Reports()
    tests[0].config.pluginmanager.register(reports)
    end = time.monotonic() + LONGEST_MUTANT_S
    for count, (item, following) in enumerate(zip(tests, [*tests[1:], None], strict=True), 1):
        os.write(write, (json.dumps({"begun": item.nodeid}) + "\n").encode())
        longest_s = PATIENCE * seconds(item.nodeid)
        signal.setitimer(signal.ITIMER_VIRTUAL, max(SHORTEST_ALARM_S, longest_s))
        left_s = max(1.0, end - time.monotonic())
        signal.setitimer(signal.ITIMER_REAL, min(left_s, max(SHORTEST_HANG_S, longest_s)))
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if reports.failed:
            return item.nodeid, count
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return "", len(tests)


def patch(module: str, function: str, code: CodeType) -> None:
    """Let a loaded function run that code; raises ValueError where it does not fit its closure."""
    function_of(module, function).__code__ = code
