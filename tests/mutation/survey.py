"""Where tests come by: the lines of our modules that each test executes, seen from within one pytest session."""

import os
import resource
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from source import function_of, functions_of, tree_of

MOST_MEMORY = 6 << 30
LONGEST_TEST_S = 120
"""A test that takes longer while nothing is wrong hangs: the survey ends and says which one it is."""


class Visit(msgspec.Struct):
    """What one test does while nothing is wrong: how much of the processor it takes, because what it takes on the wall
    depends on what else the machine does, and the lines of each module it comes by.
    """

    seconds: float
    lines: dict[str, list[int]]


def be_child(folder: str) -> None:
    """Be a child: silent, with temporary folders of its own, and bounded."""
    os.environ["PYTEST_DEBUG_TEMPROOT"] = folder
    quiet = os.open(os.devnull, os.O_RDWR)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


class Reports:
    """Hears how each test ended."""

    def __init__(self) -> None:
        self.failed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One phase of a test has ended."""
        self.failed |= report.failed


def survey(session: pytest.Session, modules: frozenset[str], jobs: int) -> dict[str, Visit]:
    """Run every test once, in as many processes as there are jobs, and note the lines of the modules it comes by."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        files = sorted({item.path for item in session.items})
        jobs = min(jobs, len(files))
        pids = []
        for job in range(jobs):
            mine = set(files[job::jobs])
            if pid := os.fork():
                pids.append(pid)
                continue
            try:
                be_child(folder)
                begun = Path(folder, f"{job}.begun")
                found = _visits([item for item in session.items if item.path in mine], modules, begun)
                Path(folder, f"{job}.json").write_bytes(msgspec.json.encode(found))
            finally:
                os._exit(0)
        for pid in pids:
            os.waitpid(pid, 0)
        found = {}
        for job in range(jobs):
            answer = Path(folder, f"{job}.json")
            if not answer.exists():
                raise SystemExit(f"the survey died in {Path(folder, f'{job}.begun').read_text('utf-8')}")
            found |= msgspec.json.decode(answer.read_bytes(), type=dict[str, Visit])
        return found


def _visits(items: Sequence[pytest.Item], modules: frozenset[str], begun_file: Path) -> dict[str, Visit]:
    """Tests that fail by themselves are left out: they would kill everything. The one that runs is named in a file."""
    monitoring, tool = sys.monitoring, sys.monitoring.PROFILER_ID
    hits: set[tuple[str, int]] = set()
    names: dict[CodeType, str] = {}

    def on_line(code: CodeType, line: int) -> object:
        hits.add((names[code], line))
        return monitoring.DISABLE

    monitoring.use_tool_id(tool, "mutation")
    monitoring.register_callback(tool, monitoring.events.LINE, on_line)
    for module in modules:
        for code in _codes(module):
            names[code] = module
            monitoring.set_local_events(tool, code, monitoring.events.LINE)
    reports, found = Reports(), {}
    items[0].config.pluginmanager.register(reports)
    for item, following in zip(items, [*items[1:], None], strict=True):
        begun_file.write_text(item.nodeid, "utf-8")
        signal.alarm(LONGEST_TEST_S)
        hits.clear()
        monitoring.restart_events()
        reports.failed, begun = False, time.process_time()
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if hits and not reports.failed:
            lines: dict[str, list[int]] = defaultdict(list)
            for module, line in hits:
                lines[module].append(line)
            found[item.nodeid] = Visit(time.process_time() - begun, dict(lines))
    signal.alarm(0)
    return found


def _codes(module: str) -> Iterator[CodeType]:
    for name, _ in functions_of(tree_of(module)):
        yield from _nested(function_of(module, name).__code__)


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _nested(each)
