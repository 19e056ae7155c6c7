"""An engine on the paper broker, its operators, and one chat platform: the same words for Telegram and Discord."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from haltline import Haltline
from haltline.builtins.paper.broker import PaperBroker
from haltline.control.audit import CommandRecord, command_of
from haltline.journal.record import RecordKind
from haltline.model.event import Quote
from haltline.model.id import AccountId, Symbol
from haltline.model.order import OrderRequest, Side
from haltline_sim_discord.redirect import redirected
from haltline_sim_discord.server import DiscordSim
from haltline_sim_telegram.server import TelegramSim

MNQ, EVAL = Symbol("MNQ"), AccountId("eval")
SETUP = """version: 1
mode: live
plugins: [bot_telegram, bot_discord]
accounts: {eval: {broker: paper, balance: 50000, calendar: 24/7}}
instruments: {MNQ: {tick_size: 0.25, tick_value: 0.5, asset_class: future, currency: USD}}
operators:
  anna: {role: trader, identities: {PLATFORM: "7"}}
  ria: {role: risk-manager, identities: {local: ria}}
control: {confirm_within: WITHIN}
surfaces:
  chat: {kind: PLATFORM, config: CONFIG}
rules: [rules.yaml]
store: {path: haltline.db}
"""
RULES = """version: 1
rules:
  - id: daily-loss
    title: Stop at 500
    each: account
    limit: {value: account.day.loss, at: 500}
    then: [block_entries, flatten, notify]
    severity: critical
"""


class Chat:
    """One platform. What it shows is text with the markup taken off."""

    platform = ""

    def __init__(self, sim: Any) -> None:
        self.sim = sim
        self.anna = sim.user(7, "Anna")

    def config(self) -> str:
        """The config of the surface."""
        raise NotImplementedError

    async def ask(self, line: str, expected: str, *, who: Any = None) -> Any:
        """Say a command; the message that answers it."""
        raise NotImplementedError

    async def press(self, message: Any, label: str, expected: str = "", *, who: Any = None) -> None:
        """Press a button, and wait for what it brings."""
        raise NotImplementedError

    async def connected(self) -> None:
        """Until the bot listens."""
        raise NotImplementedError

    async def message(self, text: str, *, since: int = 0, timeout_s: float = 20) -> Any:
        """A message of the bot that shows this."""
        return await self.sim.wait_for_message(text, since=since, timeout_s=timeout_s)

    def said(self, text: str) -> int:
        """How often a message of the bot showed this when it appeared."""
        return sum(text in self.shown(message) for message in {id(m): m for m in self.sim.world.said}.values())

    def shown(self, message: Any) -> str:
        """What a message shows."""
        raise NotImplementedError


class Telegram(Chat):
    """By aiogram."""

    platform = "telegram"

    def config(self) -> str:
        return f'{{token: "{self.sim.token}", server: "{self.sim.base_url}", chat: 7, poll_s: 1}}'

    async def ask(self, line: str, expected: str, *, who: Any = None) -> Any:
        since = self.sim.mark()
        (who or self.anna).says(f"/{line}")
        return await self.sim.wait_for_message(expected, since=since, timeout_s=20)

    async def press(self, message: Any, label: str, expected: str = "", *, who: Any = None) -> None:
        since = self.sim.mark()
        press = (who or self.anna).presses(message, label)
        if expected:
            await self.sim.wait_for_message(expected, since=since, timeout_s=20)
        else:
            await self.sim.wait_for_answer(press, timeout_s=20)

    async def connected(self) -> None:
        before = len(self.sim.calls("getUpdates"))
        await self.sim.wait_for_call("getUpdates", count=before + 2, timeout_s=30)

    def shown(self, message: Any) -> str:
        return str(message.text)


class Discord(Chat):
    """By discord.py."""

    platform = "discord"

    def config(self) -> str:
        channel = self.sim.channel("alerts").id
        return f'{{token: "{self.sim.token}", server: "{self.sim.base_url}", channel: "{channel}"}}'

    async def ask(self, line: str, expected: str, *, who: Any = None) -> Any:
        word, *rest = line.split()
        names = {"flatten": ("account", "reason"), "status": ("account",), "lock": ("account", "for", "reason")}
        options = dict(zip(names.get(word, ()), rest, strict=False))
        await self.sim.wait_for_commands(word)
        return await self.sim.wait_for_reply((who or self.anna).slash(word, **options), expected, timeout_s=20)

    async def press(self, message: Any, label: str, expected: str = "", *, who: Any = None) -> None:
        since = self.sim.mark()
        press = (who or self.anna).presses(message, label)
        if expected:
            await self.sim.wait_for_message(expected, since=since, timeout_s=20)
        else:
            await self.sim.wait_for_response(press, timeout_s=20)

    async def connected(self) -> None:
        await self.sim.wait_for_ready(timeout_s=30)
        await self.sim.wait_for_commands("status", "flatten")

    def shown(self, message: Any) -> str:
        return str(message.shown)


class World:
    """The engine beside its chat; it can be ended and started again on the same journal."""

    def __init__(self, folder: Path, chat: Chat) -> None:
        self.folder = folder
        self.chat = chat
        self.price = 21_000.0
        self.flat_after_s = 0.0
        self._engine: Haltline | None = None
        self._serial = 0

    @property
    def engine(self) -> Haltline:
        assert self._engine is not None
        return self._engine

    @contextlib.asynccontextmanager
    async def running(self, *, within: str = "2m", listens: bool = True) -> AsyncIterator[None]:
        """The engine with its bot, until the block ends."""
        config = self.chat.config().replace(self.chat.sim.token, "${CHAT_TOKEN}")
        text = SETUP.replace("PLATFORM", self.chat.platform).replace("CONFIG", config)
        (self.folder / "haltline.yaml").write_text(text.replace("WITHIN", within))
        (self.folder / "rules.yaml").write_text(RULES)
        environ = {"CHAT_TOKEN": self.chat.sim.token}
        async with Haltline.open(self.folder / "haltline.yaml", environ=environ) as engine:
            self._engine = engine
            self.quote(self.price)
            if listens:
                await self.chat.connected()
            yield

    def quote(self, price: float) -> None:
        """A price."""
        self.price, now = price, time.time_ns()
        self.engine.put(Quote(at=now, received_at=now, symbol=MNQ, bid=price, ask=price + 0.25, last=price, mark=price))

    async def buy(self, contracts: int) -> None:
        """Somebody buys at the broker."""
        self._serial += 1
        broker = cast("PaperBroker", self.engine.engine._brokers["paper"])
        request = OrderRequest(
            account=EVAL, symbol=MNQ, side=Side.BUY, quantity=Decimal(contracts), client_id=f"hand-{self._serial}"
        )
        await broker.submit(request)
        await self.until(lambda: self.held() != 0)

    async def breach(self) -> None:
        """Buy five, and let the market fall until the limit is broken and the account is flat."""
        await self.buy(5)
        began = time.perf_counter()
        for _ in range(12):
            self.quote(self.price - 5)
            await asyncio.sleep(0)
        await self.until(lambda: self.held() == 0)
        self.flat_after_s = time.perf_counter() - began

    def held(self) -> float:
        """The position."""
        book = self.engine.engine.kernel.state.accounts["eval"].book
        return sum(position.quantity for position in book.values())

    def audit(self) -> list[CommandRecord]:
        """Every attempt to command, as it is on record."""
        records = self.engine.engine.store.iterate(kinds=[RecordKind.COMMAND])
        return [command_of(record.body) for record in records]

    async def until(self, holds: Callable[[], bool], *, timeout_s: float = 20) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(timeout_s):
            while not holds():  # noqa: ASYNC110 - a dozen different things are waited for
                await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def opened(platform: str, folder: Path) -> AsyncIterator[World]:
    """A world on one platform."""
    if platform == "telegram":
        token = f"{secrets.randbelow(10**9)}:simulated-bot-token-of-one-test-only"
        async with TelegramSim(token=token) as sim:
            chat: Chat = Telegram(sim)
            chat.anna.starts()
            yield World(folder, chat)
            assert sim.violations == []
    else:
        async with DiscordSim() as sim:
            with redirected(sim):
                yield World(folder, Discord(sim))
            assert sim.violations == []
