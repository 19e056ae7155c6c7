"""The time of an action is shared by what it does: what hangs keeps no other order and no other position waiting.

Contract. An order that nobody can cancel, or a position whose order does not fill, is left after a share of the time
(`Budget.cancel_ns`, `Budget.part_ns`), and the action goes on with the rest; once one has used its share up, others of
its kind are sent and looked at once. Then the action is run again, for as long as there is time: where one thing alone
was left, that one is waited for; where there are several, each is looked at once a round, and the rounds grow apart,
because venues count calls. Where other actions wait for the account, one about a single order or symbol fails after its
share, to be tried again.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

from haltline.api import Desk
from haltline.clock import NS_PER_S, format_duration
from haltline.enforce.earlier import RecallingDesk
from haltline.enforce.order import ZERO
from haltline.errors import OutcomeUnknown, Transient
from haltline.model.id import AccountId, Symbol
from haltline.model.order import OrderReport
from haltline.model.plan import PlannedAction
from haltline.rules.arbiter import CANCEL, FLATTEN

type Run = Callable[[PlannedAction, Desk], Awaitable[None]]


class SharingDesk(RecallingDesk):
    """A desk whose `cancel` and `reduce` end after a share of the time, as `run_in_rounds` says.

    `is_awaited` tells whether other actions wait for the account.
    """

    is_awaited: Callable[[], bool] = staticmethod(lambda: False)
    _own_ns = 0
    _yields_at: int | None = None
    _is_shared = False
    _round = 0
    _left: frozenset[str] = frozenset()
    _most_s: float | None = None
    _whole: int | None = None

    async def run_in_rounds(self, run: Run, planned: PlannedAction, verbs: Desk) -> None:
        """Run an action, and again while something was left of it for want of time. Raises what its last run raised."""
        self._round, self._is_shared = 0, True
        is_of_all = planned.symbol is None or planned.name == FLATTEN  # that of a position rule has one
        self._own_ns = self._budget.cancel_ns if planned.name == CANCEL else self._budget.part_ns
        self._yields_at = None if is_of_all else self._clock.now() + self._own_ns
        while True:
            self._left = frozenset()
            try:
                await run(planned, verbs)
            except (Transient, OutcomeUnknown):
                if not self._left:
                    raise
            else:
                return
            self._is_shared = len(self._left) > 1
            if self._is_shared and self._round:
                rested = self._clock.now() + (NS_PER_S << self._round)
                await self._wait.until(self._clock, min(self._deadline, rested))
            self._round += 1
            await self.recall()

    async def cancel(self, account: AccountId, order: OrderReport) -> None:
        """As of `ActionDesk`, within its share; a call that hangs is given no longer either."""
        with self._share("cancel", order.order_id, self._budget.cancel_ns) as share_ns:
            self._most_s = max(share_ns, self._budget.cancel_ns // 8) / NS_PER_S if self._is_shared else None
            await super().cancel(account, order)

    async def reduce(self, account: AccountId, symbol: Symbol, *, to: Decimal, was: Decimal = ZERO) -> None:
        """As of `ActionDesk`, within its share."""
        with self._share("reduce", symbol, self._budget.part_ns):
            await super().reduce(account, symbol, to=to, was=was)

    @property
    def _longest_s(self) -> float:
        longest_s = super()._longest_s
        return longest_s if self._most_s is None else min(longest_s, self._most_s)

    @contextmanager
    def _share(self, kind: str, name: str, share_ns: int) -> Iterator[int]:
        """Let what is done inside end after its share, which is told; remember it if time was all that it lacked."""
        whole = self._whole = self._deadline
        share_ns = 0 if self._round or any(left.startswith(kind) for left in self._left) else share_ns
        if self._is_shared:
            self._deadline = min(whole, self._clock.now() + share_ns)
        try:
            yield share_ns
        except (Transient, OutcomeUnknown):
            if self._deadline < whole and self._clock.now() >= self._deadline:
                self._left |= {f"{kind} {name}"}
            raise
        finally:
            self._deadline, self._most_s, self._whole = whole, None, None

    async def _pause(self, attempt: int) -> int:
        """As of `ActionDesk`; an action about one symbol has had its share where others wait."""
        if self._yields_at is not None and self._clock.now() >= self._yields_at and self.is_awaited():
            self._require_lane()
            cause = self._doubt or self._last_failure
            waited = f"not confirmed within {format_duration(self._own_ns)}, and other actions wait"
            raise (OutcomeUnknown if self._doubt else Transient)(waited + (f" ({cause})" if cause else ""))
        if self._whole is not None and self._not_before > self._clock.now():  # it is the broker's time, and no share
            self._deadline = min(self._whole, max(self._deadline, self._not_before + self._budget.first_wait_ns))
        return await super()._pause(attempt)
