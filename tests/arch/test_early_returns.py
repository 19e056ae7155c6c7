"""Every early way out of a function in `rules`, `kernel` and `enforce` has a test with its name on it.

An *early way out* is an `if`, an `except` or a `case` whose last statement is a return, continue, break or raise.
`early_returns.txt` names, for each of them, one test that is seen to take it: the one that does least besides. The file
is data made by a run, because a name in a hand-kept list would only claim it:

    uv run python tests/arch/test_early_returns.py          runs the unit tests, and writes the file anew

It keeps names that are still true, and ends with an error that lists what no test takes: write that test, then run it
again. Here the file is compared with the code and with the tests there are, without running any; the long test runs the
named ones and sees that they still take what they are named for.
"""

import ast
import contextlib
import io
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "mutation"))

from source import PACKAGE, functions_of, tree_of
from survey import Visit, survey

ROOT = Path(__file__).parents[2]
REGISTRY = Path(__file__).with_name("early_returns.txt")
PACKAGES = ("rules", "kernel", "enforce")
TESTS = ("rules", "kernel", "enforce", "runtime", "builtins", "control", "operate")
_EXITS = (ast.Return, ast.Continue, ast.Break, ast.Raise)


def test_every_early_return_of_rules_kernel_and_enforce_names_a_test() -> None:
    assert sorted(set(exits()) - set(registry())) == []


def test_no_early_return_is_named_that_is_not_there() -> None:
    assert sorted(set(registry()) - set(exits())) == []


def test_every_test_that_is_named_for_an_early_return_exists() -> None:
    missing = {test for test in registry().values() if not exists(test)}
    assert missing == set()


@pytest.mark.long
def test_every_named_test_takes_the_early_return_it_is_named_for() -> None:
    """Slow because it runs them all, in processes of their own."""
    named = registry()
    visits = visits_of(sorted({test.partition("[")[0] for test in named.values()}))
    lines = exits()
    assert [key for key, test in named.items() if test not in visits or not takes(visits[test], key, lines[key])] == []


def exits() -> dict[str, int]:
    """Every early way out, by its key, and the line of its last statement."""
    found: dict[str, int] = {}
    for module in modules():
        seen: Counter[str] = Counter()
        for name, function in functions_of(tree_of(module)):
            for way, last in _exits(function):
                text = f"{module}::{name}: {way}"
                seen[text] += 1
                found[text if seen[text] == 1 else f"{text} #{seen[text]}"] = last.lineno
    return found


def modules() -> list[str]:
    """The modules of the three packages."""
    files = sorted(file for package in PACKAGES for file in (PACKAGE / package).glob("*.py"))
    return [str(file.relative_to(PACKAGE)) for file in files if file.name != "__init__.py"]


def _exits(function: ast.AST) -> Iterator[tuple[str, ast.stmt]]:
    for node in ast.walk(function):
        if not isinstance(node, ast.If | ast.ExceptHandler | ast.match_case) or not isinstance(node.body[-1], _EXITS):
            continue
        match node:
            case ast.If(test=test):
                way = f"if {ast.unparse(test)}"
            case ast.ExceptHandler(type=kind):
                way = f"except {ast.unparse(kind) if kind else ''}"
            case _:
                way = f"case {ast.unparse(node.pattern)}"
        yield f"{' '.join(way.split())} -> {type(node.body[-1]).__name__.lower()}", node.body[-1]


def registry() -> dict[str, str]:
    """The file: the test that is named for each."""
    lines = REGISTRY.read_text("utf-8").splitlines()
    keys = [line for line in lines if line and not line.startswith("    ")]
    return dict(zip(keys, (line.strip() for line in lines if line.startswith("    ")), strict=True))


def exists(test: str) -> bool:
    """Whether there is a test of that name, whatever its parameters."""
    file, _, name = test.partition("[")[0].partition("::")
    path = ROOT / file
    return path.is_file() and f"def {name.rpartition('::')[2]}(" in path.read_text("utf-8")


def takes(visit: Visit, key: str, line: int) -> bool:
    """Whether a test came by that line."""
    return line in visit.lines.get(key.partition("::")[0], ())


@dataclass
class Survey:
    """Instead of running the tests: sees where they come by."""

    visits: dict[str, Visit] = field(default_factory=dict)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """One process for each processor, each with some of the files."""
        self.visits.update(survey(session, frozenset(modules()), os.cpu_count() or 1))
        return True


def visits_of(tests: list[str]) -> dict[str, Visit]:
    """Run those tests and see where they come by."""
    plugin = Survey()
    arguments = ["-o", "addopts=--import-mode=importlib --strict-markers", "-s", "-m", "not long"]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = pytest.main([*arguments, "-p", "no:cacheprovider", "--rootdir", str(ROOT), *tests], plugins=[plugin])
    assert code == pytest.ExitCode.OK, said.getvalue()
    return plugin.visits


def choose(key: str, line: int, visits: dict[str, Visit], named: str | None) -> str | None:
    """The test to be named: the one that is named already, or the one that does least besides; None if none takes it.

    A name without parameters is preferred, then a test of the package itself.
    """
    if named in visits and takes(visits[named], key, line):
        return named
    package = f"/{key.partition('/')[0]}/"
    able = [test for test, visit in visits.items() if takes(visit, key, line)]
    cost = {test: sum(map(len, visits[test].lines.values())) for test in able}
    return min(able, key=lambda test: ("[" in test, package not in test, cost[test], test), default=None)


def main() -> int:
    """Write the file anew."""
    os.chdir(ROOT)
    visits = visits_of([f"tests/unit/{name}" for name in TESTS])
    before = registry() if REGISTRY.exists() else {}
    chosen = {key: choose(key, line, visits, before.get(key)) for key, line in exits().items()}
    REGISTRY.write_text("".join(f"{key}\n    {test}\n" for key, test in chosen.items() if test), "utf-8")
    untaken = [key for key, test in chosen.items() if test is None]
    for key in untaken:
        print(f"no test takes: {key}", file=sys.stderr)
    return 1 if untaken else 0


if __name__ == "__main__":
    sys.exit(main())
