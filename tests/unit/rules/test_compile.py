"""What makes a rule unusable, and how a limit becomes conditions."""

from collections.abc import Callable

import pytest

from haltline.api.registry import Registry
from haltline.builtins import plugin
from haltline.compose.vocabulary import build_vocabulary
from haltline.errors import ConfigError, Place, Problem
from haltline.model.rule import ActionSpec, Comparison, Definition, LimitSpec, RuleMode, RuleSpec, Scope, Step
from haltline.rules.compile import CompiledRules, compile_rules
from haltline.rules.condition import headroom, utilization

NAN = float("nan")


@pytest.fixture
def compiled() -> Callable[..., CompiledRules]:
    registry = Registry()
    plugin.haltline_register_actions(registry)
    plugin.haltline_register_functions(registry)

    def run(*specs: RuleSpec, definitions: tuple[Definition, ...] = ()) -> CompiledRules:
        return compile_rules(specs, build_vocabulary(registry, definitions), registry.actions.get)

    return run


@pytest.fixture
def problems(compiled) -> Callable[..., list[Problem]]:
    def run(*specs: RuleSpec, **more: object) -> list[Problem]:
        with pytest.raises(ConfigError) as caught:
            compiled(*specs, **more)
        return list(caught.value.problems)

    return run


def limit(comparison: Comparison = Comparison.AT, **fields: object) -> LimitSpec:
    return LimitSpec(value="account.day.loss", comparison=comparison, **fields)  # type: ignore[arg-type]


def rule(**fields: object) -> RuleSpec:
    return RuleSpec(**{"id": "r", "each": Scope.ACCOUNT, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        (rule(when="account.locked", suppresses=("nobody",)), "E451"),
        (rule(each=Scope.FILL, when="fill.opens", for_ns=1), "E452"),
        (rule(each=Scope.INTENT, when="intent.increases", clear_for_ns=1), "E452"),
        (rule(limit=limit(Comparison.RANGE, low=5.0, high=1.0)), "E453"),
        (rule(limit=limit(steps=(Step(threshold=2.0, then=()), Step(threshold=1.0, then=())))), "E453"),
        (rule(limit=limit(threshold=0.0, warn=0.8)), "E454"),
        (rule(when="account.locked", during=("noon",)), "E455"),
        (rule(when="account.locked", excluding=("noon",)), "E455"),
        (rule(when="account.locked", then=(ActionSpec(name="explode"),)), "E456"),
        (rule(when="account.locked", then=(ActionSpec(name="close_position"),)), "E457"),
    ],
)
def test_each_mistake_has_its_code(problems, spec: RuleSpec, code: str) -> None:
    assert code in {problem.code for problem in problems(spec)}


def test_a_definition_is_checked_even_where_nobody_uses_it(problems) -> None:
    broken = Definition(name="account.half", text="account.eqity / 2")
    (problem,) = problems(rule(when="account.locked"), definitions=(broken,))
    assert problem.where == "define 'account.half'"


def test_a_definition_must_be_of_something(problems) -> None:
    (problem,) = problems(definitions=(Definition(name="mine.half", text="1"),))
    assert problem.code == "E459"


def test_a_problem_points_to_the_nearest_place_that_is_known(problems) -> None:
    places = {"": Place(file="r.yaml", line=1), "then.0": Place(file="r.yaml", line=9)}
    then = (ActionSpec(name="reduce_by", params={"fraction": "account.nothing"}),)
    (problem,) = problems(rule(when="account.locked", then=then, places=places))
    assert problem.place is not None
    assert problem.place.line == 9


def test_a_rule_that_is_off_is_checked_all_the_same(problems, compiled) -> None:
    assert problems(rule(when="account.nothing", mode=RuleMode.OFF))
    assert compiled(rule(when="account.locked", mode=RuleMode.OFF)).rules == ()


@pytest.mark.parametrize(("written", "number"), [("50%", 0.5), ("0.5", 0.5), ("30m", 1800.0), (0.5, 0.5), (2, 2.0)])
def test_numbers_of_actions_may_be_fractions_and_durations(compiled, written: object, number: float) -> None:
    then = (ActionSpec(name="reduce_by", params={"fraction": written}),)
    (checked,) = compiled(rule(when="account.locked", then=then)).rules
    assert checked.then[0].constants["fraction"] == number


def test_a_threshold_may_be_an_expression(compiled) -> None:
    spec = rule(limit=limit(threshold="0.02 * account.balance", warn=0.5))
    (checked,) = compiled(spec).rules
    assert not isinstance(checked.thresholds[0], float)
    assert checked.conditions.warn is not None


def test_a_constant_expression_is_a_number(compiled) -> None:
    (checked,) = compiled(rule(limit=limit(threshold="2 * 500"))).rules
    assert checked.thresholds == (1000.0,)


def test_the_fingerprint_ignores_where_a_rule_stands_but_not_what_it_says(compiled) -> None:
    here, there, other = (
        compiled(rule(when=when, places={"": Place(file="r.yaml", line=line)})).rules[0].fingerprint
        for when, line in (("account.locked", 1), ("account.locked", 99), ("not account.locked", 1))
    )
    assert here == there != other


@pytest.mark.parametrize(
    ("kind", "measured", "thresholds", "share", "room"),
    [
        (Comparison.AT, 800.0, (1000.0,), 0.8, 200.0),
        (Comparison.MAX, 1200.0, (1000.0,), 1.2, -200.0),
        (Comparison.MIN, 125.0, (100.0,), 0.8, 25.0),
        (Comparison.DOWN_TO, 50.0, (100.0,), 2.0, -50.0),
        (Comparison.RANGE, 4.0, (0.0, 10.0), 0.2, 4.0),
        (Comparison.RANGE, 12.0, (0.0, 10.0), 1.4, -2.0),
        (Comparison.AT, -5.0, (1000.0,), 0.0, 1005.0),
        (Comparison.AT, 5.0, (0.0,), None, -5.0),
        (Comparison.MIN, 0.0, (100.0,), None, -100.0),
        (Comparison.RANGE, 1.0, (5.0, 5.0), None, -4.0),
        (Comparison.AT, NAN, (1000.0,), None, None),
        (Comparison.AT, 5.0, (NAN,), None, None),
    ],
)
def test_utilization_and_headroom(kind, measured, thresholds, share, room) -> None:
    assert utilization(kind, measured, thresholds) == (pytest.approx(share) if share is not None else None)
    assert headroom(kind, measured, thresholds) == room
