"""Front ends of plugins: made from the set-up, run in a guard, heard as channels, and remembering over restarts."""

import asyncio
from pathlib import Path

import pytest
from operator_desk import START, STRANGER

from haltline import Haltline
from haltline.api import Caller, Command, Control, Message, Reply, Request, Started, SurfaceKind, SurfaceSetup
from haltline.clock import ManualClock
from haltline.config.load import load_book, load_setup
from haltline.errors import PluginFailed
from haltline.plugins.load import load_plugins
from haltline.runtime.compose import Parts

SETUP = """version: 1
accounts: {eval: {broker: paper, balance: 50000}}
operators: {tom: {role: trader, identities: {fake: 2}}}
surfaces: {desk: {kind: fake, config: {word: hello}}}
rules: [rules.yaml]
"""


class FakeSurface:
    """Falls over once, then serves; what it is told and what it hears is kept."""

    def __init__(self, setup: SurfaceSetup) -> None:
        self.setup = setup
        self.starts = 0
        self.heard: list[Message] = []
        self.control: Control | None = None

    async def run(self, control: Control, started: Started) -> None:
        self.starts += 1
        if self.starts == 1:
            raise RuntimeError("the platform is down")
        self.control = control
        await self.setup.memory.put("told", self.setup.memory.get("told") or "once")
        started()
        await asyncio.Event().wait()

    async def send(self, message: Message) -> str | None:
        self.heard.append(message)
        return None


def parts_of(folder: Path, made: list[FakeSurface], *commands: Command) -> Parts:
    (folder / "haltline.yaml").write_text(SETUP)
    registry = load_plugins().registry
    registry._frozen = False

    def make(setup: SurfaceSetup) -> FakeSurface:
        made.append(FakeSurface(setup))
        return made[-1]

    schema = {"type": "object", "properties": {"word": {"type": "string"}}, "additionalProperties": False}
    registry.add_surface(SurfaceKind(name="fake", make=make, meaning="for tests", schema=schema))
    for command in commands:
        registry.add_command(command)
    registry.freeze()
    setup = load_setup(folder / "haltline.yaml", registry, environ={})
    return Parts(setup=setup, book=load_book(setup.rule_files, registry, environ={}), registry=registry)


async def greet(call: object) -> Reply:
    return Reply(title="hello")


async def fail(call: object) -> Reply:
    raise RuntimeError("a bug with a secret inside")


async def test_a_surface_is_started_again_serves_remembers_and_hears(folder: Path) -> None:
    made: list[FakeSurface] = []
    parts = parts_of(folder, made, Command(name="greet", meaning="Say hello.", run=greet))
    clock = ManualClock(START)
    async with Haltline.from_parts(parts, clock=clock, in_memory=False) as engine:
        surface = made[0]
        assert (surface.setup.name, surface.setup.config, surface.setup.people) == (
            "desk", {"word": "hello"}, {"fake": ("2",)},
        )  # fmt: skip
        async with asyncio.timeout(10):
            while surface.control is None:
                clock.advance_to(clock.now() + 1_000_000_000)
                await asyncio.sleep(0)
        assert surface.starts == 2
        tom = Caller(platform="fake", user="2")
        assert (await surface.control.run(Request(caller=tom, command="greet"))).title == "hello"
        assert (await surface.control.say(STRANGER, "greet")).title == "Not available"
        await engine.engine.alarm("A title", "A text")
        async with asyncio.timeout(10):
            while not surface.heard:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
        assert surface.heard[0].title == "A title"
    async with Haltline.from_parts(parts, clock=ManualClock(clock.now()), in_memory=False):
        assert made[1].setup.memory.get("told") == "once"


async def test_a_command_that_raises_is_a_refusal_without_its_words(folder: Path) -> None:
    made: list[FakeSurface] = []
    parts = parts_of(folder, made, Command(name="greet", meaning="Say hello.", run=fail))
    async with Haltline.from_parts(parts, clock=ManualClock(START)) as engine:
        reply = await engine.engine.control.say(Caller(platform="fake", user="2"), "greet")
        assert reply.code == "E855" and "secret" not in str(reply)


async def test_a_plugin_cannot_take_a_command_of_the_engine(folder: Path) -> None:
    parts = parts_of(folder, [], Command(name="flatten", meaning="Mine.", run=greet))
    with pytest.raises(PluginFailed, match="E503"):
        async with Haltline.from_parts(parts, clock=ManualClock(START)):
            pass
