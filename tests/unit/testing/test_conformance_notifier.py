"""The conformance suite of channels on the built-in `jsonl`, and on channels with one fault each."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from haltline.api import Message, Notifier
from haltline.builtins.notifier.jsonl import JsonlNotifier
from haltline.testing.notifier import NOTIFIER_CASES, NotifierCase, check_notifier


class JsonlWorld:
    """A file that can be put out of reach."""

    secrets: Sequence[str] = ("s3cret",)
    patience_s = 3.0

    def __init__(self, folder: Path) -> None:
        self._path = folder / "there" / "out.jsonl"
        self._path.parent.mkdir()

    def make(self) -> Notifier:
        return JsonlNotifier(self._path)

    async def received(self) -> Sequence[str]:
        lines = self._path.read_bytes().splitlines() if self._path.exists() else []
        return [msgspec.json.decode(line)["text"] for line in lines]

    async def break_down(self) -> None:
        self._path.mkdir()

    async def mend(self) -> None:
        self._path.rmdir()


class Deaf:
    async def send(self, message: Message) -> str | None:
        return None


class Rude:
    async def send(self, message: Message) -> str | None:
        raise KeyError(message.title)


class Talkative(JsonlNotifier):
    def __repr__(self) -> str:
        return "Talkative(token='s3cret')"


@pytest.mark.parametrize("case", NOTIFIER_CASES, ids=str)
async def test_jsonl_keeps_its_promises(case: NotifierCase, tmp_path: Path) -> None:
    await check_notifier(case, JsonlWorld(tmp_path))


@pytest.mark.parametrize(("bad", "failing"), [(Deaf(), 0), (Deaf(), 1), (Deaf(), 2), (Deaf(), 3), (Rude(), 0)])
async def test_a_bad_channel_fails_the_case_that_is_about_it(bad: Notifier, failing: int, tmp_path: Path) -> None:
    world = JsonlWorld(tmp_path)
    world.make = lambda: bad  # type: ignore[method-assign]
    with pytest.raises((AssertionError, KeyError)):
        await check_notifier(NOTIFIER_CASES[failing], world)


async def test_a_channel_that_shows_its_token_fails(tmp_path: Path) -> None:
    world = JsonlWorld(tmp_path)
    world.make = lambda: Talkative(tmp_path / "there" / "out.jsonl")  # type: ignore[method-assign]
    with pytest.raises(AssertionError, match="secret"):
        await check_notifier(NOTIFIER_CASES[5], world)
