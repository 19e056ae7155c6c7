"""The compiled answer, the explained answer and the screen are one answer, whatever the expression and the state."""

import math
from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from haltline.api.field import Change, Collection, Field, Kind
from haltline.api.function import Function, Parameter
from haltline.errors import Problem
from haltline.expr.check import check
from haltline.expr.checked import Checked
from haltline.expr.compile import compile_truth, compile_value
from haltline.expr.explain import evaluate, explain
from haltline.expr.screen import compile_screen
from haltline.expr.vocabulary import Vocabulary
from haltline.model.rule import Scope

NAN = math.nan
NUMBERS = ("account.a", "account.b", "account.day.c")
TRUTHS = ("account.p", "account.q")
ITEM_NUMBERS, ITEM_TRUTHS = ("x.u", "x.w"), ("x.s",)
CHOICES = ("long", "short")


def _field(name: str, kind: Kind, choices: tuple[str, ...] = ()) -> Field:
    return Field(name=name, kind=kind, meaning=name, changes=Change.ANY, choices=choices)


def _awkward(number: float) -> float:
    if number < 0:
        raise RuntimeError("negative")
    return math.inf if number > 1e6 else number * 3.0


VOCABULARY = Vocabulary(
    fields={
        field.name: field
        for field in (
            *(_field(name, Kind.NUMBER) for name in (*NUMBERS, "position.u", "position.w")),
            *(_field(name, Kind.BOOL) for name in (*TRUTHS, "position.s")),
            _field("account.t", Kind.TEXT),
            _field("account.m", Kind.ENUM, CHOICES),
            _field("position.m", Kind.ENUM, CHOICES),
        )
    },
    collections={
        "account.items": Collection(
            name="account.items", item="position", meaning="items", changes=Change.ANY, bound=4
        ),
    },
    roots={
        Scope.ACCOUNT: {"account": "{0}", "clock": "clock"},
        Scope.POSITION: {"position": "{0}", "clock": "clock"},
    },
    functions={
        "awkward": Function(
            name="awkward", call=_awkward, returns=Kind.NUMBER, meaning="sometimes fails",
            parameters=(Parameter(name="number", kind=Kind.NUMBER),),
        )
    },
)  # fmt: skip


class Stats:
    def __init__(self, number: float) -> None:
        self.number = number

    def max_over(self, now_ns: int) -> float:
        assert now_ns > 0
        return self.number


class Thing:
    """An entity, an item or a part of one: whatever attributes the state gives it."""

    def __init__(self, **values: object) -> None:
        self.__dict__.update(values)

    def as_of(self, attribute: str) -> int | None:
        return None if attribute == "a" else 5_000_000_000


CLOCK = Thing(now_ns=65_000_000_000)
BINDINGS: Mapping[str, object] = {"clock": CLOCK}


def _around(threshold: float) -> list[float]:
    near = threshold * 1e-9 if abs(threshold) > 1 else 1e-9
    edges = [threshold - near, threshold, threshold + near]
    return [math.nextafter(edge, toward) for edge in edges for toward in (-math.inf, edge, math.inf)]


known_numbers = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, 2.0, -1.0, 0.5, 5e-324, 1e-300, 9.9e17, -9.9e17, 1e9]),
    st.sampled_from(_around(1000.0) + _around(0.0) + _around(1.0)),
    st.floats(min_value=-1e6, max_value=1e6),
)
numbers = st.one_of(st.just(NAN), known_numbers)
known_truths = st.booleans()
truths = st.one_of(st.none(), known_truths)


def things(number: st.SearchStrategy[float], truth: st.SearchStrategy[bool | None]) -> st.SearchStrategy[Any]:
    choice = st.sampled_from(CHOICES)
    text = st.sampled_from(["", "MNQ", "NQ"])
    item = st.builds(lambda u, w, s, m: Thing(u=u, w=w, s=s, m=m), number, number, truth, choice)
    return st.builds(
        lambda a, b, c, p, q, t, m, items, seen: Thing(
            a=a, b=b, day=Thing(c=c), p=p, q=q, t=t, m=m, items=items, windows=[Stats(seen)] * 40
        ),
        number, number, number, truth, truth, text, choice, st.lists(item, max_size=3), number,
    )  # fmt: skip


states = things(numbers, truths)
complete_states = things(known_numbers, known_truths)
literals = st.sampled_from(["0", "1", "2", "1000", "0.5", "1e-9", "3.7", "1e17"])
relations = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])


def _join(template: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(lambda values: template.format(*values))


def number_texts(depth: int, *, inside: bool = False) -> st.SearchStrategy[str]:
    leaf = st.one_of(literals, st.sampled_from(NUMBERS + (ITEM_NUMBERS if inside else ())))
    if depth == 0:
        return leaf
    number, truth = number_texts(depth - 1, inside=inside), truth_texts(depth - 1, inside=inside)
    options = [
        leaf,
        _join("({} {} {})", number, st.sampled_from(["+", "-", "*", "/", "/", "//", "%"]), number),
        _join("(-{})", number),
        _join("({} ** {})", number, st.sampled_from(["2", "3", "10", "-1", "0.5", "0"])),
        _join("{}({}, {})", st.sampled_from(["min", "max", "coalesce"]), number, number),
        _join("clamp({}, {}, {})", number, number, number),
        _join("{}({})", st.sampled_from(["abs", "sqrt", "floor", "ceil", "round", "exp", "sign", "awkward"]), number),
        _join("({} if {} else {})", number, truth, number),
    ]
    if not inside:
        element, test = number_texts(depth - 1, inside=True), truth_texts(depth - 1, inside=True)
        options += [
            _join("{}({} for x in account.items)", st.sampled_from(["sum", "min", "max"]), element),
            _join("{}({} for x in account.items if {})", st.sampled_from(["sum", "min", "max"]), element, test),
            _join("count(x for x in account.items if {})", test),
            _join("max_over({}, '5m')", st.sampled_from(NUMBERS)),
            _join("age({})", st.sampled_from(NUMBERS)),
        ]
    return st.one_of(options)


def truth_texts(depth: int, *, inside: bool = False) -> st.SearchStrategy[str]:
    leaf = st.sampled_from(TRUTHS + (ITEM_TRUTHS if inside else ()) + ("account.m == 'long'", "'Q' in account.t"))
    if depth == 0:
        return leaf
    number, truth = number_texts(depth - 1, inside=inside), truth_texts(depth - 1, inside=inside)
    options = [
        leaf,
        _join("({} {} {})", number, relations, number),
        _join("({} {} {})", number, relations, literals),
        _join("({} < {} <= {})", literals, number, number),
        _join("({} {} {})", truth, st.sampled_from(["and", "or", "==", "!="]), truth),
        _join("(not {})", truth),
        _join("({} if {} else {})", truth, truth, truth),
        _join("({} {} (0, 1, 1000))", number, st.sampled_from(["in", "not in"])),
        _join("(account.t {} ('MNQ', 'ES'))", st.sampled_from(["in", "not in"])),
        _join("known({})", number),
        _join("known({})", truth),
        _join("coalesce({}, {})", truth, truth),
    ]
    if not inside:
        element, test = truth_texts(depth - 1, inside=True), truth_texts(depth - 1, inside=True)
        options += [
            _join("{}({} for x in account.items)", st.sampled_from(["any", "all"]), element),
            _join("{}({} for x in account.items if {})", st.sampled_from(["any", "all"]), element, test),
        ]
    return st.one_of(options)


def checked(text: str) -> Checked:
    problems: list[Problem] = []
    result = check(text, scope=Scope.ACCOUNT, vocabulary=VOCABULARY, wants=None, problems=problems)
    assume(result is not None or {problem.code for problem in problems} <= {"E303", "E313", "E314", "E318", "E319"})
    assume(result is not None)
    assert result is not None
    return result


def same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return repr(one) == repr(other)
    return one is other or (isinstance(one, str) and one == other)


quick = settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))


@quick
@given(number_texts(3), states)
def test_a_compiled_number_is_the_explained_number_bit_for_bit(text: str, state: Thing) -> None:
    expression = checked(text)
    value = compile_value(expression, BINDINGS)(state)
    assert same(value, evaluate(expression, state, BINDINGS))
    shown = explain(expression, state, BINDINGS)
    assert same(NAN if shown.value is None else shown.value, value)
    assert bool(shown.unknown) is (shown.value is None)


@quick
@given(truth_texts(3), states)
def test_a_compiled_truth_is_the_explained_truth_on_both_rails(text: str, state: Thing) -> None:
    expression = checked(text)
    truth = compile_truth(expression, BINDINGS)
    explained = evaluate(expression, state, BINDINGS)
    assert truth.is_true(state) is (explained is True)
    assert truth.is_false(state) is (explained is False)
    assert truth.evaluate(state) is explained
    assert compile_value(expression, BINDINGS)(state) is explained


@quick
@given(st.lists(truth_texts(2), min_size=1, max_size=6), states)
def test_a_screen_names_exactly_what_is_not_definitely_false(texts: list[str], state: Thing) -> None:
    expressions = list(enumerate(checked(text) for text in texts))
    found = list(compile_screen(expressions, Scope.ACCOUNT, BINDINGS)(state))
    assert found == [number for number, one in expressions if evaluate(one, state, BINDINGS) is not False]


@quick
@given(truth_texts(3), complete_states, st.data())
def test_a_definite_answer_stays_when_something_unknown_becomes_known(
    text: str, complete: Thing, data: st.DataObject
) -> None:
    assume("known" not in text and "coalesce" not in text)  # they speak about what is not known
    expression = checked(text)
    hidden = data.draw(st.sets(st.sampled_from(["a", "b", "p", "q", "t", "c", "u", "s"]), min_size=1))
    answer = evaluate(expression, _without(complete, hidden), BINDINGS)
    assume(answer is not None)
    assert evaluate(expression, complete, BINDINGS) is answer


def _without(complete: Thing, hidden: set[str]) -> Thing:
    values: dict[str, Any] = dict(vars(complete))
    for name in hidden & {"a", "b"}:
        values[name] = NAN
    for name in hidden & {"p", "q", "t"}:
        values[name] = None
    if "c" in hidden:
        values["day"] = Thing(c=NAN)
    unknown = {name: NAN if name == "u" else None for name in hidden & {"u", "s"}}
    values["items"] = [Thing(**{**vars(item), **unknown}) for item in values["items"]]
    return Thing(**values)


SOUP = (
    "account.a account.p account.t account.m account.items x x.u x.s nope nope.y clock 1 0 'long' '5m' True None + - * "
    "/ ** % < == != in is and or not if else ( ) ( ) , [ ] . : = lambda sum( count( any( min( max_over( streak( known( "
    "age( coalesce( awkward( abs("
)
tokens = st.sampled_from([*SOUP.split(), "not in", "for x in account.items"])
soups = st.one_of(st.lists(tokens, max_size=14).map(" ".join), st.text(max_size=30), number_texts(2), truth_texts(2))


@settings(quick, max_examples=400)
@given(soups)
def test_any_text_is_either_checked_or_has_a_problem(text: str) -> None:
    problems: list[Problem] = []
    result = check(text, scope=Scope.ACCOUNT, vocabulary=VOCABULARY, wants=None, problems=problems)
    assert (result is None) is bool(problems)
    assert all(problem.code.startswith("E3") and problem.cure for problem in problems)
