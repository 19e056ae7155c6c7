"""Promise 10: any decision can be taken again from its capsule alone, whatever happened around it."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from haltline.clock import NS_PER_S
from haltline.control.capsulefile import Capsule
from haltline.control.capsulemake import make_capsule
from haltline.control.capsuleplay import replay
from haltline.control.incidentspan import read_spans
from haltline.model.rule import ActionSpec, Comparison, Latch, LimitSpec, OnUnknown, RuleSpec, Scope


@dataclass(frozen=True)
class Happening:
    """Something after a pause."""

    pause_s: float
    kind: str
    number: int


happenings = st.lists(
    st.builds(
        Happening,
        pause_s=st.sampled_from([0.0, 0.1, 1.0, 7.5, 30.0, 61.0, 1_000.0]),
        kind=st.sampled_from(
            ["quote", "quote", "quote", "fill", "turn", "can_trade", "quiet", "tick", "restart", "reload", "save"]
        ),
        number=st.integers(-8, 8),
    ),
    max_size=30,
)


def rules_of(loss, at, for_s, latch, on_unknown):
    speed = LimitSpec(value='-change(account.equity, "1m")', comparison=Comparison.MAX, threshold=400.0, warn=0.5)
    lock = (ActionSpec(name="lock", params={"for": "10m"}), ActionSpec(name="flatten"), ActionSpec(name="notify"))
    return (
        loss(at, for_ns=for_s * NS_PER_S, latch=latch, on_unknown=on_unknown),
        RuleSpec(id="speed", each=Scope.ACCOUNT, limit=speed, then=lock),
        RuleSpec(id="auth", each=Scope.ACCOUNT, when="not account.can_trade", then=(ActionSpec(name="notify"),)),
        RuleSpec(id="old", each=Scope.POSITION, when="position.age > 60", then=(ActionSpec(name="notify"),)),
    )


def play(made, story, other):
    for each in story:
        made.seconds += each.pause_s
        price = 21_000 + each.number * 25.0
        match each.kind:
            case "quote":
                made.take(made.quote(price))
            case "fill":
                made.take(made.fill(each.number or 1, price))
            case "turn":
                made.take(made.quote(price), made.fill(each.number or 1, price), made.quote(price - 50))
            case "can_trade":
                made.take(made.can_trade(each.number > 0))
            case "quiet":
                made.tick(on_record=False)
            case "tick":
                made.tick()
            case "restart":
                made.restart(*(other if each.number > 4 else ()))
            case "reload":
                made.reload(*other)
            case _:
                made.save()


@settings(deadline=None, max_examples=12)
@given(
    story=happenings,
    lead_s=st.sampled_from([0, 1, 60, 600]),
    for_s=st.sampled_from([0, 5, 30]),
    latch=st.sampled_from(Latch),
    on_unknown=st.sampled_from(OnUnknown),
)
def test_every_incident_of_a_story_is_decided_again_from_its_capsule(
    engine, loss, registry_of, story, lead_s, for_s, latch, on_unknown
):
    made = engine(*rules_of(loss, 1000.0, for_s, latch, on_unknown))
    play(made, story, rules_of(loss, 600.0, for_s, latch, on_unknown))
    with tempfile.TemporaryDirectory() as name:
        for span in read_spans(made.journal):
            written = make_capsule(made.journal, span, Path(name), registry_of, lead_ns=lead_s * NS_PER_S)
            assert str(written.comparison) == "identical"
            with Capsule(written.path) as capsule:
                assert replay(capsule, registry_of) == written.comparison
                assert capsule.name_is_kept
