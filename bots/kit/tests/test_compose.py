"""Replies on a phone: narrow tables stay tables, wide ones become cards, unknown is said."""

from haltline.api import (
    Branch,
    Button,
    Card,
    Column,
    Confirmation,
    Fact,
    Kind,
    Message,
    Paragraph,
    Picture,
    Reply,
    ReplyStatus,
    Table,
    Tone,
)  # fmt: skip
from haltline.model.rule import Severity
from haltline_bot_kit.compose import message_view, reply_view, rows_of
from haltline_bot_kit.view import Style

MONEY = Column(name="pnl", label="P&L", kind=Kind.MONEY)
NAME = Column(name="symbol", label="Symbol")


def test_a_narrow_table_keeps_its_columns() -> None:
    table = Table(columns=(NAME, MONEY), rows=(("MNQ", -1200.5), ("ES", None)), title="Positions")
    view = reply_view(Reply(title="eval", parts=(table,)))
    assert [item.style for item in view.items] == [Style.HEADING, Style.HEADING, Style.MONO]
    assert view.items[-1].text.splitlines() == ["Symbol        P&L", "MNQ     -1,200.50", "ES        unknown"]


def test_a_wide_table_becomes_a_card_a_row_with_its_sign() -> None:
    table = Table(columns=(NAME, MONEY), rows=(("MNQ", 1.0),), tones=(Tone.BAD,))
    view = reply_view(Reply(title="eval", parts=(table,)), columns=5)
    assert view.items[-1].text == "⛔ MNQ\n  P&L: 1.00"


def test_a_table_without_rows_says_so() -> None:
    view = reply_view(Reply(title="eval", parts=(Table(columns=(NAME,), empty="no position"),)))
    assert view.items[-1].text == "no position"


def test_a_card_shows_its_facts_and_what_is_wrong_with_them() -> None:
    card = Card(title="eval", facts=(Fact(label="Equity", value=None, kind=Kind.MONEY, tone=Tone.WARNING),))
    assert reply_view(Reply(title="x", parts=(card,))).items[-1].text == "eval\nEquity: unknown ⚠️"


def test_a_tree_is_indented_and_ends_somewhere() -> None:
    tree = Branch(text="0")
    for number in range(1, 40):
        tree = Branch(text=str(number), children=(tree,))
    lines = reply_view(Reply(title="why", parts=(tree,))).items[-1].text.splitlines()
    assert lines[1] == "  38"
    assert len(lines) == 13


def test_what_would_happen_is_shown_before_it_is_confirmed() -> None:
    reply = Reply(
        title="Flatten eval?", status=ReplyStatus.ASKS, parts=(Paragraph(text=""),),
        confirmation=Confirmation(nonce="n", text="closes 3 positions", expires_at=1),
    )  # fmt: skip
    assert [item.text for item in reply_view(reply).items] == ["Flatten eval?", "closes 3 positions"]


def test_pictures_are_kept_apart_from_text() -> None:
    picture = Picture(image=b"png", text="equity today")
    view = reply_view(Reply(title="chart", parts=(picture,)))
    assert (view.pictures, [item.text for item in view.items]) == ((picture,), ["chart"])


def test_long_labels_get_a_row_of_their_own() -> None:
    buttons = tuple(Button(label=label, command="x") for label in ("Ack", "Why", "Silence 1h", "Override by 500 USD"))
    assert [[each.label for each in row] for row in rows_of(buttons)] == [
        ["Ack", "Why", "Silence 1h"], ["Override by 500 USD"],
    ]  # fmt: skip
    assert rows_of(()) == []


def test_a_notice_shows_its_facts_below_its_sentences() -> None:
    message = Message(
        id="m", at=0, severity=Severity.CRITICAL, title="LIMIT REACHED", text="flat", facts=(("Account", "eval"),),
        buttons=(Button(label="Ack", command="ack"),), image=b"png",
    )  # fmt: skip
    view = message_view(message)
    assert view.text == "⛔ LIMIT REACHED\nflat\nAccount: eval"
    assert (view.buttons, [picture.text for picture in view.pictures]) == (message.buttons, ["LIMIT REACHED"])


def test_the_end_of_something_does_not_look_like_its_beginning() -> None:
    message = Message(id="m", at=0, severity=Severity.CRITICAL, title="eval is fine again", text="", phase="resolved")
    assert message_view(message).text == "✅ eval is fine again"


def test_a_notice_of_several_things_keeps_them_apart() -> None:
    message = Message(id="m", at=0, severity=Severity.INFO, title="Two", text="one. two.", items=("one.", "two."))
    assert [item.text for item in message_view(message).items] == ["Two", "one.", "two."]


def test_a_text_that_repeats_its_title_does_not_say_it_twice() -> None:
    message = Message(
        id="m", at=0, severity=Severity.INFO, title="eval is flat", text="eval is flat: no position, no order."
    )
    assert message_view(message).text == "eval is flat\nNo position, no order."
