"""The conformance suite of front ends on a small one in memory, and on front ends with one fault each."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from haltline.api import Button, Caller, Control, Part, Reply, Request, Started, SurfaceMemory
from haltline.api.reply import Paragraph, Table
from haltline.errors import Refused, Transient
from haltline.testing.dialogue import SURFACE_CASES, SurfaceCase, SurfaceFlag, check_surface, surface_cases
from haltline.testing.surface import FakeMemory

KEY = "s3cret"


@dataclass
class Said:
    """Something said, or pressed, on the platform."""

    number: int
    person: str
    command: str
    arguments: dict[str, str]
    in_room: bool
    edits: int | None = None


@dataclass
class Shown:
    """A message of the front end; `to` is None in the room."""

    to: str | None
    text: str
    buttons: tuple[Button, ...] = ()


@dataclass
class Platform:
    """Where people and the front end meet: what was said waits in `inbox`."""

    inbox: asyncio.Queue[Said] = field(default_factory=asyncio.Queue)
    shown: list[Shown] = field(default_factory=list)
    last: Said | None = None
    is_there: asyncio.Event = field(default_factory=asyncio.Event)
    key: str = KEY


class Front:
    """A front end as it should be."""

    def __init__(self, platform: Platform, memory: SurfaceMemory, people: Sequence[str]) -> None:
        self._platform = platform
        self._memory = memory
        self._people = people
        self._strangers = 0

    async def run(self, control: Control, started: Started) -> None:
        if self._platform.key != KEY:
            raise Refused("the platform does not know the key")
        if not self._platform.is_there.is_set():
            await asyncio.sleep(0)
            raise Transient("the platform is away")
        started()
        async with asyncio.TaskGroup() as group:
            while True:
                said = await self._platform.inbox.get()
                if await self._is_new(said) and self._is_welcome(said):
                    group.create_task(self._answer(control, said))

    async def _is_new(self, said: Said) -> bool:
        if self._memory.get(str(said.number)):
            return False
        await self._memory.put(str(said.number), "done")
        return True

    def _is_welcome(self, said: Said) -> bool:
        self._strangers += said.person not in self._people
        return said.person in self._people or self._strangers <= 1

    async def _answer(self, control: Control, said: Said) -> None:
        caller = Caller(platform="memory", user=said.person)
        try:
            reply = await control.run(Request(caller=caller, command=said.command, arguments=said.arguments))
        except ArithmeticError:
            return
        self.show(said, reply)
        if reply.actions:
            self.show(said, await control.follow(reply))

    def show(self, said: Said, reply: Reply) -> None:
        to = said.person if reply.private or not said.in_room else None
        question = reply.confirmation.text if reply.confirmation else ""
        text = "\n".join([reply.title, question, *(_words(part) for part in reply.parts)])
        self._platform.shown.append(Shown(to, text, reply.buttons))


def _words(part: Part) -> str:
    match part:
        case Paragraph():
            return part.text
        case Table():
            return "\n".join(" ".join(str(cell) for cell in row) for row in part.rows)
    return ""


class Impostor(Front):
    async def _answer(self, control: Control, said: Said) -> None:
        said.person = self._people[0]
        await super()._answer(control, said)


class Terse(Front):
    def show(self, said: Said, reply: Reply) -> None:
        super().show(said, Reply(title=reply.title[:40], private=reply.private, buttons=reply.buttons))


class Hospitable(Front):
    def _is_welcome(self, said: Said) -> bool:
        return True


class Patient(Front):
    async def _answer(self, control: Control, said: Said) -> None:
        while self._memory.get("busy"):  # noqa: ASYNC110 - that it waits for the others is its fault
            await asyncio.sleep(0)
        await self._memory.put("busy", "yes")
        await super()._answer(control, said)
        await self._memory.forget("busy")


class Fragile(Front):
    async def _answer(self, control: Control, said: Said) -> None:
        try:
            await control.run(Request(caller=Caller(platform="memory", user=said.person), command=said.command))
        except ArithmeticError as mistake:
            raise Transient("down") from mistake
        await super()._answer(control, said)


class Eager(Front):
    async def _answer(self, control: Control, said: Said) -> None:
        await super()._answer(control, said)
        for each in self._platform.shown[-1].buttons[:1]:
            await super()._answer(control, Said(-1, said.person, each.command, each.arguments, said.in_room))


class Forgetful(Front):
    async def _is_new(self, said: Said) -> bool:
        return True


class Indiscreet(Front):
    def show(self, said: Said, reply: Reply) -> None:
        self._platform.shown.append(Shown(None, reply.title, reply.buttons))


class Stubborn(Front):
    async def run(self, control: Control, started: Started) -> None:
        if self._platform.key != KEY:
            raise Transient(f"key {KEY} does not work")
        await super().run(control, started)


class Leaving(Front):
    left: list[asyncio.Task[bool]] = []  # noqa: RUF012 - of all of them, to be ended by the test

    async def run(self, control: Control, started: Started) -> None:
        self.left.append(asyncio.ensure_future(asyncio.Event().wait()))
        await super().run(control, started)


class Talkative(Front):
    def __repr__(self) -> str:
        return f"Talkative(key={KEY!r})"


class MemoryWorld:
    """The platform in memory; its people are Anna, Ben and Mallory."""

    flags = frozenset(SurfaceFlag)
    operator, colleague, stranger = "anna", "ben", "mallory"
    secrets: Sequence[str] = (KEY,)
    patience_s = 30.0

    def __init__(self, kind: type[Front] = Front) -> None:
        self.platform = Platform()
        self.platform.is_there.set()
        self._kind = kind
        self._number = 0

    def make(self, memory: SurfaceMemory) -> Front:
        return self._kind(self.platform, memory, (self.operator, self.colleague))

    async def say(self, person: str, command: str, account: str = "", *, in_room: bool = False) -> None:
        self._put(person, command, {"account": account} if account else {}, in_room=in_room)

    async def press(self, person: str, label: str) -> None:
        for message in reversed(self.platform.shown):
            for button in message.buttons:
                if button.label == label and message.to in (None, person):
                    self._put(person, button.command, button.arguments, in_room=message.to is None)
                    return
        raise LookupError(label)

    async def seen(self, person: str) -> Sequence[str]:
        return [message.text for message in self.platform.shown if message.to in (None, person)]

    async def repeat(self) -> None:
        assert self.platform.last is not None
        self.platform.inbox.put_nowait(self.platform.last)

    async def go_away(self) -> None:
        self.platform.is_there.clear()

    async def come_back(self) -> None:
        self.platform.is_there.set()

    async def forget_key(self) -> None:
        self.platform.key = "another"

    def _put(self, person: str, command: str, arguments: dict[str, str], *, in_room: bool) -> None:
        self._number += 1
        self.platform.last = Said(self._number, person, command, arguments, in_room)
        self.platform.inbox.put_nowait(self.platform.last)


HELD = {case.id: case for case in SURFACE_CASES}


@pytest.mark.parametrize("case", surface_cases(MemoryWorld), ids=str)
async def test_a_good_front_end_keeps_every_promise(case: SurfaceCase) -> None:
    await check_surface(case, MemoryWorld())


@pytest.mark.parametrize(
    ("bad", "failing"),
    [
        (Impostor, 1), (Terse, 2), (Terse, 4), (Terse, 5), (Hospitable, 6), (Patient, 7), (Fragile, 8), (Eager, 10),
        (Impostor, 11), (Forgetful, 13), (Indiscreet, 14), (Stubborn, 17), (Leaving, 18), (Talkative, 19),
    ],
)  # fmt: skip
async def test_a_bad_front_end_fails_the_case_that_is_about_it(bad: type[Front], failing: int) -> None:
    world = MemoryWorld(bad)
    world.patience_s = 0.4
    try:
        with pytest.raises((AssertionError, ExceptionGroup)) as caught:
            await check_surface(HELD[f"SRF-{failing:03}"], world)
        assert caught.group_contains(AssertionError) if isinstance(caught.value, ExceptionGroup) else str(caught.value)
    finally:
        for task in Leaving.left:
            task.cancel()
        Leaving.left.clear()


def test_case_ids_are_unique_and_every_case_says_what_it_promises() -> None:
    assert len(HELD) == len(SURFACE_CASES) == 19
    assert all(case.title and not case.title.endswith(".") for case in SURFACE_CASES)


def test_a_case_counts_only_where_its_flags_are_there() -> None:
    class Plain(MemoryWorld):
        flags = frozenset[SurfaceFlag]()

    counted = {case.id for case in surface_cases(Plain)}
    assert "SRF-001" in counted
    assert not {"SRF-010", "SRF-013", "SRF-017"} & counted
    assert FakeMemory().get("nothing") is None
