"""Messages are complete sentences: what is stopped, where, until when, and what was not done."""

from decimal import Decimal

import msgspec
import pytest

from haltline.journal.receipt import LegOutcome, LegState, Receipt, Remaining
from haltline.model.event import OutcomeStatus
from haltline.model.id import AccountId, ActionId, IncidentId, RuleId, Symbol
from haltline.model.plan import PlannedAction
from haltline.model.rule import Severity
from haltline.model.verdict import Phase, Transition
from haltline.notify.notice import receipt_notice
from haltline.notify.render import notice_message, receipt_message

TRANSITION = Transition(
    at=1, rule=RuleId("daily-loss"), entity="eval", incident=IncidentId("i"), phase=Phase.BREACHED, previous=Phase.OK,
    severity=Severity.CRITICAL, account=AccountId("eval"), measured=1012.5, threshold=1000.0, utilization=1.0125,
)  # fmt: skip


def planned(name: str, *, shadow: bool = False, **params: float | str | bool | None) -> PlannedAction:
    return PlannedAction(
        id=ActionId("a"), at=1, name=name, account=AccountId("eval"), params=dict(params), shadow=shadow,
        rules=(RuleId("daily-loss"),),
    )  # fmt: skip


def test_a_breach_says_the_value_the_limit_and_everything_that_is_stopped() -> None:
    plan = [planned("block_entries"), planned("flatten"), planned("lock", until="next_session")]
    text = notice_message(planned("notify"), TRANSITION, plan).text
    assert text == (
        "eval: rule daily-loss is broken: the value is 1,012.5, the limit 1,000 (101%). "
        "New entries on eval are stopped while this lasts; exits and cancels stay possible. "
        "All orders on eval are being cancelled and all its positions closed. "
        "eval is locked until the next session: new entries are stopped; exits and cancels stay possible."
    )


def test_money_has_its_currency_and_a_fraction_is_told_in_per_cent() -> None:
    money = notice_message(planned("notify"), TRANSITION, unit="USD")
    assert "the value is 1,012.50 USD, the limit 1,000.00 USD (101%)" in money.text
    assert ("value", "1,012.50 USD") in money.facts
    share = msgspec.structs.replace(TRANSITION, measured=0.0512, threshold=0.05)
    assert "the value is 5.12%, the limit 5%" in notice_message(planned("notify"), share, unit="%").text


def test_a_shadow_message_says_that_nothing_was_done() -> None:
    assert "in shadow: nothing was done" in notice_message(planned("notify", shadow=True), TRANSITION).text


def test_the_text_of_the_rule_is_added_as_a_sentence() -> None:
    assert notice_message(planned("notify", text="stop for today"), TRANSITION).text.endswith("Stop for today.")


def test_a_done_action_is_told_with_its_proof() -> None:
    receipt = Receipt(
        action=ActionId("a"), name="flatten", account=AccountId("eval"), status=OutcomeStatus.DONE, started_at=0,
        ended_at=250_000_000, remaining=Remaining(),
    )  # fmt: skip
    message = receipt_message(receipt)
    assert message.severity is Severity.INFO
    assert message.text.endswith("0 requests in 0.25s; the broker shows no position, no working order.")


@pytest.mark.parametrize("status", list(OutcomeStatus))
def test_what_was_done_for_a_drill_says_so_however_it_ended(status: OutcomeStatus) -> None:
    receipt = Receipt(
        action=ActionId("a"), name="flatten", account=AccountId("eval"), status=status, started_at=0, ended_at=1,
        drill=True, superseded_by=ActionId("b"),
    )  # fmt: skip
    notice = receipt_notice(receipt)
    assert notice.message.title.startswith("DRILL: ")
    assert notice.message.text.startswith("DRILL: ")
    assert notice.labels["drill"] == "true"
    real = receipt_notice(msgspec.structs.replace(receipt, drill=False))
    assert "DRILL" not in real.message.text
    assert "drill" not in real.labels


def test_a_failed_action_is_critical_and_says_what_remains() -> None:
    receipt = Receipt(
        action=ActionId("a"), name="flatten", account=AccountId("eval"), status=OutcomeStatus.FAILED, started_at=0,
        ended_at=1, reason="market closed",
        remaining=Remaining(positions={Symbol("MNQ"): Decimal(3)}, working_orders=1),
    )  # fmt: skip
    message = receipt_message(receipt)
    assert message.severity is Severity.CRITICAL
    assert "NOT DONE: flatten for account eval: market closed" in message.text
    assert "+3 MNQ, 1 working order" in message.text
    assert "Look at the account at the broker now." in message.text


def test_a_rule_with_a_title_is_named_by_it() -> None:
    notify = msgspec.structs.replace(planned("notify"), reason="Stop for the day at 1,000")
    assert notice_message(notify, TRANSITION).title == "eval: “Stop for the day at 1,000” is broken"


def test_a_message_about_all_accounts_tells_what_is_done_for_each_that_is_armed() -> None:
    armed = [planned("flatten"), msgspec.structs.replace(planned("flatten"), account=AccountId("live"))]
    plan = [*armed, msgspec.structs.replace(planned("flatten", shadow=True), account=AccountId("test"))]
    text = notice_message(msgspec.structs.replace(planned("notify"), account=None), TRANSITION, plan).text
    assert "on eval are being cancelled" in text and "on live are being cancelled" in text
    assert "test" not in text


def test_a_close_is_told_with_the_orders_of_its_symbol() -> None:
    close = msgspec.structs.replace(planned("close_position"), symbol=Symbol("MNQ"))
    text = notice_message(planned("notify"), TRANSITION, [close]).text
    assert text.endswith("The position MNQ on eval is being closed and its working orders cancelled.")


def test_a_superseded_action_alarms_nobody_and_says_what_took_over() -> None:
    receipt = Receipt(
        action=ActionId("a"), name="close_position", account=AccountId("eval"), symbol=Symbol("MNQ"),
        status=OutcomeStatus.SUPERSEDED, started_at=0, ended_at=250_000_000, reason="superseded by flatten",
        superseded_by=ActionId("b"),
    )  # fmt: skip
    message = receipt_message(receipt)
    assert message.severity is Severity.INFO
    assert message.text == (
        "Superseded: close position for MNQ on account eval: superseded by flatten; 0 requests in 0.25s; "
        "what is left is on the receipt of what took over."
    )


def test_a_receipt_names_each_request_and_what_became_of_it() -> None:
    leg = LegOutcome(
        action=ActionId("a"), leg="reduce MNQ 0", status="accepted", state=LegState.FILLED, symbol=Symbol("MNQ"),
        side="sell", quantity=Decimal(3), filled=Decimal(3), price=Decimal("20998.5"), slippage=Decimal("1.5"),
        sent_at=1, ended_at=5_000_001,
    )  # fmt: skip
    receipt = Receipt(
        action=ActionId("a"), name="flatten", account=AccountId("eval"), status=OutcomeStatus.DONE, started_at=0,
        ended_at=1, legs=(leg,) * 14,
    )  # fmt: skip
    facts = receipt_message(receipt).facts
    assert facts[0] == ("sell 3 MNQ", "filled at 20,998.5, 1.5 worse than the mark in 0.005s")
    assert facts[-1] == ("and", "2 more")
    assert len(facts) == 13
