"""Promise 8 and 5: the same events give the same decisions, however we were woken and whenever we were restarted."""

import math
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from haltline.clock import NS_PER_S
from haltline.model.rule import Comparison, Latch, LimitSpec, OnUnknown, RuleSpec, Scope, Step


@dataclass(frozen=True)
class Happening:
    """Something after a pause: a quote, a fill, or the broker's word on whether the account may trade."""

    pause_s: float
    kind: str
    number: int


BEFORE_MIDNIGHT_S = 1_746_575_400  # 2025-05-06 23:50 UTC: a long pause rolls the trading day

happenings = st.lists(
    st.builds(
        Happening,
        pause_s=st.sampled_from([0.0, 0.1, 1.0, 7.5, 30.0, 61.0, 1_000.0]),
        kind=st.sampled_from(["quote", "quote", "quote", "fill", "can_trade", "order"]),
        number=st.integers(-8, 8),
    ),
    max_size=30,
)


@dataclass(frozen=True)
class Dials:
    """What a rule may say about unknowns, holds and endings."""

    on_unknown: OnUnknown
    latch: Latch
    for_s: int
    clear_for_s: int
    cooldown_s: int
    max_fires: int | None

    @property
    def keys(self):
        return {
            "on_unknown": self.on_unknown,
            "latch": self.latch,
            "for_ns": self.for_s * NS_PER_S,
            "clear_for_ns": self.clear_for_s * NS_PER_S,
            "cooldown_ns": self.cooldown_s * NS_PER_S,
            "max_fires": self.max_fires,
        }


dials = st.builds(
    Dials,
    on_unknown=st.sampled_from(OnUnknown),
    latch=st.sampled_from(Latch),
    for_s=st.sampled_from([0, 0, 5, 30]),
    clear_for_s=st.sampled_from([0, 0, 5, 60]),
    cooldown_s=st.sampled_from([0, 45]),
    max_fires=st.sampled_from([None, 1, 3]),
)


def rules(makers, one, other):
    ladder = LimitSpec(
        value="account.drawdown",
        comparison=Comparison.AT,
        steps=(
            Step(threshold=300.0, then=makers.actions("notify")),
            Step(threshold=900.0, then=makers.actions(("lock", {"for": "10m"}), "flatten", "notify")),
        ),
    )
    speed = LimitSpec(value='-change(account.equity, "1m")', comparison=Comparison.MAX, threshold=400.0, warn=0.5)
    trades = LimitSpec(value='count(account.fills, "2m")', comparison=Comparison.MAX, threshold=3.0)
    return (
        makers.loss(warn=0.5, **one.keys),
        makers.size(maximum=3.0, **other.keys),
        RuleSpec(id="ladder", each=Scope.ACCOUNT, limit=ladder, **other.keys),
        RuleSpec(id="speed", each=Scope.ACCOUNT, limit=speed, then=makers.actions("block_entries"), **one.keys),
        RuleSpec(id="trades", each=Scope.ACCOUNT, limit=trades, then=makers.actions("notify")),
        RuleSpec(
            id="auth",
            each=Scope.ACCOUNT,
            when="not account.can_trade",
            then=makers.actions("flatten", ("lock", {"until": "clear"})),
            on_unknown=other.on_unknown,
        ),
        RuleSpec(id="old", each=Scope.POSITION, when="position.age > 60", then=makers.actions("notify"), **other.keys),
    )


def play(made, story, *, restart_at=frozenset(), reload_at=frozenset(), others=(), ticks=False):
    """Run a story; returns all transitions, actions and notices, each in order. `others` are rule sets to reload."""
    for number, each in enumerate(story):
        if number in restart_at:
            made.restart()
        if number in reload_at:
            made.specs = others[number % len(others)]
            made.note(made.kernel.replace_rules(made.compile(made.specs), made.now))
        until = made.seconds + each.pause_s
        if ticks and each.pause_s:
            made.at(made.seconds + each.pause_s / 3)
        made.seconds = until
        if each.kind == "quote":
            made.quote(21_000 + each.number * 25.0)
        elif each.kind == "fill":
            made.fill(each.number or 1, 21_000 + each.number * 25)
        elif each.kind == "order":
            made.order(f"o{number}", each.number or 1)
        else:
            made.can_trade(each.number > 0)
    transitions = [each for result in made.results for each in result.transitions]
    plan = [each for result in made.results for each in result.plan]
    notices = [each for result in made.results for each in result.notices]
    return transitions, plan, notices


@settings(deadline=None, max_examples=40)
@given(story=happenings, points=st.sets(st.integers(0, 29), max_size=4), one=dials, other=dials)
def test_a_restart_anywhere_changes_no_decision(kernel_makers, story, points, one, other):
    world, makers = kernel_makers
    chosen = rules(makers, one, other)
    assert play(world(*chosen, stale_after_s=20, start_s=BEFORE_MIDNIGHT_S), story, restart_at=points) == play(
        world(*chosen, stale_after_s=20, start_s=BEFORE_MIDNIGHT_S), story
    )


@settings(deadline=None, max_examples=40)
@given(story=happenings, one=dials, other=dials)
def test_being_woken_more_often_changes_no_decision(kernel_makers, story, one, other):
    world, makers = kernel_makers
    chosen = rules(makers, one, other)
    assert play(world(*chosen, stale_after_s=20, start_s=BEFORE_MIDNIGHT_S), story, ticks=True) == play(
        world(*chosen, stale_after_s=20, start_s=BEFORE_MIDNIGHT_S), story
    )


@settings(deadline=None, max_examples=20)
@given(story=happenings, points=st.sets(st.integers(0, 29), max_size=4), one=dials, other=dials)
def test_reloading_the_same_rules_changes_no_decision(kernel_makers, story, points, one, other):
    _, makers = kernel_makers
    chosen = rules(makers, one, other)
    reloaded, plain = begun(kernel_makers, chosen), begun(kernel_makers, chosen)
    assert play(reloaded, story, reload_at=points, others=[chosen]) == play(plain, story)


@settings(deadline=None, max_examples=20)
@given(story=happenings, points=st.sets(st.integers(0, 29), max_size=4), one=dials, other=dials)
def test_reloading_another_rule_changes_no_decision_of_the_rest(kernel_makers, story, points, one, other):
    """In whole seconds: what time alone changes is judged on the second, and by a reload at once."""
    _, makers = kernel_makers
    story = [replace(each, pause_s=float(math.ceil(each.pause_s))) for each in story]
    chosen = rules(makers, one, other)
    spare = RuleSpec(
        id="spare", each=Scope.ACCOUNT, when='change(account.equity, "3m") > 1e12', for_ns=NS_PER_S,
        on_unknown=OnUnknown.HOLD,  # where it is not known it must block nobody
    )  # fmt: skip
    reloaded, plain = begun(kernel_makers, chosen), begun(kernel_makers, chosen)
    others = [(spare, *chosen), (*chosen, spare)]
    moved = play(reloaded, story, reload_at=points, restart_at=points, others=others)
    told = [[each for each in part if "spare" not in str(each)] for part in moved]
    assert [sorted(map(str, part)) for part in told] == [sorted(map(str, part)) for part in play(plain, story)]


def begun(kernel_makers, chosen):
    """A world whose kernel has judged everything once, as the engine does at a start."""
    world, _ = kernel_makers
    made = world(*chosen, stale_after_s=20, start_s=BEFORE_MIDNIGHT_S)
    made.note(made.kernel.evaluate_all(made.now))
    return made
