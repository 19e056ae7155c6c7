"""Readiness: what drills have shown of the alarm path, and what of it is too little for arming."""

import pytest

from haltline.clock import NS_PER_S
from haltline.config.arming import ArmingTerms
from haltline.control.note import MemoryNoteTable, Note, Notes
from haltline.control.readiness import BY_HAND, SPACE, Standing, Standings, readiness_of, shortfall
from haltline.journal.memory import MemoryJournal
from haltline.runtime.writer import InlineWriter

NOW = 1_746_540_000 * NS_PER_S
DAY_NS = 86_400 * NS_PER_S
TERMS = ArmingTerms(readiness=80)


def shown(score: int | None, name: str = "weekly", **more) -> Standing:
    return Standing(name=name, **({"score": score, "at": NOW if score is not None else 0} | more))


@pytest.mark.parametrize(
    ("standings", "readiness"),
    [
        ([], None),
        ([shown(None)], None),
        ([shown(90)], 90),
        ([shown(90), shown(60, "daily")], 60),
        ([shown(90), shown(100, "daily", missed=1)], 0),
        ([shown(90), shown(None, "daily")], 90),
        ([shown(90), shown(20, BY_HAND)], 90),
        ([shown(None), shown(75, BY_HAND)], 75),
        ([shown(75, BY_HAND)], 75),
    ],
)
def test_it_is_that_of_the_worst_drill_that_comes_again_else_of_the_last_by_hand(
    standings: list[Standing], readiness: int | None
) -> None:
    assert readiness_of(standings) == readiness


@pytest.mark.parametrize("kept", ["", "{", "[]", '{"name": 3}', '{"at": 1}'])
async def test_what_is_kept_of_a_drill_and_cannot_be_read_is_nothing_known(kept: str) -> None:
    notes = Notes(MemoryNoteTable(), InlineWriter(MemoryJournal()).run_in_transaction)
    standings = Standings(notes)
    await standings.put(shown(90))
    assert standings.get("weekly").score == 90
    await notes.put(Note(SPACE, "weekly", NOW, kept))
    assert standings.of(["weekly"]) == [Standing(name="weekly")]


def test_without_terms_nothing_is_too_little() -> None:
    assert shortfall(ArmingTerms(), [], NOW) == ""
    assert shortfall(ArmingTerms(), [shown(0)], NOW) == ""


def test_before_any_drill_there_is_too_little() -> None:
    said = "no drill was run yet, and a readiness of 80 is asked for"
    assert shortfall(TERMS, [], NOW) == said
    assert shortfall(TERMS, [shown(None)], NOW) == said


@pytest.mark.parametrize("score", [80, 81, 100])
def test_what_is_asked_for_is_enough(score: int) -> None:
    assert shortfall(TERMS, [shown(score)], NOW) == ""


def test_less_than_is_asked_for_names_the_worst_drill_and_what_it_has_not_met() -> None:
    weak = shown(60, "daily", unmet=("the end is told", "more than one channel hears it"))
    assert shortfall(TERMS, [shown(100), weak], NOW) == (
        "the drill daily has shown a readiness of 60, and 80 is asked for"
        " (not met: the end is told; more than one channel hears it)"
    )


def test_a_drill_that_was_missed_is_too_little_whatever_it_has_shown_before() -> None:
    assert "(missed 3 times)" in shortfall(TERMS, [shown(100, missed=3)], NOW)


@pytest.mark.parametrize(("age_ns", "is_enough"), [(0, True), (7 * DAY_NS, True), (7 * DAY_NS + 1, False)])
def test_a_drill_from_long_ago_is_too_little(age_ns: int, *, is_enough: bool) -> None:
    terms = ArmingTerms(readiness=80, drilled_within_ns=7 * DAY_NS)
    said = shortfall(terms, [shown(100, at=NOW - age_ns)], NOW)
    assert said == ("" if is_enough else "the last drill was 7d ago, and 7d is the most")
    assert shortfall(TERMS, [shown(100, at=NOW - age_ns)], NOW) == ""


def test_a_drill_of_the_future_is_no_old_one() -> None:
    terms = ArmingTerms(readiness=80, drilled_within_ns=7 * DAY_NS)
    assert shortfall(terms, [shown(100, at=NOW + DAY_NS)], NOW) == ""
