"""Mutation testing of the life cycle and of enforcement: are the tests strict enough to notice a wrong line?

    uv run python tests/mutation/run.py                             every module of the list below
    uv run python tests/mutation/run.py rules/incident.py --sample 50 --seed 7 --json

What a mutant is: `mutant.py`. How it is run: `hunt.py`. Results are kept in `.mutation/` and taken up again: a mutant
that was killed stays killed while its module is as it was, one that was alive while the tests are too (`--fresh` begins
anew). Ends with 1 if a mutant is alive that `survivors.toml` does not explain.
"""

import argparse
import contextlib
import hashlib
import io
import json
import os
import sys
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from hunt import Hunt, Outcome, Visit
from mutant import PACKAGE, Mutant, mutants_of

ROOT = Path(__file__).parents[2]
STORE = ROOT / ".mutation"
EXPLAINED = Path(__file__).with_name("survivors.toml")
MODULES = (
    "rules/incident.py", "rules/arbiter.py", "rules/flight.py", "rules/lock.py", "rules/livebook.py",
    "kernel/governor.py", "kernel/late.py", "kernel/aftermath.py", "kernel/retry.py", "kernel/escalation.py",
    "kernel/evidence.py", "kernel/override.py", "kernel/loosening.py",
    "enforce/executor.py", "enforce/desk.py", "enforce/confirm.py", "enforce/lane.py", "enforce/precedence.py",
    "enforce/cap.py", "enforce/verify.py", "enforce/share.py", "enforce/earlier.py", "enforce/legs.py",
    "enforce/order.py", "enforce/resume.py", "enforce/wait.py", "enforce/witness.py", "enforce/exitonly.py",
    "enforce/rate.py", "enforce/spacing.py", "enforce/progress.py", "enforce/ledger.py", "enforce/budget.py",
    "enforce/wall.py", "enforce/naming.py",
    "builtins/action/attempt.py", "builtins/action/order.py", "builtins/action/size.py",
    "kernel/permission.py", "kernel/consent.py", "kernel/request.py", "kernel/arrival.py", "kernel/dark.py",
)  # fmt: skip
TESTS = ("tests/unit/rules", "tests/unit/kernel", "tests/unit/enforce", "tests/unit/runtime", "tests/unit/builtins")


class Kept(msgspec.Struct):
    """Results of one module: `source` and `tests` are the digests of what they hold for."""

    source: str
    tests: str
    outcomes: dict[str, Outcome] = {}


class Book:
    """Results on disk, one file a module, and where the tests come by."""

    def __init__(self, tests: Sequence[str], *, fresh: bool, store: Path) -> None:
        store.mkdir(exist_ok=True)
        self._store = store
        places = [ROOT / each for each in tests]
        files = sorted(file for each in places for file in ([each] if each.is_file() else each.rglob("*.py")))
        self._tests = digest(files)
        self._all = digest([PACKAGE / module for module in MODULES]) + self._tests
        self._fresh = fresh
        self._kept: dict[str, Kept] = {}

    def outcomes(self, module: str) -> dict[str, Outcome]:
        """What is known of the module's mutants."""
        file, source = self._file(module), digest([PACKAGE / module])
        kept = Kept(source, self._tests)
        if file.exists() and not self._fresh:
            old = msgspec.json.decode(file.read_bytes(), type=Kept)
            is_same = old.tests == self._tests
            if old.source == source:
                kept.outcomes = {key: each for key, each in old.outcomes.items() if is_same or not each.survived}
        self._kept[module] = kept
        return kept.outcomes

    def note(self, mutant: Mutant, outcome: Outcome) -> None:
        """Keep a result at once, so that a run may be broken off."""
        kept = self._kept[mutant.module]
        kept.outcomes[mutant.key] = outcome
        self._file(mutant.module).write_bytes(msgspec.json.encode(kept))

    def visits(self) -> dict[str, Visit]:
        """Where the tests come by; empty where it must be found out."""
        file = self._store / "visits.json"
        if not file.exists():
            return {}
        known, found = msgspec.json.decode(file.read_bytes(), type=tuple[str, dict[str, Visit]])
        return found if known == self._all else {}

    def keep_visits(self, visits: dict[str, Visit]) -> None:
        """Remember where the tests come by."""
        (self._store / "visits.json").write_bytes(msgspec.json.encode((self._all, visits)))

    def _file(self, module: str) -> Path:
        return self._store / (module.replace("/", ".") + ".json")


def digest(files: Sequence[Path]) -> str:
    """One digest of many files."""
    found = hashlib.sha256()
    for file in files:
        found.update(file.read_bytes())
    return found.hexdigest()


class Bar:
    """How far it is, on the standard error: a moving line at a terminal, a line a minute elsewhere."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = self._alive = 0
        self._is_terminal = sys.stderr.isatty()
        self._told = self._begun = time.monotonic()

    def step(self, outcome: Outcome) -> None:
        """One mutant more."""
        self._done += 1
        self._alive += outcome.survived
        now = time.monotonic()
        if self._is_terminal or now > self._told + 60 or self._done == self._total:
            self._told = now
            filled = "#" * (30 * self._done // self._total)
            rest = (now - self._begun) / self._done * (self._total - self._done)
            text = f"[{filled:<30}] {self._done}/{self._total}, {self._alive} alive, {rest / 60:.1f} min to go"
            print(text, end="\r" if self._is_terminal and self._done < self._total else "\n", file=sys.stderr)


def explained() -> dict[str, str]:
    """Why a mutant may live, by its key."""
    content = tomllib.loads(EXPLAINED.read_text("utf-8"))
    return {key: why for group in content.values() for key, why in group.items()}


def chosen(modules: Sequence[str], *, sample: int, seed: int) -> list[Mutant]:
    """The mutants of each module, or so many of each by lot. The lot of a mutant depends on its key alone, so that a
    change of one function leaves the sample of all others as it was.
    """
    found: list[Mutant] = []
    for module in modules:
        mutants = mutants_of(module)
        if sample:
            mutants.sort(key=lambda mutant: hashlib.sha256(f"{seed} {mutant.key}".encode()).digest())
        found += mutants[: sample or None]
    return found


def hunt(
    mutants: Sequence[Mutant], *, tests: Sequence[str], jobs: int, fresh: bool, store: Path = STORE
) -> dict[str, Outcome]:
    """What becomes of each mutant, by key."""
    book = Book(tests, fresh=fresh, store=store)
    modules = frozenset(mutant.module for mutant in mutants)
    known = {key: outcome for module in sorted(modules) for key, outcome in book.outcomes(module).items()}
    left = [mutant for mutant in mutants if mutant.key not in known]
    bar = Bar(len(left))

    def on_end(mutant: Mutant, outcome: Outcome) -> None:
        known[mutant.key] = outcome
        book.note(mutant, outcome)
        bar.step(outcome)

    if left:
        plugin = Hunt(left, on_end, book.keep_visits, jobs=jobs, modules=frozenset(MODULES), visits=book.visits())
        arguments = ["-o", "addopts=--import-mode=importlib --strict-markers", "-s", "-m", "not long and not slow"]
        with contextlib.redirect_stdout(io.StringIO()) as said:
            code = pytest.main([*arguments, "-p", "no:cacheprovider", *tests], plugins=[plugin])
        if code != pytest.ExitCode.OK:
            raise SystemExit(said.getvalue())
    return {mutant.key: known[mutant.key] for mutant in mutants}


def report(mutants: Sequence[Mutant], found: dict[str, Outcome]) -> dict[str, object]:
    """Figures by module, and every survivor with its explanation; None where there is none."""
    reasons = explained()
    modules: dict[str, dict[str, int]] = {}
    alive: dict[str, str | None] = {}
    for mutant in mutants:
        figures = modules.setdefault(mutant.module, {"mutants": 0, "killed": 0, "explained": 0, "unexplained": 0})
        figures["mutants"] += 1
        if not found[mutant.key].survived:
            figures["killed"] += 1
            continue
        alive[mutant.key] = reasons.get(mutant.key)
        figures["explained" if mutant.key in reasons else "unexplained"] += 1
    killed = sorted(key for key in reasons if key in found and not found[key].survived)
    return {"modules": modules, "survivors": alive, "explained_but_killed": killed}


def main(arguments: Sequence[str] | None = None) -> int:
    """Hunt and print; 1 where a survivor has no explanation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "modules", nargs="*", metavar="MODULE", help="such as rules/incident.py; all of the list if none"
    )
    parser.add_argument("--sample", type=int, default=0, help="so many mutants of each module; 0 for all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--tests", nargs="+", default=TESTS, help="folders or files of tests")
    parser.add_argument("--fresh", action="store_true", help="forget earlier results")
    parser.add_argument("--store", type=Path, default=STORE, help="where results are kept")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    os.chdir(ROOT)
    mutants = chosen(given.modules or MODULES, sample=given.sample, seed=given.seed)
    found = hunt(mutants, tests=given.tests, jobs=given.jobs, fresh=given.fresh, store=given.store)
    result = report(mutants, found)
    survivors = result["survivors"]
    assert isinstance(survivors, dict)
    print(json.dumps(result, indent=2) if given.json else as_text(result))
    return 1 if None in survivors.values() else 0


def as_text(result: dict[str, object]) -> str:
    """The report for people."""
    modules, survivors = msgspec.convert(
        (result["modules"], result["survivors"]), tuple[dict[str, dict[str, int]], dict[str, str | None]]
    )
    lines = [f"{'module':<24}{'mutants':>8}{'killed':>8}{'explained':>11}{'unexplained':>13}"]
    lines += [
        f"{name:<24}{each['mutants']:>8}{each['killed']:>8}{each['explained']:>11}{each['unexplained']:>13}"
        for name, each in modules.items()
    ]
    lines += [f"alive: {key}" for key, why in survivors.items() if why is None]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
