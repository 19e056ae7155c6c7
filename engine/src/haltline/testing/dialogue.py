"""The conformance suite of front ends: who asked is known, what is answered is read, and nothing is done twice.

```python
@pytest.mark.parametrize("case", surface_cases(MyWorld), ids=str)
async def test_the_bot_keeps_its_promises(case: SurfaceCase) -> None:
    await check_surface(case, MyWorld())
```
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from haltline.api import Button, Column, Confirmation, Paragraph, Reply, ReplyStatus, Table
from haltline.errors import Refused
from haltline.testing.notifier import HOSTILE
from haltline.testing.stage import Stage, SurfaceFlag, SurfaceWorld

__all__ = ["SURFACE_CASES", "Stage", "SurfaceCase", "SurfaceFlag", "SurfaceWorld", "check_surface", "surface_cases"]

_FLOOD = 30
_AWAY_S = 0.5
_WHY = Button(label="Why", command="why", arguments={"incident": "daily-loss/eval#1"})
_YES = Button(label="Flatten eval", command="confirm", arguments={"nonce": "n1"})
_NO = Button(label="Cancel", command="decline", arguments={"nonce": "n1"})

type _Check = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceCase:
    """One case; its title is a promise, which a front end makes by its `flags`."""

    id: str
    title: str
    check: _Check
    flags: frozenset[SurfaceFlag] = frozenset()

    def __str__(self) -> str:
        """Its id."""
        return self.id


def surface_cases(world: SurfaceWorld | type[SurfaceWorld]) -> Sequence[SurfaceCase]:
    """The cases that a world promises; a class will do, where `flags` is an attribute of it."""
    return [case for case in SURFACE_CASES if case.flags <= world.flags]


async def check_surface(case: SurfaceCase, world: SurfaceWorld) -> None:
    """Run one case on a fresh world; raises AssertionError in words where the front end does not keep its promise."""
    await case.check(Stage(world))


async def _asks_as_the_person(stage: Stage) -> None:
    world = stage.world
    async with stage.running():
        await world.say(world.operator, "status", "eval")
        await stage.until_seen(world.operator, "answer to status")
        await world.say(world.colleague, "positions")
        await stage.until_seen(world.colleague, "answer to positions")
    assert stage.asked() == [(world.operator, "status eval"), (world.colleague, "positions")]
    assert {caller.platform for caller in stage.control.callers} != {""}, "the platform is not named"


async def _arrives_whole(stage: Stage) -> None:
    world, cells = stage.world, ("MNQZ5", "three", "held since Monday")
    columns = tuple(Column(name=name, label=name.title()) for name in ("symbol", "size", "remark"))
    table = Table(columns=columns, rows=(cells,), title="Positions of eval")
    stage.control.replies["positions"] = Reply(title="One position", parts=(Paragraph(text="It is quiet"), table))
    async with stage.running():
        await world.say(world.operator, "positions")
        for text in ("One position", "It is quiet", *cells):
            await stage.until_seen(world.operator, text)


async def _hostile(stage: Stage) -> None:
    world = stage.world
    async with stage.running():
        for text in HOSTILE:
            column = Column(name="name", label="Name")
            table = Table(columns=(column,), rows=((text,),))
            stage.control.replies["positions"] = Reply(title="Positions", parts=(Paragraph(text=text), table))
            stage.control.asked.clear()
            await world.say(world.operator, "positions")
            await stage.until_asked(world.operator, "positions")
        await stage.ask("status")


async def _long(stage: Stage) -> None:
    world = stage.world
    parts = tuple(Paragraph(text=f"paragraph {number} " + "and so on " * 60) for number in range(12))
    stage.control.replies["status"] = Reply(title="A long story", parts=parts)
    async with stage.running():
        await world.say(world.operator, "status")
        for text in ("A long story", "paragraph 0 ", "paragraph 11 "):
            await stage.until_seen(world.operator, text)


async def _refused(stage: Stage) -> None:
    world = stage.world
    stage.control.replies["flatten"] = Reply(
        title="Not for a viewer", status=ReplyStatus.REFUSED, parts=(Paragraph(text="this takes a trader"),)
    )
    async with stage.running():
        await world.say(world.operator, "flatten", "eval")
        await stage.until_seen(world.operator, "Not for a viewer")
        await stage.until_seen(world.operator, "this takes a trader")


async def _stranger(stage: Stage) -> None:
    world = stage.world
    async with stage.running():
        for _ in range(_FLOOD):
            await world.say(world.stranger, "flatten", "eval")
        await stage.ask("status")
    asked = [person for person, _ in stage.asked()]
    assert asked.count(world.stranger) < _FLOOD / 2, "a stranger fills the record"


async def _slow(stage: Stage) -> None:
    world, gate = stage.world, asyncio.Event()
    stage.control.gates["flatten"] = gate
    async with stage.running():
        await world.say(world.operator, "flatten", "eval")
        await stage.until_asked(world.operator, "flatten eval")
        await world.say(world.colleague, "status")
        await stage.until_seen(world.colleague, "answer to status")
        gate.set()
        await stage.until_seen(world.operator, "answer to flatten")


async def _mistake(stage: Stage) -> None:
    world = stage.world
    stage.control.replies["flatten"] = ZeroDivisionError("a mistake of ours")
    async with stage.running():
        await world.say(world.operator, "flatten", "eval")
        await stage.until_asked(world.operator, "flatten eval")
        await stage.ask("status")
    assert stage.losses == [], "one answer that fails ended the front end"


async def _follows(stage: Stage) -> None:
    world = stage.world
    stage.control.replies["flatten"] = Reply(title="Flattening eval", actions=("a1",))
    stage.control.outcome = Reply(title="Eval is flat, by push and by pull")
    async with stage.running():
        await world.say(world.operator, "flatten", "eval")
        await stage.until_seen(world.operator, "Flattening eval")
        await stage.ask("status")
        stage.control.ended.set()
        await stage.until_seen(world.operator, "Eval is flat, by push and by pull")


async def _confirms(stage: Stage) -> None:
    world = stage.world
    asks = Confirmation(nonce="n1", text="closes 3 MNQ in eval", expires_at=1)
    stage.control.replies["flatten"] = Reply(
        title="Flatten eval?", status=ReplyStatus.ASKS, confirmation=asks, buttons=(_YES, _NO)
    )
    async with stage.running():
        await world.say(world.operator, "flatten", "eval")
        await stage.until_seen(world.operator, "closes 3 MNQ in eval")
        assert stage.asked() == [(world.operator, "flatten eval")], "nothing is confirmed by itself"
        await stage.press(world.operator, "Flatten eval")
        await stage.until_asked(world.operator, "confirm n1")
        await stage.until_seen(world.operator, "answer to confirm")


async def _presser(stage: Stage) -> None:
    world = stage.world
    stage.control.replies["incidents"] = Reply(title="One incident", buttons=(_WHY,))
    async with stage.running():
        await world.say(world.operator, "incidents", in_room=True)
        await stage.until_seen(world.colleague, "One incident")
        await stage.press(world.colleague, "Why")
        await stage.until_asked(world.colleague, "why daily-loss/eval#1")


async def _restart(stage: Stage) -> None:
    world = stage.world
    far = Button(label="Why", command="why", arguments={"incident": "daily-loss/eval#" + "1" * 120})
    stage.control.replies["incidents"] = Reply(title="One incident", buttons=(far,))
    async with stage.running():
        await world.say(world.operator, "incidents")
        await stage.until_seen(world.operator, "One incident")
    async with stage.running():
        await world.say(world.operator, "status")
        await stage.until_seen(world.operator, "answer to status")  # what was pressed before may have come too late
        await stage.press(world.operator, "Why")
        await stage.until_asked(world.operator, f"why {far.arguments['incident']}")


async def _repeated(stage: Stage) -> None:
    world = stage.world
    async with stage.running():
        await world.say(world.operator, "flatten", "eval")
        await stage.until_seen(world.operator, "answer to flatten")
        await world.repeat()
        await stage.ask("status")
    assert stage.asked().count((world.operator, "flatten eval")) == 1, "what was delivered twice was asked for twice"


async def _private(stage: Stage) -> None:
    world = stage.world
    stage.control.replies["positions"] = Reply(title="Long 3 in eval", private=True)
    async with stage.running():
        await stage.ask("status")
        await world.say(world.operator, "positions", in_room=True)
        await stage.until_seen(world.operator, "Long 3 in eval")
    assert not any("Long 3 in eval" in text for text in await world.seen(world.colleague)), "the room reads it too"


async def _outage(stage: Stage) -> None:
    world = stage.world
    async with stage.running():
        await stage.ask("status")
        await world.go_away()
        await asyncio.sleep(_AWAY_S)
        await world.come_back()
        await stage.ask("positions")


async def _away_at_start(stage: Stage) -> None:
    world = stage.world
    await world.go_away()
    async with stage.running(is_awaited=False):
        await asyncio.sleep(_AWAY_S)
        await world.come_back()
        await stage.until_ready()
        await stage.ask("status")


async def _wrong_key(stage: Stage) -> None:
    world = stage.world
    await world.forget_key()
    async with stage.running(is_awaited=False):
        await stage.until(lambda: stage.losses, "a refusal of the key")
    assert isinstance(stage.losses[0], Refused), f"a wrong key is Refused, not {stage.losses[0]!r}"
    _check_silence(stage, [str(stage.losses[0]), repr(stage.losses[0])])


async def _ends(stage: Stage) -> None:
    before = _tasks()
    async with stage.running():
        await stage.ask("status")

    def is_clean() -> bool:
        gc.collect()
        return _tasks() <= before

    await stage.until(is_clean, "the tasks of the front end to be gone")


async def _quiet(stage: Stage) -> None:
    world = stage.world
    async with stage.running() as surface:
        await stage.ask("status")
        _check_silence(stage, [repr(surface), str(surface), *await world.seen(world.operator)])
    kept = [*stage.memory.texts, *stage.memory.texts.values()]
    _check_silence(stage, kept)


def _check_silence(stage: Stage, said: Sequence[str]) -> None:
    for text in said:
        assert not any(secret in text for secret in stage.world.secrets), "a secret was said"


def _tasks() -> set[asyncio.Task[object]]:
    return {task for task in asyncio.all_tasks() if not task.done()}


def _case(number: int, title: str, check: _Check, *flags: SurfaceFlag) -> SurfaceCase:
    return SurfaceCase(id=f"SRF-{number:03}", title=title, check=check, flags=frozenset(flags))


SURFACE_CASES = (
    _case(1, "what is asked for is asked in the name of whoever said it, and answered to them", _asks_as_the_person),
    _case(2, "an answer arrives whole: its title, its sentences, its table", _arrives_whole),
    _case(3, "an answer of any text harms nothing, and the next one arrives", _hostile),
    _case(4, "a long answer arrives from its beginning to its end", _long),
    _case(5, "a refusal is read in words", _refused),
    _case(6, "a stranger cannot fill the record, and keeps no operator waiting", _stranger),
    _case(7, "a slow answer keeps nobody else waiting", _slow),
    _case(8, "an answer that fails does not end the front end", _mistake),
    _case(9, "how actions ended is told when they have, and keeps nobody from asking meanwhile", _follows),
    _case(10, "a question is confirmed by a press, and by nothing else", _confirms, SurfaceFlag.BUTTONS),
    _case(11, "a press counts as whoever pressed", _presser, SurfaceFlag.BUTTONS, SurfaceFlag.PRIVATE),
    _case(12, "a button works after a restart", _restart, SurfaceFlag.BUTTONS),
    _case(13, "what the platform delivers twice is asked for once", _repeated, SurfaceFlag.REPEATS),
    _case(14, "a private answer is not read by the room", _private, SurfaceFlag.PRIVATE),
    _case(15, "a platform that was away is served again", _outage, SurfaceFlag.OUTAGES),
    _case(16, "a platform that is away at the start is served once it is there", _away_at_start, SurfaceFlag.OUTAGES),
    _case(17, "a wrong key is refused, in words that do not hold it", _wrong_key, SurfaceFlag.WRONG_KEY),
    _case(18, "after `run` was cancelled no task is left", _ends),
    _case(19, "no secret is in what it looks like, keeps, or says", _quiet),
)
"""Every case, by id."""
