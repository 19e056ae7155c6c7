"""An engine on the paper broker, its operators, and one chat platform: the same words for Telegram and Discord."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import msgspec

from haltline import Haltline
from haltline.builtins.paper.broker import PaperBroker
from haltline.clock import NS_PER_S, from_iso
from haltline.control.audit import CommandRecord, command_of
from haltline.enforce.budget import Budget
from haltline.journal.receipt import LegOutcome, Receipt
from haltline.journal.record import RecordKind
from haltline.model.event import Quote
from haltline.model.id import AccountId, Symbol
from haltline.model.order import OrderRequest, Side
from haltline.runtime.embed import load_parts
from haltline_sim_discord.redirect import redirected
from haltline_sim_discord.server import DiscordSim
from haltline_sim_telegram.server import TelegramSim

MNQ, EVAL = Symbol("MNQ"), AccountId("eval")
PATIENCE_S = 90.0
"""How long anything is waited for: none of it takes a second, except on a machine that has other things to do."""
SETUP = """version: 1
mode: live
plugins: [bot_telegram, bot_discord]
accounts: {eval: {broker: paper, balance: 50000, calendar: 24/7}}
instruments: {MNQ: {tick_size: 0.25, tick_value: 0.5, asset_class: future, currency: USD}}
operators:
  anna: {role: trader, identities: {PLATFORM: "7"}}
  ria: {role: risk-manager, identities: {local: ria}}
control: {confirm_within: 2m}
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


class MovedClock:
    """Time passes as it does, from a morning on, and faster when told: for the engine, the bot and the platform."""

    def __init__(self) -> None:
        self._ahead = from_iso("2026-03-02T10:00:00Z") - time.monotonic_ns()
        self._moved = asyncio.Event()

    def now(self) -> int:
        """`Clock.now`."""
        return time.monotonic_ns() + self._ahead

    async def sleep_until(self, instant_ns: int) -> None:
        """`Clock.sleep_until`; wakes early when time is moved."""
        while (remaining_ns := instant_ns - self.now()) > 0:
            moved = self._moved
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(remaining_ns / NS_PER_S):
                    await moved.wait()

    def skip(self, seconds: float) -> None:
        """So many seconds are over."""
        self._ahead += round(seconds * NS_PER_S)
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()


class Chat:
    """One platform. What it shows is text with the markup taken off."""

    platform = ""
    sending = ""
    """The call that sends a message, as faults name it."""

    def __init__(self, sim: Any) -> None:
        self.sim = sim
        self.anna = sim.user(7, "Anna")

    @property
    def sent(self) -> int:
        """How often the bot has tried to send a message."""
        raise NotImplementedError

    def administrator(self) -> Any:
        """Somebody who may do anything on the platform, and nothing here."""
        raise NotImplementedError

    async def cut(self) -> None:
        """End the connection on which people are heard."""
        raise NotImplementedError

    async def garble(self) -> None:
        """Answer nonsense on the connection on which people are heard, until the bot has a new one."""
        raise NotImplementedError

    def is_formatted(self, message: Any) -> bool:
        """Whether a message has any markup."""
        raise NotImplementedError

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

    async def message(self, text: str, *, since: int = 0, timeout_s: float = PATIENCE_S) -> Any:
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
    sending = "sendMessage"

    @property
    def sent(self) -> int:
        return len(self.sim.calls("sendMessage"))

    def administrator(self) -> Any:
        boss = self.sim.user(1, "Boss")
        self.anna.chat.members[1] = "creator"
        return boss

    async def cut(self) -> None:
        self.sim.arm("drop", "getUpdates", count=2)

    async def garble(self) -> None:
        before = len(self.sim.calls("getUpdates"))
        self.sim.arm("garbage", "getUpdates", count=2)
        await self.sim.wait_for_call("getUpdates", count=before + 3, timeout_s=PATIENCE_S)

    def is_formatted(self, message: Any) -> bool:
        return bool(message.entities)

    def config(self) -> str:
        return f'{{token: "{self.sim.token}", server: "{self.sim.base_url}", chat: 7, poll_s: 1}}'

    async def ask(self, line: str, expected: str, *, who: Any = None) -> Any:
        since = self.sim.mark()
        (who or self.anna).says(f"/{line}")
        return await self.sim.wait_for_message(expected, since=since, timeout_s=PATIENCE_S)

    async def press(self, message: Any, label: str, expected: str = "", *, who: Any = None) -> None:
        since = self.sim.mark()
        press = (who or self.anna).presses(message, label)
        if expected:
            await self.sim.wait_for_message(expected, since=since, timeout_s=PATIENCE_S)
        else:
            await self.sim.wait_for_answer(press, timeout_s=PATIENCE_S)

    async def connected(self) -> None:
        before = len(self.sim.calls("getUpdates"))
        await self.sim.wait_for_call("getUpdates", count=before + 2, timeout_s=PATIENCE_S)

    def shown(self, message: Any) -> str:
        return str(message.text)


class Discord(Chat):
    """By discord.py."""

    platform = "discord"
    sending = "POST /channels/*/messages"

    @property
    def sent(self) -> int:
        return sum(each.verb == "POST" and each.path.endswith("/messages") for each in self.sim.requests)

    def administrator(self) -> Any:
        self.sim.role(1, "Boss")
        return self.sim.user(1, "Boss", permissions=(1 << 50) - 1, roles=(1,))

    async def cut(self) -> None:
        self.sim.gateway.cut()

    async def garble(self) -> None:
        made = self._made()
        self.sim.gateway.garble()
        await self.sim.watch.until(lambda: (self._made() > made) or None, timeout_s=PATIENCE_S)
        await self.connected()

    def _made(self) -> int:
        return sum(frame.get("op") == 2 for frame in self.sim.gateway.received)

    def is_formatted(self, message: Any) -> bool:
        return bool(message.embeds)

    def config(self) -> str:
        channel = self.sim.channel("alerts").id
        return f'{{token: "{self.sim.token}", server: "{self.sim.base_url}", channel: "{channel}"}}'

    async def ask(self, line: str, expected: str, *, who: Any = None) -> Any:
        word, *rest = line.split()
        names = {"flatten": ("account", "reason"), "status": ("account",), "lock": ("account", "for", "reason")}
        options = dict(zip(names.get(word, ()), rest, strict=False))
        await self.sim.wait_for_commands(word, timeout_s=PATIENCE_S)
        return await self.sim.wait_for_reply((who or self.anna).slash(word, **options), expected, timeout_s=PATIENCE_S)

    async def press(self, message: Any, label: str, expected: str = "", *, who: Any = None) -> None:
        since = self.sim.mark()
        press = (who or self.anna).presses(message, label)
        if expected:
            await self.sim.wait_for_message(expected, since=since, timeout_s=PATIENCE_S)
        else:
            await self.sim.wait_for_response(press, timeout_s=PATIENCE_S)

    async def connected(self) -> None:
        await self.sim.wait_for_ready(timeout_s=PATIENCE_S)
        await self.sim.wait_for_commands("status", "flatten", timeout_s=PATIENCE_S)

    def shown(self, message: Any) -> str:
        return str(message.shown)


class World:
    """The engine beside its chat; it can be ended and started again on the same journal. `rules` is its rule file."""

    def __init__(self, folder: Path, chat: Chat, clock: MovedClock) -> None:
        self.folder = folder
        self.chat = chat
        self.clock = clock
        self.price = 21_000.0
        self.rules = RULES
        self._engine: Haltline | None = None
        self._serial = 0

    @property
    def engine(self) -> Haltline:
        assert self._engine is not None
        return self._engine

    @contextlib.asynccontextmanager
    async def running(self, *, listens: bool = True) -> AsyncIterator[None]:
        """The engine with its bot, until the block ends."""
        config = self.chat.config().replace(self.chat.sim.token, "${CHAT_TOKEN}")
        text = SETUP.replace("PLATFORM", self.chat.platform).replace("CONFIG", config)
        (self.folder / "haltline.yaml").write_text(text)
        (self.folder / "rules.yaml").write_text(self.rules)
        parts = load_parts(self.folder / "haltline.yaml", environ=self.environ)
        async with Haltline.from_parts(parts, clock=self.clock, in_memory=False, budget=Budget()) as engine:
            self._engine = engine
            self.quote(self.price)
            if listens:
                await self.chat.connected()
            yield

    @property
    def environ(self) -> Mapping[str, str]:
        """Where the set-up finds its secrets."""
        return {"CHAT_TOKEN": self.chat.sim.token}

    def quote(self, price: float) -> None:
        """A price."""
        self.price, now = price, self.clock.now()
        self.engine.put(Quote(at=now, received_at=now, symbol=MNQ, bid=price, ask=price + 0.25, last=price, mark=price))

    async def hours(self, count: float, *, step_s: float = 20) -> None:
        """So many hours pass, with a price now and then; whatever falls due in between is done."""
        for _ in range(round(count * 3600 / step_s)):
            self.clock.skip(step_s)
            self.quote(self.price)
            for _ in range(5):
                await asyncio.sleep(0.001)  # sleeps: what falls due needs a moment of real time

    async def buy(self, contracts: int) -> None:
        """Somebody buys at the broker."""
        await self.order(contracts)
        await self.until(lambda: self.held() != 0)

    async def order(self, contracts: int) -> None:
        """Somebody sends an order to the broker, who fills it."""
        self._serial += 1
        broker = cast("PaperBroker", self.engine.engine._brokers["paper"])
        request = OrderRequest(
            account=EVAL, symbol=MNQ, side=Side.BUY, quantity=Decimal(contracts), client_id=f"hand-{self._serial}"
        )
        await broker.submit(request)

    async def breach(self) -> None:
        """Buy five, and let the market fall until the limit is broken and the account is flat."""
        await self.buy(5)
        for _ in range(12):
            self.quote(self.price - 5)
            await asyncio.sleep(0)
        await self.until(lambda: self.held() == 0)

    def held(self) -> float:
        """The position."""
        book = self.engine.engine.kernel.state.accounts["eval"].book
        return sum(position.quantity for position in book.values())

    def audit(self) -> list[CommandRecord]:
        """Every attempt to command, as it is on record."""
        records = self.engine.engine.store.iterate(kinds=[RecordKind.COMMAND])
        return [command_of(record.body) for record in records]

    def receipts(self, name: str = "") -> list[Receipt]:
        """How actions (of that name) ended, as it is on record."""
        bodies = [record.body for record in self.engine.engine.store.iterate(kinds=[RecordKind.OUTCOME])]
        found = [msgspec.json.decode(body, type=Receipt | LegOutcome) for body in bodies]
        return [each for each in found if isinstance(each, Receipt) and name in ("", each.name)]

    async def until(self, holds: Callable[[], bool], *, timeout_s: float = PATIENCE_S) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(timeout_s):
            while not holds():  # noqa: ASYNC110 - a dozen different things are waited for
                await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def opened(platform: str, folder: Path) -> AsyncIterator[World]:
    """A world on one platform."""
    clock = MovedClock()

    def now() -> float:
        return clock.now() / NS_PER_S

    if platform == "telegram":
        token = f"{secrets.randbelow(10**9)}:simulated-bot-token-of-one-test-only"
        async with TelegramSim(token=token, now=now) as sim:
            chat: Chat = Telegram(sim)
            chat.anna.starts()
            yield World(folder, chat, clock)
            assert sim.violations == []
    else:
        async with DiscordSim(now=now) as sim:
            sim.world.answer_s = PATIENCE_S  # that an answer comes in three seconds is for bots/discord/tests to show
            with redirected(sim):
                yield World(folder, Discord(sim), clock)
            assert sim.violations == []
