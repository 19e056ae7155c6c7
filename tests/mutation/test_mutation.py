"""The mutator itself."""

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from hunt import Outcome
from mutant import PACKAGE, Mutant, mutants_of
from run import MODULES, Book, Kept, digest, explained
from source import function_of

ROOT = Path(__file__).parents[2]
RUN = Path(__file__).with_name("run.py")


@pytest.fixture
def changes(tmp_path: Path) -> Callable[[str], list[str]]:
    """What would be changed in the body of a function."""

    def of(body: str) -> list[str]:
        return [mutant.key.partition(": ")[2] for mutant in mutants(tmp_path, body)]

    return of


def mutants(folder: Path, body: str) -> list[Mutant]:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    (folder / "m.py").write_text(f"def f(a, b=1):\n{lines}", "utf-8")
    return mutants_of(str(folder / "m.py"))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return a < b", ["return a < b => return None", "a < b => a <= b"]),
        ("return a is b", ["return a is b => return None", "a is b => a is not b"]),
        ("return not a", ["return not a => return None", "not a => a"]),
        ("return a + 1", ["return a + 1 => return None", "a + 1 => a - 1", "1 => 2"]),
        ("return max(a, b)", ["return max(a, b) => return None", "max => min"]),
        ("return True", ["True => False"]),
        ("a.b = 1", ["a.b = 1 => (nothing)", "1 => 2"]),
        ("a = 'word'", ["'word' => 'not word'"]),
        ("a = 'some words'", []),
        ("a.b()", ["a.b() => (nothing)"]),
        ("assert a < b", []),
        ("'a docstring'", []),
        ("return", []),
        ("x: int = 3", ["3 => 4"]),
    ],
)
def test_each_sort_of_change_is_made(changes, body: str, expected: list[str]) -> None:
    assert changes(body) == expected


def test_a_guard_is_taken_away_made_certain_and_loses_either_side(changes) -> None:
    found = changes("if a and b:\n    return\na.c()")
    assert found == [
        "a and b => True", "a and b => False", "a and b => a or b", "a and b => b", "a and b => a",
        "return => (nothing)", "a.c() => (nothing)",
    ]  # fmt: skip


def test_alike_changes_are_numbered_so_that_every_key_is_one_of_its_kind(changes) -> None:
    assert changes("a.b(1, 1)") == ["a.b(1, 1) => (nothing)", "1 => 2", "1 => 2 #2"]


def test_a_mutant_compiles_to_other_code_and_leaves_the_source_as_it_was(tmp_path: Path) -> None:
    made = mutants(tmp_path, "if a < b:\n    return 1\nreturn 2")
    before = ast.dump(made[0].tree)
    codes = [mutant.code() for mutant in made]
    assert all(code.co_name == "f" for code in codes)
    assert len({(code.co_code, code.co_consts) for code in codes}) == len(codes)
    assert ast.dump(made[0].tree) == before


def test_a_function_is_found_beneath_its_decorators() -> None:
    assert function_of("rules/incident.py", "Incident.timer").__name__ == "timer"
    assert function_of("rules/incident.py", "Lifecycle._is_clear").__name__ == "_is_clear"
    assert function_of("rules/lock.py", "_outlasts").__name__ == "_outlasts"


def test_every_module_of_enforcement_is_hunted() -> None:
    modules = {f"enforce/{file.name}" for file in (PACKAGE / "enforce").glob("*.py")} - {"enforce/__init__.py"}
    assert modules - set(MODULES) == set()


def test_every_explanation_is_that_of_a_mutant_there_is() -> None:
    keys = explained().keys()
    made = {mutant.key for module in {key.partition("::")[0] for key in keys} for mutant in mutants_of(module)}
    assert keys - made == set()


def test_a_child_writes_nothing_where_people_read() -> None:
    code = "from survey import be_child; be_child('/'); print('x')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=RUN.parent)
    assert done.stdout == ""


def hunted(store: Path, *words: str) -> tuple[int, dict[str, dict[str, dict[str, int]]]]:
    done = subprocess.run(
        [sys.executable, str(RUN), *words, "--store", str(store), "--json"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.long
def test_tests_that_notice_nothing_are_told_by_name(tmp_path: Path) -> None:
    code, report = hunted(tmp_path / "m", "rules/lock.py", "--tests", "tests/unit/rules/test_meaning.py")
    assert code == 1
    assert report["modules"]["rules/lock.py"]["killed"] == 0


@pytest.mark.long
def test_nearly_every_wrong_line_in_who_goes_before_whom_and_in_locks_is_noticed_or_explained(tmp_path: Path) -> None:
    modules = ("rules/lock.py", "rules/flight.py", "enforce/precedence.py", "enforce/verify.py")
    tests = ("--tests", "tests/unit/rules", "tests/unit/kernel", "tests/unit/enforce", "--sample", "12", "--seed", "3")
    _, report = hunted(tmp_path / "m", *modules, *tests)
    assert len([key for key, why in report["survivors"].items() if why is None]) <= 2, report["survivors"]
    assert sum(figures["killed"] for figures in report["modules"].values()) >= 40


def test_what_outlived_the_tests_of_one_file_is_tried_again_with_those_of_another(tmp_path: Path) -> None:
    module, here = "rules/lock.py", str(Path(__file__).relative_to(ROOT))
    kept = Kept(
        digest([PACKAGE / module]), digest([Path(__file__)]), {"alive": Outcome(tests=3), "dead": Outcome(by="x")}
    )
    (tmp_path / "rules.lock.py.json").write_bytes(msgspec.json.encode(kept))
    other = str(RUN.relative_to(ROOT))
    assert set(Book([here], fresh=False, store=tmp_path).outcomes(module)) == {"alive", "dead"}
    assert set(Book([other], fresh=False, store=tmp_path).outcomes(module)) == {"dead"}
