"""The conformance suite of channels: a message arrives whole, hostile text harms nobody, and failures are classified.

```python
@pytest.mark.parametrize("case", NOTIFIER_CASES, ids=str)
async def test_the_channel_keeps_its_promises(case: NotifierCase) -> None:
    await check_notifier(case, MyWorld())
```
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from haltline.api import EditingNotifier, Message, Notifier
from haltline.errors import Refused, Transient
from haltline.model.rule import Severity

HOSTILE = (
    "<b>bold</b> & <script>", "*_`[x](https://example.com)`_*", "@everyone <@1> #all", "\x00\x07\x1b[31m",
    "\ud83d\ude80", "\u202etxt.exe", "a" * 20_000, "line\r\nline\n\n", "${HOME} {0} %s", "",
)  # fmt: skip
"""Texts as people and venues write them."""


class NotifierWorld(Protocol):
    """A receiver that a test holds in its hand. `patience_s` is how long a message may take."""

    secrets: Sequence[str]
    patience_s: float

    def make(self) -> Notifier:
        """A new channel to the receiver."""

    async def received(self) -> Sequence[str]:
        """What has arrived, oldest first, as its readers see it."""

    async def break_down(self) -> None:
        """From now on nothing is taken."""

    async def mend(self) -> None:
        """Everything is taken again."""


type _Check = Callable[[NotifierWorld, Notifier], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifierCase:
    """One case; its title is a promise."""

    id: str
    title: str
    check: _Check

    def __str__(self) -> str:
        """Its id."""
        return self.id


async def check_notifier(case: NotifierCase, world: NotifierWorld) -> None:
    """Run one case on a fresh world; raises AssertionError where the channel does not keep its promise."""
    async with asyncio.timeout(world.patience_s * (len(HOSTILE) + 2)):
        await case.check(world, world.make())


def _message(text: str = "the limit was reached", *, number: int = 1, severity: Severity = Severity.INFO) -> Message:
    facts = (("account", "eval"), ("loss", "512.50"))
    return Message(
        id=f"conformance:{number}", at=number, severity=severity, title=f"Message {number}", text=text, facts=facts
    )


async def _arrives(world: NotifierWorld, channel: Notifier) -> None:
    await channel.send(_message("the limit was reached at 512.50"))
    assert any("the limit was reached at 512.50" in each for each in await world.received())


async def _severities(world: NotifierWorld, channel: Notifier) -> None:
    for number, severity in enumerate(Severity):
        await channel.send(_message(f"of severity {severity}", number=number, severity=severity))
    received = await world.received()
    assert all(any(f"of severity {each}" in text for text in received) for each in Severity)


async def _hostile(world: NotifierWorld, channel: Notifier) -> None:
    for number, text in enumerate(HOSTILE):
        try:
            await channel.send(_message(text, number=number))
        except Refused:
            continue  # the engine then sends it plain, or by another channel
    await channel.send(_message("and then a plain one", number=99))
    assert any("and then a plain one" in each for each in await world.received())


async def _down(world: NotifierWorld, channel: Notifier) -> None:
    await world.break_down()
    try:
        await channel.send(_message())
    except (Transient, Refused) as failure:
        assert str(failure), "a failure says what is wrong"
        assert not any(secret in str(failure) for secret in world.secrets), "a secret was said"
    else:
        raise AssertionError("nothing was taken, and send() returned")
    await world.mend()
    await channel.send(_message("again there"))
    assert any("again there" in each for each in await world.received())


async def _edits(world: NotifierWorld, channel: Notifier) -> None:
    if not isinstance(channel, EditingNotifier):
        return
    handle = await channel.send(_message("it began"))
    assert handle, "a channel that edits gives a handle"
    await channel.edit(handle, _message("it ended"))
    assert any("it ended" in each for each in await world.received())


async def _quiet(world: NotifierWorld, channel: Notifier) -> None:
    await channel.send(_message())
    said = (repr(channel), str(channel), *await world.received())
    assert not any(secret in text for text in said for secret in world.secrets), "a secret was said"


NOTIFIER_CASES = (
    NotifierCase(id="NTF-001", title="a message arrives with its text", check=_arrives),
    NotifierCase(id="NTF-002", title="messages of every severity arrive", check=_severities),
    NotifierCase(id="NTF-003", title="text of any sort is taken or refused, and the next one arrives", check=_hostile),
    NotifierCase(id="NTF-004", title="what is not taken is Transient or Refused, and works later", check=_down),
    NotifierCase(id="NTF-005", title="a channel that edits changes what it delivered", check=_edits),
    NotifierCase(id="NTF-006", title="no secret is in what it looks like or delivers", check=_quiet),
)
"""Every case, by id."""
