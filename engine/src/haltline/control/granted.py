"""A request that was allowed and confirmed, as the command sees it."""

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence

from haltline.api.control import Caller, Role
from haltline.api.reply import Cell, Reply
from haltline.control.door import Door
from haltline.control.operator import Operator
from haltline.errors import EngineError
from haltline.model.event import Event
from haltline.model.plan import Result

type RunOther = Callable[[Caller, str, Mapping[str, str]], Awaitable[Reply]]


class Granted:
    """One call of one command; implements `api.Call`."""

    def __init__(
        self, *, operator: Operator, caller: Caller, arguments: Mapping[str, Cell], now: int, question: str, door: Door,
        run_other: RunOther, mutates: bool,
    ) -> None:  # fmt: skip
        self.operator = operator.name
        self.role: Role = operator.role
        self.caller = caller
        self.arguments = arguments
        self.accounts: Sequence[str] = operator.accounts
        self.now = now
        self.question = question
        self.request_id = question or f"{operator.name}-{now}"
        self._door = door
        self._run_other = run_other
        self._mutates = mutates

    def value(self, expression: str, account: str) -> Cell:
        """What an expression says of an account now; None is UNKNOWN. Raises EngineError for a wrong expression."""
        self._require(account)
        value = self._door.kernel.evaluate(expression, account).value
        return None if isinstance(value, float) and math.isnan(value) else value

    async def run(self, command: str, arguments: Mapping[str, str]) -> Reply:
        """Run a command that only reads, as the same operator."""
        return await self._run_other(self.caller, command, arguments)

    async def submit(self, event: Event) -> Result:
        """Have the kernel take an event; raises EngineError for a command that says it changes nothing."""
        if not self._mutates:
            raise EngineError("a command that changes something must say so: mutates=True [E855]")
        account = getattr(event, "account", None)
        if account is not None:
            self._require(str(account))
        return await self._door.submit(event)

    def _require(self, account: str) -> None:
        if account not in self.accounts:
            raise EngineError(f"{self.operator} has no rights on account {account!r} [E851]")
