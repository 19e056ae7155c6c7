"""The list of commands, walked row by row on every surface: a terminal, Telegram and Discord, with the real engine.

Each row is asked for as people would, confirmed where that is wanted, answered on the surface, and on record. Then the
same surfaces are given what is wrong: names that are not there, roles that are not enough, text that wants to be more.
"""

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from chat_world import PATIENCE_S

from haltline import Haltline
from haltline.api import Caller, Command, Confirm, Reply, ReplyStatus, Request, reply_text
from haltline.clock import SystemClock
from haltline.control.audit import CommandRecord, command_of
from haltline.control.command.catalogue import Help, built_in_commands
from haltline.control.door import Door
from haltline.control.line import read_line, split_command
from haltline.journal.record import RecordKind
from haltline.model.event import AccountReport
from haltline.model.id import AccountId
from haltline.runtime.embed import load_parts
from haltline_sim_discord.limit import OFF
from haltline_sim_discord.redirect import redirected
from haltline_sim_discord.server import DiscordSim
from haltline_sim_telegram.server import TelegramSim

pytestmark = pytest.mark.long
COMMANDS: dict[str, Command] = {each.name: each for each in built_in_commands(cast("Door", None), Help())}
SETUP = """version: 1
mode: live
plugins: [bot_telegram, bot_discord]
accounts:
  eval: {broker: paper, balance: 50000, calendar: 24/7}
  other: {broker: paper, balance: 1000, calendar: 24/7}
instruments: {MNQ: {tick_size: 0.25, tick_value: 0.5, asset_class: future, currency: USD, stale_after: 1d}}
operators:
  ada: {role: admin, identities: {local: ada, telegram: "7", discord: "7"}}
  vic: {role: viewer, identities: {local: vic, telegram: "8", discord: "8"}}
  one: {role: admin, accounts: [other], identities: {local: one, telegram: "9", discord: "9"}}
control: {per_minute: 10000}
channels: {log: {kind: jsonl, config: {path: log.jsonl}}}
SURFACES
notify: {channels: [log], critical_repeat: never, repeat_interval: never}
rules: [rules.yaml]
store: {path: haltline.db}
"""
RULES = """version: 1
rules:
  - id: daily-loss
    each: account
    limit: {value: account.day.loss, at: 500}
    then: [block_entries, notify]
"""
INCIDENT = "daily-loss/eval/1"
WALK = (
    ("status", "All is within limits"), ("status eval", "50,000.00 USD"), ("accounts", "paper"),
    ("positions", "all flat"), ("orders eval", "Working orders"), ("pnl", "Today"), ("pnl week eval", "This week"),
    ("pnl session", "This session"), ("rules", "1 rule"), ("rule daily-loss", "severity: "),
    ("why daily-loss eval", "0 USD"), ("whynot daily-loss eval", "500 USD is left"), ("room eval", "Room"),
    ("equity eval 1h", "eval in the last 1h"), ("ask eval account.equity / 2", "25,000"),
    ("whatif eval buy 1 MNQ", "buy 1 MNQ on eval"), ("differences", "Ours is what the brokers show"),
    ("report day", "Who commanded"), ("history", "no incident on record"), ("health", "well"), ("whoami", "admin"),
    ("help lock", "lock account"), ("pending", "nothing waits"), ("incidents", "nothing is wrong"),
    ("drill other", "readiness"), ("readiness", "Readiness"), ("ping log", "1 of 1 channels"),
    ("BREACH", ""), ("incidents", INCIDENT), ("status eval", "1 incident"),
    (f"ack {INCIDENT}", "Acknowledged"), (f"unack {INCIDENT}", "Not acknowledged"),
    ("silence daily-loss 1h account=eval", "Quiet about"), ("unsilence SILENCE", "Messages again"),
    (f"consent {INCIDENT} it is right", "Nothing waited for it"),
    ("override daily-loss eval 30m extra=1000 the news", "Granted"), ("revoke OVERRIDE", "Revoked"),
    ("lock eval 1h because of the news", "Locked eval"), ("unlock operator@eval it is over", "Unlocked"),
    ("pause eval 30m lunch", "Paused eval for 30m"), ("resume eval", "Resumed eval"),
    ("close eval MNQ", "Done"), ("cancel eval", "Done"), ("flatten eval enough", "no working order"),
    ("disarm eval maintenance", "Disarmed eval"), ("arm eval accept=all ready", "Armed eval"),
    ("reload new limits", "nothing has changed in meaning"),
    ("approve p1 agreed", "no pending"), ("withdraw p1 no", "no pending"),
)  # fmt: skip
HOSTILE = "<b>no</b>@everyone$(reboot)"
WRONG = (
    ("lock nobody", "no account"), ("rule nothing", "no rule"), ("why daily-loss nobody", "nobody"),
    ("ack nothing", "no incident"), ("unlock nothing why", "no lock"), ("revoke nothing", "no override"),
    ("unsilence nothing", "no silence"), ("cancel eval order=nothing", "no order"), ("ping nothing", "no channel"),
    ("lock eval for=soon", "soon"), ("whatif eval buy nan MNQ", "not a quantity"), ("ask eval a.__class__", "Not done"),
    ("ask eval __import__('os')", "Not done"), ("override daily-loss eval 1h extra=inf why", "not a finite number"),
    (f"lock {HOSTILE}", "no account"), (f"rule {HOSTILE}", "no rule"), (f"flatten {HOSTILE}", "no account"),
)  # fmt: skip


class Surface:
    """Where people say things. `ask` returns what they are shown once it holds `expected`."""

    platform = ""

    def __init__(self, engine: Haltline) -> None:
        self.engine = engine

    async def ready(self) -> None:
        """Until it listens."""

    async def ask(self, line: str, expected: str, *, user: int = 7) -> str:
        """Say a line, confirm it where that is asked, and wait for what is expected."""
        raise NotImplementedError

    def audit(self) -> list[CommandRecord]:
        """What is on record of this platform."""
        records = self.engine.engine.store.iterate(kinds=[RecordKind.COMMAND])
        return [each for record in records if (each := command_of(record.body)).platform == self.platform]


class Terminal(Surface):
    """What `haltline COMMAND` does: the words of a shell, then the receipt."""

    platform = "local"

    async def ask(self, line: str, expected: str, *, user: int = 7) -> str:
        caller = Caller(platform="local", user={7: "ada", 8: "vic", 9: "one"}.get(user, "nobody"))
        control = self.engine.engine.control
        name, rest = split_command(line)
        shown = [reply := await control.say_words(caller, name, rest.split())]
        if reply.status is ReplyStatus.ASKS:
            assert reply.confirmation is not None
            nonce = {"nonce": reply.confirmation.nonce}
            shown.append(reply := await control.run(Request(caller=caller, command="confirm", arguments=nonce)))
        if reply.actions:
            shown.append(await control.follow(Reply(title="", actions=reply.actions)))
        text = "\n".join(map(reply_text, shown))
        assert expected in text, text
        return text


class TelegramChat(Surface):
    """By aiogram, in a private chat each."""

    platform = "telegram"

    def __init__(self, engine: Haltline, sim: TelegramSim) -> None:
        super().__init__(engine)
        self.sim = sim
        self.people = {user: sim.user(user, f"user {user}") for user in (7, 8, 9, 99)}

    async def ready(self) -> None:
        for person in self.people.values():
            person.starts()
        await self.sim.wait_for_call("getUpdates", count=2, timeout_s=PATIENCE_S)

    async def ask(self, line: str, expected: str, *, user: int = 7) -> str:
        since = self.sim.mark()
        self.people[user].says(f"/{line}")
        if user == 7 and is_asked(line, expected):
            question = await self.sim.wait_for_message("Please confirm", since=since, timeout_s=PATIENCE_S)
            self.people[user].presses(question, "Confirm")
        return str((await self.sim.wait_for_message(expected, since=since, timeout_s=PATIENCE_S)).text)


class DiscordChat(Surface):
    """By discord.py, with slash commands and their options."""

    platform = "discord"

    def __init__(self, engine: Haltline, sim: DiscordSim) -> None:
        super().__init__(engine)
        self.sim = sim
        self.people = {user: sim.user(user, f"user {user}") for user in (7, 8, 9, 99)}

    async def ready(self) -> None:
        await self.sim.wait_for_ready(timeout_s=PATIENCE_S)
        await self.sim.wait_for_commands(*COMMANDS, timeout_s=PATIENCE_S)

    async def ask(self, line: str, expected: str, *, user: int = 7) -> str:
        name, rest = split_command(line)
        used = self.people[user].slash(name, **read_line(COMMANDS[name], rest))
        since = self.sim.mark()
        if user == 7 and is_asked(line, expected):
            question = await self.sim.wait_for_reply(used, "Please confirm", timeout_s=PATIENCE_S)
            self.people[user].presses(question, "Confirm")
            return str((await self.sim.wait_for_message(expected, since=since, timeout_s=PATIENCE_S)).shown)
        return str((await self.sim.wait_for_reply(used, expected, timeout_s=PATIENCE_S)).shown)


def is_asked(line: str, expected: str) -> bool:
    """Whether a line is asked back: one that is refused before is not."""
    is_confirmed = COMMANDS[line.split(maxsplit=1)[0]].confirm is not Confirm.NEVER
    return is_confirmed and (line, expected) not in WRONG and "no pending" not in expected


@asynccontextmanager
async def opened(platform: str, folder: Path) -> AsyncIterator[Surface]:
    """An engine with one surface."""
    (folder / "rules.yaml").write_text(RULES)
    if platform == "local":
        async with running(folder, "") as engine:
            yield Terminal(engine)
    elif platform == "telegram":
        token = f"{secrets.randbelow(10**9)}:simulated-bot-token-of-one-test-only"
        async with TelegramSim(token=token) as sim:
            config = f'{{token: "{sim.token}", server: "{sim.base_url}", poll_s: 1}}'
            async with running(folder, f"surfaces: {{chat: {{kind: telegram, config: {config}}}}}") as engine:
                yield TelegramChat(engine, sim)
            assert sim.violations == []
    else:
        async with DiscordSim(rate=OFF) as sim:
            sim.world.answer_s = PATIENCE_S
            with redirected(sim):
                config = f'{{token: "{sim.token}", server: "{sim.base_url}"}}'
                async with running(folder, f"surfaces: {{chat: {{kind: discord, config: {config}}}}}") as engine:
                    yield DiscordChat(engine, sim)
            assert sim.violations == []


@asynccontextmanager
async def running(folder: Path, surfaces: str) -> AsyncIterator[Haltline]:
    (folder / "haltline.yaml").write_text(SETUP.replace("SURFACES", surfaces))
    parts = load_parts(folder / "haltline.yaml", environ={})
    async with Haltline.from_parts(parts, clock=SystemClock(), in_memory=False) as engine:
        yield engine


@pytest.fixture(params=["local", "telegram", "discord"])
async def surface(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Surface]:
    async with opened(request.param, tmp_path) as surface:
        await surface.ready()
        yield surface


async def lose(engine: Haltline) -> None:
    """The broker says that a thousand is gone; the incident is there."""
    now = engine.engine.clock.now()
    engine.put(AccountReport(at=now, received_at=now, account=AccountId("eval"), balance=cast("Any", 49_000)))
    async with asyncio.timeout(PATIENCE_S):
        while INCIDENT not in engine.engine.kernel.live:
            await asyncio.to_thread(int)


def filled(line: str, engine: Haltline) -> str:
    """The line with the names that the engine gave things."""
    names = {"SILENCE": [name for name, _ in engine.engine._door.silences()],
             "OVERRIDE": [grant.id for grant in engine.engine.kernel.overrides]}  # fmt: skip
    for word, found in names.items():
        line = line.replace(word, found[0]) if word in line else line
    return line


def test_the_walk_leaves_no_command_out() -> None:
    assert {line.split()[0] for line, _ in WALK} - {"BREACH"} == set(COMMANDS)


async def test_every_command_is_asked_answered_and_on_record(surface: Surface) -> None:
    for line, expected in WALK:
        if line == "BREACH":
            await lose(surface.engine)
            continue
        await surface.ask(filled(line, surface.engine), expected)
    noted = {each.command for each in surface.audit() if each.operator == "ada"}
    assert noted >= set(COMMANDS)


async def test_what_is_wrong_is_refused_in_words_on_record_and_changes_nothing(surface: Surface) -> None:
    for line, expected in WRONG:
        noted = len(surface.audit())
        shown = await surface.ask(line, expected)
        assert "Traceback" not in shown
        assert len(surface.audit()) == noted + 1, line
    kernel = surface.engine.engine.kernel
    assert (list(kernel.governor.locks), list(kernel.overrides), list(kernel.loosenings)) == ([], [], [])
    assert all(account.mode == "ACTIVE" for account in kernel.state.accounts.values())


async def test_a_role_that_is_not_enough_is_refused_for_every_command_that_changes_something(surface: Surface) -> None:
    for name in [each.name for each in COMMANDS.values() if each.mutates]:
        line = next(line for line, _ in WALK if line.split()[0] == name)
        line = line.replace("SILENCE", "s1").replace("OVERRIDE", "g1")
        await surface.ask(line, "needs the role", user=8)
    assert {each.code for each in surface.audit() if each.operator == "vic"} == {"E851"}


async def test_an_account_of_others_is_refused_and_not_shown(surface: Surface) -> None:
    for line in ("flatten eval", "positions eval", "lock eval", "ask eval account.equity"):
        await surface.ask(line, "no rights on account eval", user=9)
    assert "eval" not in await surface.ask("status", "All is within limits", user=9)


async def test_a_stranger_is_told_nothing_and_goes_on_record(surface: Surface) -> None:
    await surface.ask("status", "Not available", user=99)
    (first, *_) = surface.audit()
    assert (first.operator, first.code) == ("", "E851")
