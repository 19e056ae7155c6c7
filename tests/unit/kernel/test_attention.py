"""What operators say about messages: checked here, handed on, and never a reason to enforce less."""

import pytest

from haltline.clock import NS_PER_S
from haltline.model.event import Acknowledge, Silence, Unacknowledge, Unsilence
from haltline.model.id import IncidentId
from haltline.model.plan import Result


def silence(made, *matchers: str, seconds: float = 60) -> Result:  # type: ignore[no-untyped-def]
    return made.send(
        Silence(
            at=made.now, received_at=made.now, silence_id="s", matchers=matchers,
            until=made.now + round(seconds * NS_PER_S), operator="ann", reason="known",
        )
    )  # fmt: skip


def test_a_silence_is_noted_and_handed_on(world) -> None:
    result = silence(world(), "rule=loss", "account=eval")
    assert [event.silence_id for event in result.attention] == ["s"]
    assert result.notices[0].startswith('ann silenced rule="loss", account="eval" until ')


@pytest.mark.parametrize("matchers", [(), ("loss",), ("rule=~(a+)+",)])
def test_a_silence_that_fits_nothing_that_can_be_meant_is_refused(world, matchers: tuple[str, ...]) -> None:
    result = silence(world(), *matchers)
    assert result.attention == ()
    assert "silence 's' was refused" in result.notices[0]


def test_a_silence_that_would_be_over_already_is_refused(world) -> None:
    result = silence(world(), "rule=loss", seconds=0)
    assert result.attention == ()
    assert "it would be over already" in result.notices[0]


def test_the_end_of_a_silence_is_handed_on(world) -> None:
    made = world()
    result = made.send(Unsilence(at=made.now, received_at=made.now, silence_id="s", operator="ann"))
    assert [event.silence_id for event in result.attention] == ["s"]


@pytest.mark.parametrize("kind", [Acknowledge, Unacknowledge])
def test_an_acknowledgement_of_nothing_live_is_not_handed_on(world, kind: type) -> None:
    made = world()
    result = made.send(kind(at=made.now, received_at=made.now, incident=IncidentId("x"), operator="ann"))
    assert result.attention == ()
    assert result.notices
