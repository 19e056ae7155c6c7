"""A capsule becomes a test that passes, whatever stood between the saved state and the decision."""

import msgspec
import pytest

from haltline.cli.capsuletest import prove_test
from haltline.clock import NS_PER_S
from haltline.control.capsulefile import Capsule
from haltline.control.capsulemake import make_capsule
from haltline.control.incidentspan import find_span, read_spans
from haltline.model.event import OverrideGrant, OverrideRevoke


@pytest.fixture
def story(engine, loss, make_setup):
    """An engine in which nothing ever goes stale."""
    return engine(loss(), setup=make_setup(stale_after_ns=100_000 * NS_PER_S))


@pytest.fixture
def tested(tmp_path, registry_of):
    """Makes the capsule of an incident and the text of its test, which was run."""

    def make(journal, wanted=None):
        made = make_capsule(journal, find_span(read_spans(journal), wanted), tmp_path, registry_of)
        with Capsule(made.path) as capsule:
            target = tmp_path / "a.test.yaml"
            return prove_test(capsule, registry_of, target, ())[target]

    return make


def grant(story, *, extra=None, entity="eval", for_s=600, name="g"):
    return OverrideGrant(
        at=story.now, received_at=story.now, grant_id=name, rule="loss", entity=entity,
        until=story.now + for_s * NS_PER_S, operator="ann", reason="news", extra=extra,
    )  # fmt: skip


def revoke(story, name="g"):
    return OverrideRevoke(at=story.now, received_at=story.now, grant_id=name, operator="ann", reason="over")


@pytest.fixture
def holding(story):
    story.take(story.quote(21_000.0), story.fill(10, 21_000.0))
    story.seconds += 1
    return story


def test_more_room_that_was_granted_is_part_of_the_story(holding, tested):
    story = holding
    story.take(grant(story, extra=500.0))
    story.seconds += 1
    story.take(story.quote(20_940.0))  # 1,200 down, of 1,500
    assert "grant" in tested(story.journal)


def test_an_exemption_that_was_taken_back_is_part_of_the_story(holding, tested):
    story = holding
    story.take(grant(story), grant(story, name="h"))
    story.seconds += 1
    story.take(story.quote(20_900.0), revoke(story))
    story.seconds += 1
    story.take(revoke(story, "h"))
    text = tested(story.journal)
    assert (text.count("grant:"), text.count("revoke:")) == (2, 2)


def test_a_grant_that_ends_by_itself_lets_the_rule_fire_then(holding, tested):
    story = holding
    story.take(grant(story, for_s=30))
    story.seconds += 10
    story.take(story.quote(20_900.0))
    story.seconds += 21
    story.take(story.quote(20_900.0))
    assert "breached" in tested(story.journal)


def test_fills_that_were_heard_of_late_are_late_in_the_test_too(story, tested):
    story.take(story.quote(20_000.0))
    story.seconds += 1
    fill = story.fill(10, 21_000.0)
    story.take(msgspec.structs.replace(fill, at=story.now - 3600 * NS_PER_S))
    story.seconds += 5
    story.tick()
    text = tested(story.journal)
    assert "3600000ms" in text
