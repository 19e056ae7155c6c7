"""What operators may ask of a running engine, and how front ends hand their requests over.

A front end knows who spoke (`Caller`) and what was said (`Request`); everything else, who that person is here, what
they may do, whether it must be confirmed, and the record of it, is the control service's business.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import msgspec

from haltline.api.broker import Started
from haltline.api.reply import Button, Cell, Reply
from haltline.clock import Clock
from haltline.model.event import Event
from haltline.model.plan import Result

type OnResult = Callable[[Result], None]


class Role(StrEnum):
    """What an operator may do; each may do everything that those before it may."""

    VIEWER = "viewer"
    TRADER = "trader"
    RISK_MANAGER = "risk-manager"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """0 for a viewer, 3 for an admin."""
        return list(Role).index(self)


class ArgumentKind(StrEnum):
    """What an argument names, which decides how it is read, checked and completed."""

    TEXT = "text"
    NUMBER = "number"
    QUANTITY = "quantity"
    DURATION = "duration"
    FLAG = "flag"
    CHOICE = "choice"
    ACCOUNT = "account"
    SYMBOL = "symbol"
    RULE = "rule"
    ENTITY = "entity"
    INCIDENT = "incident"
    LOCK = "lock"
    OVERRIDE = "override"
    SILENCE = "silence"
    ORDER = "order"
    COMMAND = "command"
    PENDING = "pending"
    SIDE = "side"
    CHANNEL = "channel"


class Confirm(StrEnum):
    """Whether a command is asked back before it is carried out.

    `never` · `press` by whoever asked · `loosening` also by a press, and by a second person or a one-time code where
    the set-up wants that for what makes room.
    """

    NEVER = "never"
    PRESS = "press"
    LOOSENING = "loosening"


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument of a command, in the order in which people write them. `rest` takes all words that are left.

    Optional ones may also be written ``name=value``. Values arrive typed: str, float (seconds for a duration), bool.
    """

    name: str
    meaning: str
    kind: ArgumentKind = ArgumentKind.TEXT
    required: bool = True
    choices: tuple[str, ...] = ()
    rest: bool = False


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who spoke, as a platform knows them. `user` is the platform's own id of the person, never that of a chat.

    `name` is what they call themselves and `place` where it was said (a chat, a channel): for the record only.
    """

    platform: str
    user: str
    name: str = ""
    place: str = ""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One command asked for. Arguments are text as typed or chosen; the service reads and checks them."""

    caller: Caller
    command: str
    arguments: Mapping[str, str] = {}


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """A value offered while somebody types."""

    value: str
    meaning: str = ""


class Call(Protocol):
    """A request that was allowed and confirmed, as the command that carries it out sees it."""

    operator: str
    role: Role
    caller: Caller
    arguments: Mapping[str, Cell]
    accounts: Sequence[str]
    """The accounts of the set-up that the operator may use this command on."""
    now: int
    request_id: str
    """Unique to this request, the same however often it is delivered."""

    def value(self, expression: str, account: str) -> Cell:
        """What an expression says of an account now; None is UNKNOWN. Raises EngineError for a wrong expression."""

    async def run(self, command: str, arguments: Mapping[str, str]) -> Reply:
        """Run a command that only reads, as the same operator; one that changes something is refused."""

    async def submit(self, event: Event) -> Result:
        """Have the kernel take an event, ahead of waiting prices; returns what followed once that is on record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Something operators can ask for; rendered alike by the command line, bots and HTTP.

    `run` carries it out; what it raises (EngineError) is the refusal. `account` names the argument on which the
    operator must have rights; without one the command concerns every account. `text` says, before it is confirmed,
    what will happen to what and why, from the arguments; empty for the engine's own wording.
    """

    name: str
    meaning: str
    run: Callable[[Call], Awaitable[Reply]]
    arguments: tuple[Argument, ...] = ()
    role: Role = Role.VIEWER
    mutates: bool = False
    confirm: Confirm = Confirm.NEVER
    account: str = ""
    section: str = "Plugins"
    example: str = ""
    text: Callable[[Call], str] | None = None


class Control(Protocol):
    """The one door for every front end. Nothing here raises for what a caller says: refusals are replies."""

    def commands(self, caller: Caller | None = None) -> Sequence[Command]:
        """All commands, or those that a caller may use: none for somebody who is not listed."""

    def complete(
        self, caller: Caller, command: str, argument: str, text: str, given: Mapping[str, str] | None = None
    ) -> Sequence[Choice]:
        """At most 25 values that begin like `text`, from the live state, that the caller may see."""

    async def run(self, request: Request) -> Reply:
        """Answer a request. ``confirm`` and ``decline`` (arguments: nonce, code) are commands like the others."""

    async def say(self, caller: Caller, line: str) -> Reply:
        """Answer a typed line: ``lock eval 1h because of the news``. A leading slash is ignored."""

    async def follow(self, reply: Reply) -> Reply:
        """Wait until the actions of a reply have ended; the receipt of all of them."""

    def buttons(self, incident: str) -> Sequence[Button]:
        """What can be done about a live incident now (acknowledge it, ask why, …); nothing for one that is over."""

    def subscribe(self, on_result: OnResult) -> Callable[[], None]:
        """Be told of every result once it is on record; returns what ends it. Must be quick and must not raise."""


class SurfaceMemory(Protocol):
    """What a front end keeps over restarts: small texts by key, at most 10,000; the oldest go first."""

    def get(self, key: str) -> str | None:
        """What was kept under a key, or None."""

    async def put(self, key: str, text: str) -> None:
        """Keep a text of at most 10,000 characters; returns once it is on disk."""

    async def forget(self, key: str) -> None:
        """Drop a key; returns once that is on disk."""


class Surface(Protocol):
    """A long-running front end. One that also has `send` of a `Notifier` is a channel of the same name."""

    async def run(self, control: Control, started: Started) -> None:
        """Connect, call `started`, serve until cancelled. Whatever it raises, it is called again after a pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceSetup:
    """What a front end is made from. Relative paths in `config` are resolved against `directory`, the set-up's folder.

    `people` are the ids that operators have on each platform, by platform, so that nobody else need be answered.
    """

    name: str
    config: Mapping[str, object]
    clock: Clock
    memory: SurfaceMemory
    directory: Path | None = None
    people: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceKind:
    """A registered kind of front end (bot, web page): named under `surfaces:`, made once, supervised by the engine.

    `max_chars` and `per_minute` are those of a `NotifierKind`, for one that is a channel too (it has `send`); one that
    says neither does not count as hearing anything when an account is armed.
    """

    name: str
    make: Callable[[SurfaceSetup], Surface]
    meaning: str
    schema: Mapping[str, object]
    max_chars: int | None = None
    per_minute: int | None = None
