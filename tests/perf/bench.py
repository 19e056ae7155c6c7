"""Speed as ratios measured side by side in one run; prints JSON.

    uv run python tests/perf/bench.py [--quick]

Every ratio compares the engine with something else in the same process, in turn, taking each side's best of several
rounds, so that a slow machine slows both. `target` is what the project promises, `met` whether this run kept it.
"""

import argparse
import asyncio
import gc
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import by_hand
from book import Book, build_book, quote, replay_of, rule_specs

from haltline.expr.compile import compile_truth
from haltline.model.rule import Scope
from haltline.rules.index import EVERYTHING

# Each condition as a rule writes it, as Python for an entity, and with flat names for the libraries. All are true, so
# that every part is evaluated.
CONDITIONS = {
    "short": (
        "account.equity < 2000000",
        "entity.equity < 2000000",
        "equity < 2000000.0",
    ),
    "typical": (
        "account.open_positions > 0 and account.day.loss < 0.02 * account.balance and account.equity < 2000000",
        "entity.open_positions > 0 and entity.day.loss < 0.02 * entity.balance and entity.equity < 2000000",
        "open_positions > 0.0 and loss < 0.02 * balance and equity < 2000000.0",
    ),
}
ROUNDS = 7


def best(run: Callable[[int], None], count: int, rounds: int = ROUNDS) -> float:
    """Seconds per call, best of several rounds, collector off."""
    times = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            start = time.perf_counter()
            run(count)
            times.append((time.perf_counter() - start) / count)
    finally:
        gc.enable()
    return min(times)


def pair(one: Callable[[int], None], other: Callable[[int], None], count: int) -> tuple[float, float]:
    """Both timed in turn, round by round, so that a drifting machine drifts for both."""
    firsts, seconds = [], []
    for _ in range(ROUNDS):
        firsts.append(best(one, count, 1))
        seconds.append(best(other, count, 1))
    return min(firsts), min(seconds)


def repeat(function: Callable[[Any], Any], argument: Any) -> Callable[[int], None]:
    """A loop that calls a function of one argument."""

    def run(count: int) -> None:
        for _ in range(count):
            function(argument)

    return run


def one_rule(book: Book, count: int) -> dict[str, Any]:
    """Conditions compiled by us, by hand, and by four expression libraries on the same values."""
    kernel = book.kernel
    account = next(iter(kernel.state.accounts.values()))
    bindings = {"clock": kernel.state.clock, "portfolio": kernel.state.portfolio}
    report: dict[str, Any] = {}
    for name, (text, python, flat) in CONDITIONS.items():
        truth = compile_truth(_checked(text, kernel.compiled.vocabulary), bindings)
        space: dict[str, Any] = {}
        exec(f"def hand(entity):\n    return {python}", space)  # our own text, from the table above
        assert truth.is_true(account) is space["hand"](account) is True
        ours, by_hand_s = pair(repeat(truth.is_true, account), repeat(space["hand"], account), count)
        others = _libraries(account, text, flat, count // 20)
        report[name] = {
            "condition": text,
            "haltline_ns": ours * 1e9,
            "by_hand_ns": by_hand_s * 1e9,
            "ratio_to_by_hand": {"value": ours / by_hand_s, "target": "<= 1.5", "met": ours / by_hand_s <= 1.5},
            "times_faster": {
                library: {"value": seconds / ours, "target": f">= {floor}", "met": seconds / ours >= floor}
                for (library, seconds), floor in zip(others.items(), (30, 10, 1, 1, 1), strict=True)
            },
        }
    return report


def _checked(text: str, vocabulary: Any) -> Any:
    from haltline.expr.check import check

    checked = check(text, scope=Scope.ACCOUNT, vocabulary=vocabulary, wants="bool", problems=[])
    assert checked is not None
    return checked


def _libraries(account: Any, text: str, flat: str, count: int) -> dict[str, float]:
    """Seconds per evaluation of the same condition, parsed beforehand.

    `simpleeval_parsed` reads the same fields of the same account as we do. The others, and `simpleeval_flat`, are given
    a dictionary of numbers made beforehand, which costs them nothing here and would cost a user something.
    """
    import cel
    import rule_engine
    import simpleeval
    import zen

    values = {
        "loss": account.day.loss,
        "open_positions": float(account.open_positions),
        "equity": account.equity,
        "balance": account.balance,
    }
    reader = simpleeval.SimpleEval(names={"account": account})
    parsed = reader.parse(text)
    evaluator = simpleeval.SimpleEval(names=values)
    tree = evaluator.parse(flat)
    program = cel.compile(flat.replace(" and ", " && "))
    expression = zen.compile_expression(flat)
    rule = rule_engine.Rule(flat)
    assert reader.eval(text, previously_parsed=parsed) is True
    answers = [evaluator.eval(flat, previously_parsed=tree), expression.evaluate(values), program.execute(values)]
    assert [*answers, rule.matches(values)] == [True] * 4
    return {
        "simpleeval_parsed": best(repeat(lambda source: reader.eval(source, previously_parsed=parsed), text), count),
        "simpleeval_flat": best(repeat(lambda source: evaluator.eval(source, previously_parsed=tree), flat), count),
        "zen_engine": best(lambda n: [expression.evaluate(values) for _ in range(n)] and None, count),
        "common_expression_language": best(lambda n: [program.execute(values) for _ in range(n)] and None, count),
        "rule_engine": best(lambda n: [rule.matches(values) for _ in range(n)] and None, count),
    }


def full_evaluation(book: Book, positions: int, count: int) -> dict[str, Any]:
    """All fifty rules on all entities: the screens against hand-written functions."""
    kernel = book.kernel
    hand = by_hand.HandBook(positions)
    position_screen = kernel.index.screen(Scope.POSITION, EVERYTHING)
    account_screen = kernel.index.screen(Scope.ACCOUNT, EVERYTHING)
    assert position_screen is not None and account_screen is not None
    held = list(kernel.state.entities(Scope.POSITION))
    owners = list(kernel.state.entities(Scope.ACCOUNT))

    def ours(n: int) -> None:
        for _ in range(n):
            for position in held:
                assert not position_screen(position)
            for account in owners:
                assert not account_screen(account)

    def theirs(n: int) -> None:
        hit = _must_not_hit
        check_position: Any = by_hand.check_position
        check_account: Any = by_hand.check_account
        for _ in range(n):
            for account in hand.accounts:
                for position in account.positions:
                    check_position(position, hit)
                check_account(account, hit)

    first, second = pair(ours, theirs, count)
    ratio = first / second
    return {
        "positions": positions, "accounts": len(owners), "rules": 50,
        "haltline_ms": first * 1e3, "by_hand_ms": second * 1e3,
        "ratio_to_by_hand": {"value": ratio, "target": "<= 3", "met": ratio <= 3},
    }  # fmt: skip


def _must_not_hit(rule: str) -> None:
    raise AssertionError(f"{rule} was hit in a calm book")


def one_quote(book: Book, positions: int, count: int) -> dict[str, Any]:
    """A whole kernel step for a quote against the hand-written update and its fifty checks."""
    kernel = book.kernel
    hand = by_hand.HandBook(positions)
    symbols = book.symbols
    now = kernel.now

    def ours(n: int) -> None:
        nonlocal now
        for i in range(n):
            now += 1000
            kernel.step(quote(symbols[i % positions], 100.0 + (i % 7) * 0.01, now), now)

    def theirs(n: int) -> None:
        check_position: Any = by_hand.check_position
        check_account: Any = by_hand.check_account
        instant = 0
        for i in range(n):
            instant += 1000
            event = quote(symbols[i % positions], 100.0 + (i % 7) * 0.01, instant)
            hand.update(event.symbol, event.bid or 0.0, event.ask or 0.0, event.last or 0.0)
            for position in hand.by_symbol[event.symbol]:
                check_position(position, _must_not_hit)
                check_account(position.account, _must_not_hit)

    first, second = pair(ours, theirs, count)
    ratio = first / second
    return {
        "positions": positions, "haltline_us": first * 1e6, "by_hand_us": second * 1e6,
        "ratio_to_by_hand": {"value": ratio, "target": "<= 3", "met": ratio <= 3},
    }  # fmt: skip


def sustained(book: Book, quotes: int) -> dict[str, Any]:
    """Quotes per second through the kernel over a long run, memory watched, and through the product's own replay."""
    kernel = book.kernel
    symbols, positions = book.symbols, len(book.symbols)
    now = kernel.now
    rates, peaks = [], []
    chunk = quotes // 5
    for _ in range(5):
        start = time.perf_counter()
        for i in range(chunk):
            now += 30_000
            kernel.step(quote(symbols[i % positions], 100.0 + (i % 11) * 0.01, now), now)
        rates.append(chunk / (time.perf_counter() - start))
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    growth = peaks[-1] - peaks[0]
    replay = replay_of(positions, rule_specs(), quotes // 2)
    start = time.perf_counter()
    summary = asyncio.run(replay.run())
    whole = summary.events / (time.perf_counter() - start)
    return {
        "quotes": chunk * 5,
        "product_replay_per_second": {"value": whole, "target": ">= 30000", "met": whole >= 30_000},
        "per_second": {"value": min(rates), "target": ">= 30000", "met": min(rates) >= 30_000},
        "memory_growth_mib": {"value": growth, "target": "<= 2", "met": growth <= 2},
    }


def scaling(counts: tuple[int, ...], quotes: int) -> dict[str, Any]:
    """Cost of a quote that touches one position, in books of very different size."""
    costs = {}
    for positions in counts:
        book = build_book(positions, rule_specs())
        kernel, now = book.kernel, book.kernel.now

        def run(n: int, kernel: Any = kernel, book: Book = book, now: list[int] = [now]) -> None:  # noqa: B006
            for i in range(n):
                now[0] += 1000
                kernel.step(quote(book.symbols[i % 50], 100.0 + (i % 7) * 0.01, now[0]), now[0])

        costs[str(positions)] = best(run, quotes, 5) * 1e6
    ratio = costs[str(counts[-1])] / costs[str(counts[0])]
    return {
        "us_per_quote_by_positions": costs,
        "largest_to_smallest": {"value": ratio, "target": "<= 1.5", "met": ratio <= 1.5},
    }


def start_up() -> dict[str, Any]:
    """Whole processes: the help text, and a check of the starter pack. Best of three."""
    root = Path(__file__).parents[2]
    script = str(Path(sys.executable).with_name("haltline"))
    commands = {"help": (["--help"], 0.3), "check_starter_pack": (["check", str(root / "rules" / "starter")], 1.0)}
    found = {}
    for name, (arguments, target) in commands.items():
        times = []
        for _ in range(3):
            start = time.perf_counter()
            done = subprocess.run([script, *arguments], capture_output=True, check=False)
            times.append(time.perf_counter() - start)
        seconds = min(times)
        met = seconds < target and done.returncode == 0
        found[name] = {"value": seconds, "target": f"< {target} s", "met": met, "exit_code": done.returncode}
    return found


def main() -> None:
    """Measure everything and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work: for a look, not for a claim")
    scale = 10 if parser.parse_args().quick else 1
    book = build_book(500, rule_specs())
    report = {
        "python": sys.version.split()[0],
        "one_rule": one_rule(book, 200_000 // scale),
        "full_evaluation": full_evaluation(book, 500, max(1, 40 // scale)),
        "one_quote": one_quote(book, 500, 30_000 // scale),
        "sustained_replay": sustained(book, 500_000 // scale),
        "scaling": scaling((50, 500, 5000), 20_000 // scale),
        "start_up": start_up(),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
