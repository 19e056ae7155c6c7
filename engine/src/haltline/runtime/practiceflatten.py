"""The part of a drill that is done at the broker: a practice account is really flattened, the way any account would be.

An operator's request goes through the kernel and enforcement: entries are blocked, orders cancelled, positions closed,
the broker asked for the proof, and entries let go again. All of it is on record, marked as a drill.
"""

import asyncio
from collections.abc import Awaitable, Callable

from haltline.clock import NS_PER_S, Clock
from haltline.control.practice import PracticeAccount
from haltline.journal.receipt import Receipt
from haltline.model.event import ActionRequest, Event, OutcomeStatus
from haltline.model.plan import Result

LONGEST_NS = 60 * NS_PER_S
"""How long the proof is waited for; the flatten itself goes on until it is done, like any other."""


class PracticeFlatten:
    """Flattens practice accounts, and nothing else: it takes no account by its name. `heard` is told of receipts."""

    def __init__(self, *, submit: Callable[[Event], Awaitable[Result]], clock: Clock) -> None:
        self._submit = submit
        self._clock = clock
        self._prefix = ""
        self._last: Receipt | None = None
        self._ended = asyncio.Event()

    def heard(self, receipt: Receipt) -> None:
        """An action has ended; only that of the drill under way counts."""
        if not receipt.drill or not self._prefix or not receipt.action.startswith(self._prefix):
            return
        self._last = receipt
        if receipt.status is OutcomeStatus.DONE:
            self._ended.set()

    async def flatten(self, account: PracticeAccount, drill: str, operator: str) -> tuple[Receipt | None, str]:
        """The receipt of the last try, and why there is none; returns once it is done, or was not for too long."""
        now = self._clock.now()
        self._prefix, self._last = f"operator@{account.id}:flatten:{drill}", None
        self._ended.clear()
        try:
            result = await self._submit(
                ActionRequest(
                    at=now, received_at=now, account=account.id, name="flatten", request_id=drill, operator=operator,
                    reason="DRILL", drill=True,
                )
            )  # fmt: skip
            if not any(action.id.startswith(self._prefix) for action in result.plan):
                return None, "; ".join(result.notices) or "the engine did not plan it"
            async with asyncio.TaskGroup() as group:
                patience = group.create_task(self._give_up(now + LONGEST_NS))
                await self._ended.wait()
                patience.cancel()
        finally:
            self._prefix = ""
        return self._last, "" if self._last is not None else "it has not ended yet"

    async def _give_up(self, at: int) -> None:
        await self._clock.sleep_until(at)
        self._ended.set()
