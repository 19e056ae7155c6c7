"""Puts the equity of every account on record, once a minute and only where it has changed."""

from haltline.clock import NS_PER_S, Clock
from haltline.journal.curve import EquityPoint, EquitySample
from haltline.journal.record import RecordKind, entry_of
from haltline.kernel.kernel import Kernel
from haltline.model.id import AccountId
from haltline.runtime.writer import Writer

SAMPLE_EVERY_NS = 60 * NS_PER_S


class Sampler:
    """Reads the kernel, writes to the journal; nothing waits for it."""

    def __init__(self, *, kernel: Kernel, writer: Writer, clock: Clock) -> None:
        self._kernel = kernel
        self._writer = writer
        self._clock = clock
        self._last: dict[AccountId, EquityPoint] = {}

    async def run(self) -> None:
        """Sample at every whole minute until cancelled; minutes that were slept through are not made up for."""
        while True:
            now = self._clock.now()
            await self._clock.sleep_until(now - now % SAMPLE_EVERY_NS + SAMPLE_EVERY_NS)
            await self.sample()

    async def sample(self) -> None:
        """Write what has changed since the last sample."""
        accounts = self._kernel.state.accounts.items()
        points = [_point(AccountId(key), account.equity, account.day.total_pnl) for key, account in accounts]
        changed = tuple(point for point in points if self._last.get(point.account) != point)
        if not changed:
            return
        self._last.update((point.account, point) for point in changed)
        entry = entry_of(RecordKind.EQUITY, self._clock.now(), EquitySample(points=changed))
        await self._writer.record([entry], durable=False)


def _point(account: AccountId, equity: float, day_pnl: float) -> EquityPoint:
    return EquityPoint(account=account, equity=_known(equity), day_pnl=_known(day_pnl))


def _known(number: float) -> float | None:
    return number if number == number else None
