"""What venues and people wrote goes through a whole engine to every other channel: webhook, e-mail in HTML, Slack, a
terminal, a file. It arrives as text: nothing is markup, nobody is mentioned, no header is added, no screen obeys."""

import asyncio
import importlib.util
import json
import re
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from aiohttp import web

sys.path.insert(0, str(Path(__file__).parent))

from test_chat_injection import HOSTILE, SIGNS

from haltline import Haltline
from haltline.api import BrokerSetup, Caller
from haltline.api.registry import Owned
from haltline.api.replytext import reply_text
from haltline.builtins.paper.broker import PaperBroker
from haltline.clock import SystemClock
from haltline.errors import Refused
from haltline.errors.inert import inert
from haltline.model.event import Quote
from haltline.model.id import AccountId, Symbol
from haltline.model.order import OrderRequest, Side
from haltline.runtime.embed import load_parts

pytestmark = pytest.mark.long
APPRISE = Path(__file__).parents[2] / "plugins/notify-apprise/tests/conftest.py"
EVAL = AccountId("eval")
SYMBOL = Symbol("<b>MNQ</b> @everyone <@7> [t](http://evil.example)")
SETUP = """version: 1
mode: live
plugins: [notify_apprise]
accounts: {eval: {broker: paper, balance: 50000, calendar: 24/7}}
instruments: {SYMBOL: {tick_size: 0.25, tick_value: 0.5, asset_class: future, currency: USD}}
operators: {ann: {role: admin, identities: {local: nobody}}}
channels:
  hook: {kind: webhook, config: {url: "http://127.0.0.1:HTTP/hook", secret: "sixteen-letters-or-more", private: true}}
  json: {kind: apprise, config: {url: "json://127.0.0.1:HTTP/json"}}
  mail: {kind: apprise, config: {url: "MAIL"}}
  screen: {kind: console, config: {stream: stdout}}
  file: {kind: jsonl, config: {path: messages.jsonl}}
rules: [rules.yaml]
"""


def world() -> ModuleType:
    """The servers that the tests of that plugin use."""
    spec = importlib.util.spec_from_file_location("apprise_world", APPRISE)
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules["apprise_world"] = found
    spec.loader.exec_module(found)
    return found


class Insolent(PaperBroker):
    """Its refusals, order ids and symbols are written by somebody who means no good."""

    def __init__(self, setup: BrokerSetup) -> None:
        self.refusals = [Refused(f"{HOSTILE} {SIGNS}\r\nBcc: evil@example.org")]
        self.is_armed = False

        def fails(verb: str, stage: str) -> None:
            if self.is_armed and verb == "submit" and stage == "before" and self.refusals:
                raise self.refusals.pop()

        super().__init__(setup, faults=fails)


def harmless(text: str) -> None:
    """No sign that a terminal obeys."""
    assert inert(text) == text, ascii(text)


def addresses(mail: Any) -> list[str]:
    return [str(mail[name]) for name in ("to", "cc", "bcc", "reply-to") if mail[name]]


async def happens(haltline: Haltline, broker: Insolent, folder: Path) -> list[str]:
    """A breach on a position with such a name, a close that is refused with such words, notes that say the like."""
    clock, me = SystemClock(), Caller(platform="local", user="nobody")

    def quote(price: float) -> None:
        now = clock.now()
        haltline.put(Quote(at=now, received_at=now, symbol=SYMBOL, bid=price, ask=price, last=price, mark=price))

    quote(21_000.0)
    order = OrderRequest(account=EVAL, symbol=SYMBOL, side=Side.BUY, quantity=Decimal(5), client_id="<i>@here</i>")
    await broker.submit(order)
    broker.is_armed = True
    for number in range(20):
        quote(20_995.0 - 10 * number)
        await asyncio.sleep(0)
    async with asyncio.timeout(90):
        while broker.refusals or "Done: flatten" not in (folder / "messages.jsonl").read_text():
            quote(20_800.0)
            await asyncio.sleep(0.05)  # sleeps: the close is refused once, and asked for again later
        await haltline.until_idle()
    control = haltline.engine.control
    lines = (
        "status", "positions", "orders", "rules", "incidents", "why daily-loss", "report", "health",
        f"lock eval 1h {HOSTILE}", f"ask {HOSTILE}", f"whatif {HOSTILE}", HOSTILE,
    )  # fmt: skip
    return [reply_text(await control.say(me, line)) for line in lines]


async def test_nothing_that_venues_and_people_wrote_is_obeyed_anywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    servers = world()
    mail, http = servers.MailServer(), servers.HttpServer()
    post = await asyncio.start_server(mail.talk, "127.0.0.1", 0)
    mail.port = post.sockets[0].getsockname()[1]
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", http.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    address = f"mailto://anna:s3cr3t-pass@127.0.0.1:{mail.port}?from=haltline@example.org&to=desk@example.org"
    text = (
        SETUP.replace("HTTP", str(port))
        .replace("SYMBOL", json.dumps(SYMBOL))
        .replace("MAIL", f"{address}&mode=insecure&format=html")
    )
    (tmp_path / "haltline.yaml").write_text(text)
    rule = {
        "id": "daily-loss", "title": HOSTILE.replace("'", ""), "each": "account", "severity": "critical",
        "limit": {"value": "account.day.loss", "at": 500}, "why": HOSTILE,
        "then": ["block_entries", "flatten", {"notify": {"text": HOSTILE}}],
    }  # fmt: skip
    (tmp_path / "rules.yaml").write_text(json.dumps({"version": 1, "rules": [rule]}))
    parts = load_parts(tmp_path / "haltline.yaml", environ={})
    (tmp_path / "messages.jsonl").touch()
    made: list[Insolent] = []

    def make(setup: BrokerSetup) -> Insolent:
        made.append(Insolent(setup))
        return made[-1]

    kind = parts.registry.brokers.get("paper")
    assert kind is not None
    parts.registry.brokers._items["paper"] = Owned(replace(kind, make=make), "test")
    try:
        async with Haltline.from_parts(parts) as haltline:
            replies = await happens(haltline, made[0], tmp_path)
    finally:
        await runner.cleanup()
        post.close()
        for session in mail.sessions:
            session.close()

    for reply in replies:
        harmless(reply)
    harmless(capsys.readouterr().out.replace("\r", ""))
    file = (tmp_path / "messages.jsonl").read_text()
    assert "evil" in file and len(file.splitlines()) == sum(bool(json.loads(line)) for line in file.splitlines())
    assert {sent.path for sent in http.sent} == {"/hook", "/json"}
    for sent in http.sent:
        for words in texts_in(sent.json):
            harmless(words)
        assert not re.search(r"[\r\n]", "".join(sent.headers.values()))
    assert set(mail.recipients) == {"rcpt to:<desk@example.org>"}
    assert any("evil" in str(each) for each in mail.mails)
    for each in mail.mails:
        assert addresses(each) == ["desk@example.org"]
        harmless(str(each["subject"]))
        html = each.get_body(("html",)).get_content()
        assert not re.search(r"<(?!/?(?:html|head|body|p|br|b|strong|div|span|ul|li|h\d|table|tr|td)\b)\w", html), html
        assert "<a " not in html and "href" not in re.sub(r"&lt;.*?&gt;", "", html)


def texts_in(found: Any) -> list[str]:
    if isinstance(found, dict):
        return [text for key, value in found.items() for text in (*texts_in(key), *texts_in(value))]
    if isinstance(found, list):
        return [text for value in found for text in texts_in(value)]
    return [found] if isinstance(found, str) else []
