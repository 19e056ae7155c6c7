"""Texts that try to escape, stall or crash: each is refused with a problem, quickly."""

import ast
import dataclasses
import time
from typing import Any

import pytest
from simpleeval import FeatureNotAvailable  # type: ignore[import-untyped]  # it ships no types

from haltline.expr.explain import evaluate_tree
from haltline.model.rule import Definition

HOSTILE = [
    "().__class__.__bases__[0].__subclasses__()",
    "().__class__",
    "account.__class__.__mro__",
    "account.equity.__class__",
    "''.format(account)",
    "'{0.__class__}'.format(account)",
    "f'{account.__class__}'",
    "__import__('os').system('true')",
    "__builtins__",
    "getattr(account, '__class__')",
    "eval('1')",
    "exec('1')",
    "open('/etc/passwd')",
    "globals()",
    "(lambda: 1)()",
    "[x for x in ().__class__.__base__.__subclasses__()]",
    "sum(x.__class__ for x in account.positions)",
    "sum(x._private for x in account.positions)",
    "max((p for p in account.positions), key=1)",
    "(yield 1)",
    "await x",
    "import os",
    "account.equity := 5",
    "9**9**9",
    "9**9**9**9**9**9**9**9",
    "10**10**10",
    "'a' * 999999999",
    "[0] * 999999999",
    "1 << 99999999",
    "(" * 10_000 + ")" * 10_000,
    "(" * 2000 + "1" + ")" * 2000,
    "[" * 2000,
    "-" * 4000 + "1",
    "- " * 2000 + "1",
    "not " * 1000 + "account.locked",
    "~" * 4000 + "1",
    "lambda:" * 500 + "1",
    "1 if 1 else " * 300 + "1",
    "1**" * 1000 + "1",
    "1+" * 2000 + "1",
    "1<" * 2000 + "1",
    "account." * 500 + "equity",
    "abs(" * 39 + "account.equity" + ")" * 39 + "+" + "-(" * 39 + "1" + ")" * 39,
    "9" * 4000,
    "0x" + "f" * 4000,
    "1e999999",
    "1_0" * 30,
    "x" * 2_000_000,
    "account.equity > 5 # \x00",
    "\x00",
    "\ud800",
    "'\ud800'",
    "\u202eaccount.equity > 5",
    "account\u200b.equity",
    "аccount.equity",
    "𝐚𝐜𝐜𝐨𝐮𝐧𝐭.equity",
    "account。equity",
    "'''" + "x" * 100,
    "'\\",
    "#",
    "\\",
    ";",
    "account.equity; import os",
    "{**account}",
    "*account",
    "known(known)",
    "e.account",
    "v1.mark",
    "_nan",
    "clock.__dict__",
    "portfolio",
    "count",
    "sum",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_is_a_clean_problem(world: Any, text: str) -> None:
    started = time.process_time()
    problems = world.problems(text)
    assert all(problem.code.startswith("E3") for problem in problems)
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize("operator", ["/", "//", "%", "-"])
def test_the_deepest_expression_allowed_compiles(world: Any, operator: str) -> None:
    deep = "account.equity"
    for _ in range(38):
        deep = f"5 {operator} ({deep})"
    world.value(deep)


@pytest.mark.parametrize("name", ["min", "max", "coalesce"])
def test_the_deepest_call_allowed_compiles(world: Any, name: str) -> None:
    deep = "account.equity"
    for _ in range(37):
        deep = f"{name}(5 / account.equity, {deep})" if len(deep) % 2 else f"{name}({deep}, account.day.loss)"
    world.value(deep)


def _with_definitions(world: Any, texts: dict[str, str]) -> None:
    definitions = {name: Definition(name=name, text=text) for name, text in texts.items()}
    world.vocabulary = dataclasses.replace(world.vocabulary, definitions=definitions)


def test_definitions_that_double_at_every_step_are_refused(world: Any) -> None:
    doubling = {f"account.d{n}": f"account.d{n + 1} + account.d{n + 1}" for n in range(30)}
    _with_definitions(world, {**doubling, "account.d30": "account.equity"})
    assert "E303" in world.codes("account.d0 > 5")


def test_a_long_chain_of_definitions_is_refused(world: Any) -> None:
    chain = {f"account.d{n}": f"account.d{n + 1} + 1" for n in range(1000)}
    _with_definitions(world, {**chain, "account.d1000": "account.equity"})
    assert "E303" in world.codes("account.d0 > 5")


def test_windows_over_definitions_that_double_are_refused(world: Any) -> None:
    doubling = {f"account.d{n}": f"max_over(account.d{n + 1} + account.d{n + 1}, '5m')" for n in range(30)}
    _with_definitions(world, {**doubling, "account.d30": "account.equity"})
    assert "E303" in world.codes("account.d0 > 5")


def test_nested_tests_of_choices_do_not_multiply_the_source(world: Any) -> None:
    text = "account.equity > 5"
    for _ in range(12):
        text = f"(1 if {text} else 2) > 1"
    assert world.value(text) in (True, False)


def test_chained_equalities_of_truths_do_not_multiply_the_source(world: Any) -> None:
    text = "account.locked"
    for _ in range(20):
        text = f"({text} == (account.equity > 5))"
    assert world.value(text) in (True, False)


def test_an_explainer_refuses_python_nodes() -> None:
    with pytest.raises(FeatureNotAvailable):
        evaluate_tree(ast.parse("().__class__", mode="eval").body, None, {})  # type: ignore[arg-type]  # on purpose
