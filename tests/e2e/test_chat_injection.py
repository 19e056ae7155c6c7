"""What people and venues wrote into titles, reasons and errors is shown as it is: in both chats, on a terminal and in
the journal. Nobody is mentioned, nothing is a link, no command is offered, no screen obeys."""

import io
import json
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parent))

import chat_world
from chat_world import World, opened

from haltline.api import Caller, Fact, Message, Paragraph, Reply, Table
from haltline.api.reply import Card, Column
from haltline.api.replytext import reply_text
from haltline.builtins.notifier.console import ConsoleNotifier
from haltline.builtins.paper.broker import PaperBroker
from haltline.cli.replyview import drawn
from haltline.errors import Refused
from haltline.errors.inert import inert
from haltline.model.rule import Severity
from haltline_bot_discord.draw import as_markdown
from haltline_bot_kit.compose import message_view, reply_view
from haltline_bot_kit.view import Item, Style, pages
from haltline_bot_telegram.markup import MESSAGE_UNITS, as_html, units
from haltline_sim_telegram.html_mode import parse_html

HOSTILE = (
    "<b>x</b> &amp; <a href='http://evil.example/'>here</a> **bold** __u__ `code` ```block``` ||spoiler|| [t](http://evil.example)"
    " @everyone @anna <@7> <@&9> <#5> /flatten evil.example tg://user?id=7 # head > quote -# small"
)
SIGNS = "a\x00b \x1b[31mred\x1b[0m \x07 \u202eesrever\u202c \u2066iso\u2069 end"
TITLE = HOSTILE.replace("'", "")


def setup_with(title: str, reason: str) -> str:
    return json.dumps(
        {"version": 1, "rules": [{
            "id": "daily-loss", "title": title, "each": "account", "limit": {"value": "account.day.loss", "at": 500},
            "then": ["block_entries", "flatten", "notify"], "severity": "critical", "why": reason}]}
    )  # fmt: skip


@pytest.fixture(params=["telegram", "discord"])
async def world(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    monkeypatch.setattr(chat_world, "RULES", setup_with(TITLE, HOSTILE))
    async with opened(request.param, tmp_path) as world:
        yield world


def harmless(world: World, message: Any) -> None:
    """No entity but our own formatting, nobody addressed, no sign that a screen obeys."""
    text = world.chat.shown(message)
    assert inert(text) == text
    if world.chat.platform == "telegram":
        assert {entity.kind for entity in message.entities} <= {"bold", "italic", "pre"}, message.entities
        assert not re.search(r"(?<!\w)@\w|(?<![\w/])/\w|://|\w\.[a-z]", _outside_tables(message)), text
    else:
        assert not message.mentions and not message.pings
        assert not re.search(r"@(everyone|here)|(?<!\\)<[@#]|https?://", text), text


def _outside_tables(message: Any) -> str:
    """What Telegram looks for links in: all but what is set as it is."""
    raw = str(message.text).encode("utf-16-le")
    for entity in message.entities:
        if entity.kind == "pre":
            end = entity.offset + entity.length
            raw = raw[: 2 * entity.offset] + "x".encode("utf-16-le") * entity.length + raw[2 * end :]
    return raw.decode("utf-16-le")


@pytest.mark.long
async def test_a_hostile_title_and_reason_are_inert_from_the_breach_to_its_receipt(world: World) -> None:
    async with world.running():
        await world.breach()
        harmless(world, await world.chat.message("bold"))
        harmless(world, await world.chat.message("Done: flatten"))
        await world.chat.ask("rules", "bold")
        for message in world.chat.sim.world.said:
            harmless(world, message)


@pytest.mark.long
async def test_what_an_operator_writes_is_inert_in_every_answer(world: World) -> None:
    async with world.running():
        answer = await world.chat.ask("lock eval 1h <b>x</b>@everyone", "Please confirm")
        harmless(world, answer)
        await world.chat.press(answer, "Confirm", "Locked")
        for line in ("nonsense <b>@everyone", "status evil.example", "why http://evil.example @anna"):
            if world.chat.platform == "telegram":
                since = world.chat.sim.mark()
                world.chat.anna.says(f"/{line}")
                harmless(
                    world,
                    await world.chat.sim.wait_for_message("Not done", since=since, timeout_s=chat_world.PATIENCE_S),
                )
        for message in world.chat.sim.world.said:
            harmless(world, message)


@pytest.mark.long
async def test_what_a_venue_writes_into_its_refusals_is_inert_in_the_alarm(world: World) -> None:
    refusals = [Refused(f"{HOSTILE} {SIGNS}")] * 3

    def fails(verb: str, stage: str) -> None:
        if world.held() and verb == "submit" and stage == "before" and refusals:
            raise refusals.pop()

    async with world.running():
        cast("PaperBroker", world.engine.engine._brokers["paper"])._faults = fails
        await world.breach()
        harmless(world, await world.chat.message("NOT DONE: flatten"))
        await world.chat.message("Done: flatten")
        for message in world.chat.sim.world.said:
            harmless(world, message)


@pytest.mark.long
async def test_control_characters_of_an_operator_are_refused_and_never_shown(tmp_path: Path) -> None:
    async with opened("telegram", tmp_path) as world, world.running():
        me = Caller(platform="telegram", user="7", name=SIGNS, place=SIGNS)
        reply = await world.engine.engine.control.say(me, f"lock eval 1h {SIGNS}")
        assert reply.code == "E853" and inert(reply_text(reply)) == reply_text(reply)
        for record in world.engine.engine.store.iterate():
            json.loads(record.body)  # one line of JSON each, whatever was written into it
            assert b"\x1b" not in record.body and b"\x00" not in record.body


WORDS = [*HOSTILE.split(), *SIGNS.split(), "\n", "```", "</pre>", "\\", "&lt;", "\u2060", "@", "/", "://", "|| "]
TEXTS = st.one_of(
    st.text(min_size=1, max_size=60),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join),
)
WITHOUT_WIDTH = str.maketrans("", "", "\u2060\u200b")


def views(text: str) -> list[Any]:
    """Everything that a chat is given, with this text in every place of it."""
    row = Table(title=text, columns=(Column(name="a", label=text),), rows=((text,),), empty=text)
    card = Card(title=text, facts=(Fact(label=text, value=text),))
    reply = Reply(title=text, parts=(Paragraph(text=text), row, card))
    message = Message(
        id=text, at=0, severity=Severity.CRITICAL, title=text, text=text, facts=((text, text),), rule=text
    )
    return [reply_view(reply), message_view(message)]


@given(text=TEXTS, style=st.sampled_from(list(Style)))
@settings(max_examples=300, deadline=None)
def test_telegrams_markup_read_back_is_the_text_and_nothing_else(text: str, style: Style) -> None:
    text = inert(text)
    shown, entities = parse_html(as_html(Item(text=text, style=style)))
    assert shown.translate(WITHOUT_WIDTH).strip() == text.translate(WITHOUT_WIDTH).strip()
    assert len(entities) <= 1 and {each.kind for each in entities} <= {"bold", "italic", "pre"}
    if style is not Style.MONO:
        assert not re.search(r"(?<!\w)@\w|(?<![\w/])/\w|://|\.[^\W\d]", shown)


@given(text=TEXTS)
@settings(max_examples=200, deadline=None)
def test_discords_markup_leaves_no_sign_that_means_something(text: str) -> None:
    drawn_text = as_markdown(Item(text=inert(text)))
    assert not re.search(r"(?<!\\)(?:\\\\)*(?<!\\)[*_~`|<>\[\]#]", drawn_text), drawn_text
    assert not re.search(r"@(?!\u200b)|://", drawn_text)
    unescaped = re.sub(r"\\(.)", r"\1", drawn_text).translate(WITHOUT_WIDTH)
    assert unescaped == inert(text).translate(WITHOUT_WIDTH)
    mono = as_markdown(Item(text=inert(text), style=Style.MONO))
    assert mono.count("```") == 2


@given(text=TEXTS)
@settings(max_examples=150, deadline=None)
def test_no_view_holds_a_sign_that_a_screen_obeys_and_every_page_fits(text: str) -> None:
    for view in views(text):
        assert inert(view.text) == view.text
        for page in pages(view, as_html, limit=MESSAGE_UNITS, measure=units):
            page.encode("utf-8")
            assert units(page) <= MESSAGE_UNITS


@given(text=TEXTS)
@settings(max_examples=100, deadline=None)
def test_a_terminal_shows_what_others_wrote_and_obeys_none_of_it(text: str) -> None:
    console = Console(force_terminal=False, width=200, file=(out := io.StringIO()))
    console.print(drawn(Paragraph(text=text)))
    assert inert(out.getvalue()) == out.getvalue()


@pytest.mark.long
def test_a_text_of_half_a_million_signs_is_cut_and_none_is_lost() -> None:
    view = reply_view(Reply(title="t", parts=(Paragraph(text="<&>" * 170_000),)))
    found = pages(view, as_html, limit=MESSAGE_UNITS, measure=units)
    assert all(units(page) <= MESSAGE_UNITS for page in found)
    assert sum(page.count("&lt;") for page in found) == 170_000


async def test_the_console_channel_obeys_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    message = Message(
        id="1", at=0, severity=Severity.CRITICAL, title=SIGNS, text=f"{SIGNS}\nline", facts=((SIGNS, SIGNS),)
    )
    await ConsoleNotifier().send(message)
    said = "".join(capsys.readouterr())
    assert inert(said.replace("\r", "")) == said.replace("\r", "")
