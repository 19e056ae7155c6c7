"""What an author of a front end implements for its conformance suite, and one front end at work in it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from typing import Protocol

from haltline.api import Argument, ArgumentKind, Call, Command, Reply, Surface, SurfaceMemory
from haltline.errors import EngineError
from haltline.testing.patience import Patient
from haltline.testing.surface import FakeControl, FakeMemory

_LOOK_S = 0.01
_AGAIN_S = 0.05


class SurfaceFlag(StrEnum):
    """What a front end and its platform have; a case that needs another flag is left out.

    `buttons` answers carry buttons · `repeats` the platform may deliver something twice · `outages` it can be away ·
    `wrong_key` a key that it does not know can be shown to it · `private` it has rooms of several people.
    """

    BUTTONS = "buttons"
    REPEATS = "repeats"
    OUTAGES = "outages"
    WRONG_KEY = "wrong_key"
    PRIVATE = "private"


class SurfaceWorld(Protocol):
    """A platform that a test holds in its hand, with people on it.

    `operator` and `colleague` are ids of people of the set-up, `stranger` is one of nobody. `secrets` must never be
    seen. `patience_s` is how long anything may take.
    """

    flags: frozenset[SurfaceFlag]
    operator: str
    colleague: str
    stranger: str
    secrets: Sequence[str]
    patience_s: float

    def make(self, memory: SurfaceMemory) -> Surface:
        """A new front end on the platform."""

    async def say(self, person: str, command: str, account: str = "", *, in_room: bool = False) -> None:
        """Somebody asks for a command, in private or in a room where the others are too."""

    async def press(self, person: str, label: str) -> None:
        """Somebody presses the newest button of that label that is there to be pressed; raises LookupError for none."""

    async def seen(self, person: str) -> Sequence[str]:
        """What this person can read, oldest first, as it is now."""

    async def repeat(self) -> None:
        """The platform delivers once more what it delivered last."""

    async def go_away(self) -> None:
        """The platform is down from now on."""

    async def come_back(self) -> None:
        """It is there again, and knows every key again."""

    async def forget_key(self) -> None:
        """From now on the platform does not know the front end's key."""


async def _nothing(call: Call) -> Reply:
    return Reply(title=call.operator)


_ACCOUNT = Argument(name="account", meaning="which", kind=ArgumentKind.ACCOUNT, required=False)
COMMANDS = tuple(
    Command(name=name, meaning=f"does {name}", run=_nothing, arguments=(_ACCOUNT,))
    for name in ("status", "flatten", "incidents", "positions")
)
"""What the control service of a case offers, each with an account that may be left out."""


class Stage(Patient):
    """A world with a control service that answers what a case wants, and a memory that outlives the front end.

    `losses` keeps what ended the front end: it is then run again, as the engine does.
    """

    def __init__(self, world: SurfaceWorld) -> None:
        self.world = world
        self.patience_s = world.patience_s
        self.control = FakeControl()
        self.control.offered = COMMANDS
        self.memory = FakeMemory()
        self.losses: list[Exception] = []
        self._started = asyncio.Event()

    @contextlib.asynccontextmanager
    async def running(self, *, is_awaited: bool = True) -> AsyncIterator[Surface]:
        """A front end at work until the block ends; with `is_awaited` it has said that it is ready."""
        self._started = asyncio.Event()
        surface = self.world.make(self.memory)
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(self._serve(surface), name="conformance-surface")
            try:
                if is_awaited:
                    await self.until_ready()
                yield surface
            finally:
                serving.cancel()
                await self.within(asyncio.wait([serving]), "run() to end after it was cancelled")

    async def until_ready(self) -> None:
        """Wait until the front end has said that it is ready."""
        await self.within(self._started.wait(), "the front end to be ready")

    async def _serve(self, surface: Surface) -> None:
        while True:
            try:
                await surface.run(self.control, self._started.set)
            except EngineError as loss:
                self.losses.append(loss)
            except Exception as failure:
                raise AssertionError(f"a front end raises Transient or Refused, not {failure!r}") from failure
            await asyncio.sleep(_AGAIN_S)

    async def until_seen(self, person: str, text: str) -> None:
        """Wait until somebody can read a text."""

        async def watch() -> None:
            while not any(text in each for each in await self.world.seen(person)):  # noqa: ASYNC110 - as above
                await asyncio.sleep(_LOOK_S)

        await self.within(watch(), f"{person} to read {text!r}")

    async def ask(self, line: str) -> None:
        """The operator says a line, and reads the answer."""
        await self.world.say(self.world.operator, line)
        await self.until_seen(self.world.operator, f"answer to {line.split(maxsplit=1)[0]}")

    async def until_asked(self, person: str, words: str) -> None:
        """Wait until the control service was asked for something in somebody's name."""
        await self.until(lambda: (person, words) in self.asked(), f"{person} to have asked for {words!r}")

    async def press(self, person: str, label: str) -> None:
        """Press a button as soon as it is there."""

        async def find() -> None:
            while True:
                with contextlib.suppress(LookupError):
                    await self.world.press(person, label)
                    return
                await asyncio.sleep(_LOOK_S)

        await self.within(find(), f"a button {label!r} for {person}")

    def asked(self) -> list[tuple[str, str]]:
        """Who asked for what so far: the command and its arguments, as words."""
        return [
            (user, " ".join((said.removeprefix("/"), *arguments.values())))
            for user, said, arguments in self.control.asked
        ]

    def known(self) -> str:
        """What was asked so far, and what ended `run`."""
        lost = f", run() ended with {self.losses[-1]}" if self.losses else ""
        return f"asked so far: {self.asked()[-5:]}{lost}"
