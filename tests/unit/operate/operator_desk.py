"""A desk of operators at a real engine on the paper broker: every role, two accounts, several platforms."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import cast

from haltline import Haltline
from haltline.api import Caller, Reply, Request, Role
from haltline.clock import NS_PER_S, ManualClock
from haltline.control.audit import CommandRecord, command_of
from haltline.control.command.catalogue import Help, built_in_commands
from haltline.control.door import Door
from haltline.control.service import ControlService
from haltline.journal.record import RecordKind

START = 1_746_540_000 * NS_PER_S
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
SETUP = """version: 1
mode: live
accounts:
  eval: {broker: paper, balance: 50000}
  other: {broker: paper, balance: 1000}
instruments: {MNQ: {tick_size: 0.25, tick_value: 0.5, currency: USD}}
operators:
  vic: {role: viewer, identities: {telegram: 1, local: vic}}
  tom: {role: trader, identities: {telegram: 2, discord: 22}}
  ria: {role: risk-manager, identities: {telegram: 3}}
  ada: {role: admin, identities: {telegram: 4, discord: 44}, totp: JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP}
  one: {role: admin, accounts: [other], identities: {telegram: 5}}
rules: [rules.yaml]
CONTROL
"""
RULES = """version: 1
rules:
  - id: daily-loss
    each: account
    limit: {value: account.day.loss, at: 500}
    then: [block_entries, notify]
"""
PEOPLE = {
    Role.VIEWER: Caller(platform="telegram", user="1"),
    Role.TRADER: Caller(platform="telegram", user="2"),
    Role.RISK_MANAGER: Caller(platform="telegram", user="3"),
    Role.ADMIN: Caller(platform="telegram", user="4"),
}
ONE = Caller(platform="telegram", user="5")
STRANGER = Caller(platform="telegram", user="99", name="ada", place="the right chat")


class Desk:
    """A running engine and its control service, with short ways to ask and to look."""

    def __init__(self, engine: Haltline, clock: ManualClock) -> None:
        self.engine = engine
        self.clock = clock
        self.control: ControlService = engine.engine.control

    async def say(self, caller: Caller, line: str) -> Reply:
        return await self.control.say(caller, line)

    async def confirm(self, caller: Caller, reply: Reply, *, code: str = "", command: str = "confirm") -> Reply:
        assert reply.confirmation is not None, reply
        arguments = {"nonce": reply.confirmation.nonce, "code": code}
        return await self.control.run(Request(caller=caller, command=command, arguments=arguments))

    async def done(self, caller: Caller, line: str) -> Reply:
        """Say it, and confirm it where that is asked for."""
        reply = await self.say(caller, line)
        return await self.confirm(caller, reply) if reply.confirmation is not None else reply

    def mode(self, account: str = "eval") -> str:
        return self.engine.engine.kernel.state.accounts[account].mode

    def audit(self) -> list[CommandRecord]:
        store = self.engine.engine.store
        return [command_of(record.body) for record in store.iterate(kinds=[RecordKind.COMMAND])]

    def journal(self) -> bytes:
        return b"\n".join(record.body for record in self.engine.engine.store.iterate())


COMMANDS = built_in_commands(cast("Door", None), Help())
BY_NAME = {command.name: command for command in COMMANDS}

type Open = Callable[..., AbstractAsyncContextManager[Desk]]
