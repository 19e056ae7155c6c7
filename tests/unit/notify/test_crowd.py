"""Hundreds of conditions that are not known at once are one message."""

import pytest

from haltline.api import Button, Message
from haltline.model.rule import Severity
from haltline.notify.crowd import MOST, SHOWN, crowded

WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL


def said(number: int, *, phase: str = "unknown", severity: Severity = WARNING, account: str = "eval", thread: str = ""):  # type: ignore[no-untyped-def]
    return Message(
        id=f"m{number}", at=7, severity=severity, title=f"title {number}", text=f"text {number}.", account=account,
        rule="loss", phase=phase, thread=thread, buttons=(Button(label="Why?", command="why"),),
        labels={"kind": "incident", "severity": severity.value, "phase": phase, "rule": "loss"},
    )  # fmt: skip


def test_a_few_are_told_one_by_one() -> None:
    outgoing = [(said(number), "chat") for number in range(MOST)]
    assert crowded(outgoing) == outgoing


def test_many_are_one_message_that_shows_some_and_counts_the_rest() -> None:
    ((message, channel),) = crowded([(said(number), "chat") for number in range(500)])
    assert (channel, message.id, message.severity) == ("chat", "m0+499", WARNING)
    assert message.title == "500 conditions are not known on eval: title 0"
    assert message.items[:2] == ("text 0.", "text 1.")
    assert message.items[SHOWN:] == (f"{500 - SHOWN} more like these: `haltline incidents` shows them all.",)
    assert message.text == "\n".join(message.items)
    assert (message.account, message.rule, message.buttons) == ("eval", "", ())
    assert message.labels == {"kind": "incident", "severity": "warning", "phase": "unknown"}


def test_all_of_them_are_shown_where_they_are_not_too_many() -> None:
    ((message, _),) = crowded([(said(number), "chat") for number in range(SHOWN)])
    assert len(message.items) == SHOWN


@pytest.mark.parametrize(
    ("accounts", "named"), [(2, " on a0, a1"), (3, " on a0, a1, a2"), (10, " on a0, a1, a2 and 7 more"), (0, "")]
)
def test_the_title_names_the_first_accounts(accounts: int, named: str) -> None:
    every = [said(number, account=f"a{number % accounts}" if accounts else "") for number in range(20)]
    ((message, _),) = crowded([(each, "chat") for each in every])
    assert message.title == f"20 conditions are not known{named}: title 0"
    assert message.account == ""


def test_each_channel_and_each_severity_has_its_own() -> None:
    every = [(said(number, severity=severity), channel) for number in range(6) for severity in (WARNING, CRITICAL)
             for channel in ("chat", "mail")]  # fmt: skip
    found = crowded(every)
    assert [(message.severity, channel) for message, channel in found] == [
        (WARNING, "chat"), (WARNING, "mail"), (CRITICAL, "chat"), (CRITICAL, "mail")
    ]  # fmt: skip


@pytest.mark.parametrize("more", [{"phase": "breached"}, {"phase": ""}, {"thread": "group:1"}])
def test_whatever_else_is_told_stays_as_it_is_and_in_its_place(more: dict[str, str]) -> None:
    others = [(said(number, **more), "chat") for number in range(100, 110)]  # type: ignore[arg-type]
    found = crowded([*others[:5], *[(said(number), "chat") for number in range(9)], *others[5:]])
    assert [message.id for message, _ in found] == [
        "m100", "m101", "m102", "m103", "m104", "m0+8", "m105", "m106", "m107", "m108", "m109"
    ]  # fmt: skip
