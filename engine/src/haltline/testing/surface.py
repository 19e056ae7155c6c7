"""What a front end is tested with: a control service that answers what a test wants, and a memory without a disk."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from haltline.api.control import Caller, Choice, Command, OnResult, Request
from haltline.api.reply import Button, Reply


class FakeMemory:
    """`api.SurfaceMemory`; `puts` counts what a real one would have written to the disk."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.puts = 0

    def get(self, key: str) -> str | None:
        """What was kept, or None."""
        return self.texts.get(key)

    async def put(self, key: str, text: str) -> None:
        """Keep it."""
        self.puts += 1
        self.texts[key] = text

    async def forget(self, key: str) -> None:
        """Drop it."""
        self.texts.pop(key, None)


class FakeControl:
    """`api.Control`. `replies` has the answer for a command, or what to raise; others get one that names the command.

    `asked` keeps who asked for what: (user, command or line, arguments); `callers` the same people whole. What follows
    from an answer ends once `ended` is set, in `outcome`. `gates` hold a command up until their event is set.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Mapping[str, str]]] = []
        self.callers: list[Caller] = []
        self.replies: dict[str, Reply | BaseException] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.offered: Sequence[Command] = ()
        self.choices: Sequence[Choice] = ()
        self.ended = asyncio.Event()
        self.outcome = Reply(title="flat")

    def commands(self, caller: Caller | None = None) -> Sequence[Command]:
        """What is `offered`."""
        return self.offered

    def complete(
        self, caller: Caller, command: str, argument: str, text: str, given: Mapping[str, str] | None = None
    ) -> Sequence[Choice]:
        """Those of `choices` that begin so."""
        return [choice for choice in self.choices if choice.value.startswith(text)]

    async def run(self, request: Request) -> Reply:
        """The reply for the command."""
        return await self._answer(request.caller, request.command, request.command, request.arguments)

    async def say(self, caller: Caller, line: str) -> Reply:
        """The reply for the first word of the line."""
        return await self._answer(caller, line.removeprefix("/").partition(" ")[0], line, {})

    async def follow(self, reply: Reply) -> Reply:
        """`outcome`, once `ended` is set."""
        await self.ended.wait()
        return self.outcome

    def buttons(self, incident: str) -> Sequence[Button]:
        """None."""
        return ()

    def subscribe(self, on_result: OnResult) -> Callable[[], None]:
        """Nothing ever happens."""
        return lambda: None

    async def _answer(self, caller: Caller, command: str, said: str, arguments: Mapping[str, str]) -> Reply:
        self.asked.append((caller.user, said, dict(arguments)))
        self.callers.append(caller)
        if gate := self.gates.get(command):
            await gate.wait()
        reply = self.replies.get(command, Reply(title=f"answer to {command}"))
        if isinstance(reply, BaseException):
            raise reply
        return reply
