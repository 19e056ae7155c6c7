"""What can be made to go wrong with a request, armed one by one and used up request by request."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatch
from typing import Literal

from aiohttp import web

type Stage = Literal["before", "after"]


class FaultKind(StrEnum):
    """What goes wrong.

    `status` answered with an error of the platform · `hang` never answered · `delay` answered late · `drop` the
    connection is cut · `truncate` half of a JSON text · `garbage` a proxy's page of HTML instead of JSON.
    Events: `duplicate` the next ones are delivered twice · `reorder` in the wrong order.
    """

    STATUS = "status"
    HANG = "hang"
    DELAY = "delay"
    DROP = "drop"
    TRUNCATE = "truncate"
    GARBAGE = "garbage"
    DUPLICATE = "duplicate"
    REORDER = "reorder"


_OF_EVENTS = frozenset({FaultKind.DUPLICATE, FaultKind.REORDER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault. `call` is a pattern with `*` for what is called; letter case does not matter.

    `count` is how often it strikes, None until mended. `stage` says whether the request has taken effect by then.
    `after_s` is how late a delayed answer comes. `status`, `reason`, `code` and `retry_after_s` belong to `status`.
    """

    kind: FaultKind
    call: str = "*"
    count: int | None = 1
    stage: Stage = "before"
    after_s: float = 0.0
    status: int = 500
    reason: str = ""
    code: int = 0
    retry_after_s: float | None = None


class FaultBox:
    """The armed faults, oldest first."""

    def __init__(self) -> None:
        self._armed: list[tuple[Fault, int | None]] = []
        self._freed = asyncio.Event()

    def arm(self, fault: Fault) -> None:
        """Add a fault."""
        self._armed.append((fault, fault.count))

    def clear(self) -> None:
        """Take all of them away; requests that hang are cut."""
        self._armed.clear()
        self._freed.set()
        self._freed = asyncio.Event()

    def take_event(self, kind: FaultKind) -> bool:
        """Whether a fault of this kind meets the next events; it is used up by one."""
        return self._take(lambda fault: fault.kind is kind) is not None

    async def around(
        self, request: web.Request, call: str, serve: Callable[[], Awaitable[web.StreamResponse]],
        error: Callable[[Fault], web.Response],
    ) -> web.StreamResponse:  # fmt: skip
        """Serve a request as the armed faults let it; `error` makes the platform's own answer for `status`."""
        fault = self._on_call(call, "before")
        early = None if fault is None else await self._strike(fault, request, None, error)
        if early is not None:
            return early
        answer = await serve()
        fault = self._on_call(call, "after")
        late = None if fault is None else await self._strike(fault, request, answer, error)
        return answer if late is None else late

    async def _strike(
        self, fault: Fault, request: web.Request, answer: web.StreamResponse | None,
        error: Callable[[Fault], web.Response],
    ) -> web.Response | None:  # fmt: skip
        match fault.kind:
            case FaultKind.STATUS:
                return error(fault)
            case FaultKind.DELAY:
                await asyncio.sleep(fault.after_s)
                return None
            case FaultKind.GARBAGE:
                return web.Response(status=502, text="<html><h1>502 Bad Gateway</h1></html>", content_type="text/html")
            case FaultKind.TRUNCATE:
                body = answer.body if isinstance(answer, web.Response) and isinstance(answer.body, bytes) else b'{"ok"'
                return web.Response(body=body[: max(1, len(body) // 2)], content_type="application/json")
            case FaultKind.HANG:
                await self._freed.wait()
        return _cut(request)

    def _on_call(self, call: str, stage: Stage) -> Fault | None:
        lowered = call.lower()
        return self._take(
            lambda fault: fault.kind not in _OF_EVENTS and fault.stage == stage and fnmatch(lowered, fault.call.lower())
        )

    def _take(self, meets: Callable[[Fault], bool]) -> Fault | None:
        for place, (fault, left) in enumerate(self._armed):
            if not meets(fault):
                continue
            if left is not None and left <= 1:
                del self._armed[place]
            elif left is not None:
                self._armed[place] = fault, left - 1
            return fault
        return None


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
