"""Somebody at the paper venue beside the engine: moves prices, trades by hand, arms faults, and looks at the truth."""

import asyncio
import itertools
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

import msgspec

from haltline.api import AccountSnapshot
from haltline.errors import Refused
from haltline.model.id import AccountId
from haltline_sim_paper.wire import ANSWERS, LONGEST_LINE, Answer, Ask, Call, Login, Snapshot, Token, line_of

_AGAIN_S = 0.05
_LONGEST_S = 3.0


class Hand:
    """One connection, made anew whenever the venue is gone. `async with` opens and closes it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._token = ""
        self._reading: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lose()

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        """The truth about an account."""
        return await self.do(Snapshot(account=account), AccountSnapshot)

    async def do[T](self, call: Call, kind: type[T]) -> T:
        """Make a call, again if the venue is away or silent meanwhile; raises Refused for what it will not do."""
        while True:
            with suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(_LONGEST_S):
                    await self._connect()
                    answer = await self._ask(call)
                if answer.error is None:
                    return msgspec.json.decode(answer.ok, type=kind)
                if answer.error.kind != "expired":
                    raise Refused(answer.error.reason)
                self._lose()
            await asyncio.sleep(_AGAIN_S)  # sleeps: the venue is in another process

    async def _connect(self) -> None:
        async with self._connecting:
            if self._writer is not None:
                return
            reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=LONGEST_LINE)
            self._reading = asyncio.create_task(self._read(reader))
            answer = await self._ask(Login(key="paper", by_hand=True))
            self._token = msgspec.json.decode(answer.ok, type=Token).token

    async def _ask(self, call: Call) -> Answer:
        if self._writer is None:
            raise ConnectionResetError
        number = next(self._numbers)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._writer.write(line_of(Ask(id=number, call=call, token=self._token)))
        return await waiting

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):
            while line := await reader.readline():
                answer = ANSWERS.decode(line)
                waiting = self._waiting.pop(answer.id or 0, None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)
        self._lose()

    def _lose(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
        waiting: Mapping[int, asyncio.Future[Answer]] = dict(self._waiting)
        self._waiting.clear()
        for each in waiting.values():
            if not each.done():
                each.set_exception(ConnectionResetError())
