"""What is said, to whom and when: grouping, repeats, acknowledgement, escalation, silences, rest, restarts."""

import msgspec
import pytest
from tests.unit.notify.conftest import ALL, START, Hall, ack, at, notice, over, silence, unsilence

from haltline.clock import NS_PER_S, from_iso
from haltline.config.routing import InhibitEntry, NotifyEntry, RouteEntry, StepEntry
from haltline.model.event import Unacknowledge
from haltline.model.id import IncidentId
from haltline.model.matcher import parse_matcher
from haltline.model.rule import Severity
from haltline.notify.group import group_id
from haltline.notify.notice import plain_notice
from haltline.notify.render import alarm_message
from haltline.rules.schedule import Window, parse_window

WARNING, CRITICAL, INFO = Severity.WARNING, Severity.CRITICAL, Severity.INFO
MINUTE = 60 * NS_PER_S


def window(text: str) -> Window:
    found = parse_window(text)
    assert isinstance(found, Window)
    return found


def test_a_critical_notice_is_told_at_once(hall) -> None:
    room = hall()
    room.take(notice(), when=5)
    assert room.heard() == [(5, "eval: rule loss is broken")]


def test_a_notice_that_is_not_critical_waits_for_company(hall) -> None:
    room = hall()
    room.take(notice("a/eval/1", severity=WARNING), when=0)
    room.take(notice("b/eval/1", severity=WARNING, when=10), when=10)
    room.until(29)
    assert room.heard() == []
    room.until(40)
    assert room.heard() == [(30, "2 notices about eval: eval: rule a is broken")]
    assert room.texts() == ["a breached.\nb breached."]


def test_a_message_about_hundreds_shows_the_first_and_counts_the_rest(hall) -> None:
    room = hall()
    for number in range(500):
        room.take(notice(f"r{number:03}/eval/1", severity=WARNING), when=0)
    room.until(30)
    (text,) = room.texts()
    lines = text.split("\n")
    assert (len(lines), lines[0], lines[-1]) == (
        41, "r000 breached.", "460 more: `haltline incidents` shows them all."
    )  # fmt: skip
    room.take(notice("new/eval/1", when=60 * 10**9), when=60)
    assert room.texts()[-1].split("\n")[-1].endswith("; and 460 more.")


def test_a_critical_notice_takes_what_waits_along(hall) -> None:
    room = hall()
    room.take(notice("a/eval/1", severity=WARNING), when=0)
    room.take(notice("b/eval/1", when=1), when=1)
    assert [(when, message.severity) for when, _, message in room.said] == [(1, CRITICAL)]
    assert room.texts() == ["b breached.\na breached."]


def test_other_accounts_are_other_groups(hall) -> None:
    room = hall()
    room.take(notice("a/eval/1", severity=WARNING), notice("a/live/1", severity=WARNING), when=0)
    room.until(40)
    assert len(room.said) == 2


def test_news_of_a_group_that_was_told_waits_for_its_interval(hall) -> None:
    room = hall()
    room.take(notice("a/eval/1", severity=WARNING), when=0)
    room.take(notice("b/eval/1", severity=WARNING, when=60), when=60)
    room.until(400)
    assert [when for when, _ in room.heard()] == [30, 330]
    assert room.texts()[1] == "b breached.\nAlso: eval: rule a is broken."


def test_dots_group_nothing(hall) -> None:
    room = hall(group_by=("...",))
    room.take(notice("a/eval/1", severity=WARNING), notice("b/eval/1", severity=WARNING), when=0)
    room.until(40)
    assert len(room.said) == 2


def test_what_goes_on_is_said_again_until_it_is_acknowledged(hall) -> None:
    room = hall()
    room.take(notice(), when=0)
    room.until(150)
    assert [when for when, _ in room.heard()] == [0, 60, 120]
    assert room.heard()[1][1] == "Not acknowledged yet: eval: rule loss is broken"
    room.take(when=150, heard=[ack()])
    room.until(3600)
    assert room.said[3:] == [room.said[-1]]
    assert room.texts()[-1] == "loss breached. Acknowledged by ann."
    assert room.said[-1][2].update


def test_an_acknowledgement_that_ran_out_lets_it_nag_again(hall) -> None:
    room = hall(ack_for_ns=10 * MINUTE)
    room.take(notice(), when=0)
    room.take(when=10, heard=[ack(when=10)])
    room.until(609)
    assert len(room.said) == 2
    room.until(615)
    assert room.heard()[-1] == (610, "Not acknowledged yet: eval: rule loss is broken")


def test_an_acknowledgement_of_something_else_changes_nothing(hall) -> None:
    room = hall()
    room.take(notice(), when=0)
    room.take(when=10, heard=[ack("other/eval/1")])
    room.until(60)
    assert len(room.said) == 2


def test_never_means_that_nothing_is_repeated(hall) -> None:
    room = hall(critical_repeat_ns=0)
    room.take(notice(), when=0)
    room.until(86_400)
    assert len(room.said) == 1


def test_the_end_is_told_with_how_long_and_how_bad(hall) -> None:
    room = hall()
    room.take(notice(), when=0)
    room.take(over(when=30), when=30)
    assert room.texts()[-1] == "eval: rule loss is fine again. It lasted 30s."
    assert (room.said[-1][2].phase, room.said[-1][2].update, room.said[-1][2].buttons) == ("resolved", True, ())
    room.until(86_400)
    assert len(room.said) == 2
    assert (room.desk.groups, room.desk.deadline) == ((), None)
    assert [key for key in room.notes if key.startswith("group:")] == []


def test_where_the_route_does_not_want_ends_none_is_told(hall) -> None:
    room = hall(resolved=False)
    room.take(notice(), when=0)
    room.take(over(when=30), when=30)
    room.until(86_400)
    assert len(room.said) == 1


def test_what_ended_before_it_was_told_is_told_once_all_the_same(hall) -> None:
    room = hall()
    room.take(notice(severity=WARNING), when=0)
    room.take(over(when=4, severity=WARNING), when=4)
    room.until(86_400)
    assert room.texts() == ["loss breached. eval: rule loss is fine again. It lasted 4s."]


def test_an_end_that_a_rule_asks_a_message_for_is_told_once(hall) -> None:
    room = hall()
    room.take(notice(), when=0)
    room.take(notice(when=30, phase="resolved", text="All good."), when=30)
    room.until(86_400)
    assert room.texts()[1:] == ["All good. It lasted 30s."]


def test_an_end_nobody_heard_the_beginning_of_is_told_where_its_rule_asks_for_it(hall) -> None:
    room = hall()
    room.take(notice(phase="resolved", text="All good."), when=0)
    room.take(over("other/eval/1", when=0), when=0)
    assert room.texts() == ["All good."]


def test_the_next_person_hears_it_when_nobody_acknowledges(hall) -> None:
    steps = (StepEntry(after_ns=2 * MINUTE, channels=("mail",)), StepEntry(after_ns=5 * MINUTE, channels=("boss",)))
    policy = NotifyEntry(
        root=RouteEntry(channels=("phone",), escalate="desk", critical_repeat_ns=0), escalations={"desk": steps}
    )  # fmt: skip
    room = hall(policy=policy)
    room.take(notice(), when=0)
    room.until(3600)
    assert room.heard("mail") == [(120, "Not acknowledged for 2m: eval: rule loss is broken")]
    assert room.heard("boss") == [(300, "Not acknowledged for 5m: eval: rule loss is broken")]
    room.take(over(when=3600), when=3600)
    assert [name for _, name, _ in room.said[-3:]] == ["phone", "mail", "boss"]


def test_an_acknowledgement_stops_the_chain(hall) -> None:
    steps = (StepEntry(after_ns=2 * MINUTE, channels=("mail",)),)
    policy = NotifyEntry(root=RouteEntry(channels=("phone",), escalate="desk"), escalations={"desk": steps})
    room = hall(policy=policy)
    room.take(notice(), when=0)
    room.take(when=100, heard=[ack(when=100)])
    room.until(3600)
    assert room.heard("mail") == []


def test_a_chain_goes_on_where_it_was_after_a_restart(hall) -> None:
    steps = (StepEntry(after_ns=2 * MINUTE, channels=("mail",)), StepEntry(after_ns=5 * MINUTE, channels=("boss",)))
    policy = NotifyEntry(root=RouteEntry(channels=("phone",), escalate="desk"), escalations={"desk": steps})
    room = hall(policy=policy)
    room.take(notice(), when=0)
    room.until(130)
    room.restart()
    room.until(310)
    assert [when for when, _ in room.heard("boss")] == [300]
    assert [when for when, _ in room.heard("mail") if when < 200] == [120, 180]


def test_a_silence_mutes_and_ends_exactly(hall) -> None:
    room = hall()
    room.take(when=0, heard=[silence("rule=loss", until=100)])
    room.take(notice(when=10), when=10)
    room.until(99)
    assert room.said == []
    room.until(100)
    assert [when for when, _ in room.heard()] == [100]


def test_a_silence_survives_a_restart(hall) -> None:
    room = hall()
    room.take(when=0, heard=[silence("rule=loss", until=100)])
    room.restart()
    room.take(notice(when=10), when=10)
    room.restart()
    room.until(101)
    assert [when for when, _ in room.heard()] == [100]
    assert [key for key in room.notes if key.startswith("silence:")] == []


def test_a_silence_ended_early_lets_what_goes_on_be_told(hall) -> None:
    room = hall()
    room.take(when=0, heard=[silence("rule=loss", until=1000)])
    room.take(notice(when=10), when=10)
    room.take(when=20, heard=[unsilence(when=20)])
    assert [when for when, _ in room.heard()] == [20]


def test_a_silence_of_one_incident_lets_the_others_through(hall) -> None:
    room = hall()
    room.take(when=0, heard=[silence("incident=loss/eval/1", until=100)])
    room.take(notice(), notice("other/eval/1"), when=0)
    assert room.texts()[0].startswith("other breached.")


def test_a_silence_also_counts_where_nothing_is_grouped() -> None:
    room = Hall(None, {"phone": ALL})
    room.take(when=0, heard=[silence("rule=loss", until=100)])
    room.take(notice(), notice("other/eval/1"), when=0)
    assert room.texts() == ["other breached."]


def test_what_follows_from_something_else_is_not_told_while_that_goes_on(hall) -> None:
    rule = InhibitEntry(when=(parse_matcher("rule=offline"),), mute=(parse_matcher("rule!=offline"),),
                        equal=("account",))  # fmt: skip
    room = hall(policy=NotifyEntry(root=RouteEntry(channels=("phone",)), inhibit=(rule,)))
    room.take(notice("stale/eval/1"), notice("stale/live/1"), notice("offline/eval/1"), when=0)
    assert sorted(message.labels["account"] + " " + message.text for _, _, message in room.said) == [
        "eval offline breached.", "live stale breached.",
    ]  # fmt: skip
    room.take(over("offline/eval/1", when=30), when=30)
    assert any("stale breached." in text for text in room.texts()[2:])


def test_hours_of_rest_let_only_critical_notices_through(hall) -> None:
    times = {"noon": (window("13:00-15:00 Europe/Berlin"),)}  # 12:00 to 14:00 UTC
    policy = NotifyEntry(root=RouteEntry(channels=("phone",), mute=("noon",), group_wait_ns=0), times=times)
    room = hall(policy=policy)
    room.take(notice("a/eval/1", severity=WARNING), notice("b/live/1"), when=0)
    room.until(7199)
    assert {message.rule for _, _, message in room.said} == {"b"}
    room.until(7200)
    assert [when for when, _, message in room.said if message.rule == "a"] == [7200]


def test_critical_notices_rest_only_where_it_says_so(hall) -> None:
    times = {"noon": (window("13:00-15:00 Europe/Berlin"),)}
    policy = NotifyEntry(root=RouteEntry(channels=("phone",), mute=("noon",), mute_critical=True), times=times)
    room = hall(policy=policy)
    room.take(notice(), when=0)
    room.until(7300)
    assert [when for when, _ in room.heard()][:1] == [7200]


@pytest.mark.parametrize(
    ("day", "ends"),
    [("2026-03-28T21:30:00Z", "2026-03-29T05:00:00Z"), ("2026-10-24T20:00:00Z", "2026-10-25T06:00:00Z")],
)
def test_a_night_is_right_when_the_clocks_change(hall, day: str, ends: str) -> None:
    times = {"night": (window("22:00-07:00 Europe/Berlin"),)}
    policy = NotifyEntry(root=RouteEntry(channels=("phone",), mute=("night",), group_wait_ns=0), times=times)
    room = hall(policy=policy)
    begun = (from_iso(day) - START) / NS_PER_S
    room.take(notice(severity=WARNING, when=begun), when=begun)
    room.until(begun + 43_200)
    assert [round(when * NS_PER_S) + START for when, _ in room.heard()][:1] == [from_iso(ends)]


def test_outside_of_active_hours_only_critical_notices_are_told(hall) -> None:
    times = {"office": (window("mon-fri 14:00-22:00 Europe/Berlin"),)}  # from 13:00 UTC
    policy = NotifyEntry(root=RouteEntry(channels=("phone",), active=("office",), group_wait_ns=0), times=times)
    room = hall(policy=policy)
    room.take(notice(severity=WARNING), when=0)
    room.until(3600)
    assert [when for when, _ in room.heard()] == [3600]


def test_a_channel_that_two_routes_lead_to_hears_a_notice_once(hall) -> None:
    below = (
        RouteEntry(match=(parse_matcher("severity=critical"),), channels=("phone",), goes_on=True),
        RouteEntry(channels=("phone", "mail")),
    )
    room = hall(policy=NotifyEntry(root=RouteEntry(channels=("boss",), routes=below)))
    room.take(notice(), when=0)
    assert sorted(name for _, name, _ in room.said) == ["mail", "phone"]


def test_a_notice_that_names_channels_goes_there_and_no_channel_hears_it_twice(hall) -> None:
    room = hall(heard=("phone", "mail"))
    room.take(notice(named="mail"), notice(), when=0)
    assert sorted(name for _, name, _ in room.said) == ["mail", "phone"]


def test_two_messages_of_a_rule_about_one_thing_become_one(hall) -> None:
    room = hall()
    room.take(notice(text="Stop."), notice(text="Call me."), when=0)
    assert room.texts() == ["Stop.\nCall me."]


def test_the_same_notice_again_is_not_told_again(hall) -> None:
    room = hall(critical_repeat_ns=0)
    room.take(notice(), when=0)
    room.take(notice(), when=1)
    room.until(3600)
    assert len(room.said) == 1


def test_another_phase_is_news_and_may_take_other_routes(hall) -> None:
    below = (RouteEntry(match=(parse_matcher("phase=warning"),), channels=("mail",), critical_repeat_ns=0),)
    room = hall(policy=NotifyEntry(root=RouteEntry(channels=("phone",), routes=below, critical_repeat_ns=0)))
    room.take(notice(phase="warning"), when=0)
    room.take(notice(when=10), when=10)
    room.take(over(when=20), when=20)
    room.until(3600)
    assert [(when, name) for when, name, _ in room.said] == [
        (0, "mail"), (10, "phone"), (20, "mail"), (20, "phone")
    ]  # fmt: skip


def test_an_event_that_is_no_incident_is_told_once(hall) -> None:
    room = hall()
    room.take(plain_notice(alarm_message(at(0), "Disk full", "The disk is full."), "alarm"), when=0)
    room.until(86_400)
    assert room.texts() == ["The disk is full."]
    assert room.desk.groups == ()


def test_a_channel_hears_only_its_severities(hall) -> None:
    policy = NotifyEntry(root=RouteEntry(channels=("phone", "mail"), group_wait_ns=0))
    room = Hall(policy, {"phone": (CRITICAL,), "mail": ALL})
    room.take(notice(severity=INFO), when=0)
    assert [name for _, name, _ in room.said] == ["mail"]


def test_without_a_section_every_channel_hears_its_severities_at_once() -> None:
    room = Hall(None, {"phone": (CRITICAL,), "log": ALL})
    room.take(notice(), notice("b/eval/1", severity=INFO), when=0)
    room.take(over(when=3), when=3)
    assert [(name, message.text) for _, name, message in room.said] == [
        ("phone", "loss breached."), ("log", "loss breached."), ("log", "b breached."),
    ]  # fmt: skip
    assert (room.desk.deadline, room.desk.groups) == (None, ())


def test_after_a_change_of_the_routes_what_goes_on_finds_its_new_ones(hall) -> None:
    room = hall()
    room.take(notice(), when=0)
    room.restart(NotifyEntry(root=RouteEntry(channels=("mail",), group_by=("rule",))))
    room.until(61)
    assert room.heard("mail") == [(60, "Not acknowledged yet: eval: rule loss is broken")]
    assert [key for key in room.notes if key.startswith("group:/|account")] == []


def test_an_incident_that_is_gone_after_a_restart_is_told_to_have_ended(hall) -> None:
    room = hall()
    room.take(notice(), when=0)
    room.restart()
    room._keep(room.desk.keep_only({}, at(10)))
    assert room.texts()[-1].endswith("Its rule was changed or removed.")


def test_buttons_offer_what_can_be_done(hall) -> None:
    room = hall()
    room.take(notice(), when=0)
    buttons = room.said[0][2].buttons
    assert [button.command for button in buttons] == ["ack", "silence", "why", "override", "flatten"]
    assert buttons[0].arguments == {"incident": "loss/eval/1"}
    room.take(when=1, heard=[ack()])
    assert "ack" not in [button.command for button in room.said[-1][2].buttons]


def test_one_thread_tells_of_a_group_from_start_to_end(hall) -> None:
    room = hall()
    room.take(notice(), when=0)
    room.until(61)
    room.take(over(when=70), when=70)
    assert len({message.thread for _, _, message in room.said}) == 1
    assert len({message.id for _, _, message in room.said}) == 3
    assert [message.update for _, _, message in room.said] == [False, False, True]


def test_what_was_done_is_part_of_the_end(hall) -> None:
    room = hall()
    room.take(msgspec.structs.replace(notice(), actions=("x1",)), when=0)
    done = plain_notice(alarm_message(at(5), "Done: flatten for account eval", "Done."), "receipt")
    room.take(msgspec.structs.replace(done, deed_of="x1", deed="Done: flatten for account eval"), when=5)
    room.take(over(when=10), when=10)
    assert "Done: flatten for account eval." in room.texts()[-1]


def test_an_acknowledgement_taken_back_lets_it_nag_again(hall) -> None:
    room = hall()
    room.take(notice(), when=0)
    room.take(when=10, heard=[ack(when=10)])
    back = Unacknowledge(at=at(100), received_at=at(100), incident=IncidentId("loss/eval/1"), operator="bob")
    room.take(when=100, heard=[back])
    assert room.heard()[-1] == (100, "Not acknowledged yet: eval: rule loss is broken")


def test_an_incident_that_gets_worse_asks_for_attention_again(hall) -> None:
    room = hall()
    room.take(notice(phase="warning"), when=0)
    room.take(when=5, heard=[ack(when=5)])
    room.take(notice(when=10), when=10)
    room.until(75)
    assert [when for when, _ in room.heard()] == [0, 5, 10, 70]


def test_labels_that_look_like_others_make_no_common_group() -> None:
    assert group_id("/", {"a": "1,b=2", "b": "3"}) != group_id("/", {"a": "1", "b": "2,b=3"})
