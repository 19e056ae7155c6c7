"""Pull against push: every broker is asked again and again for its truth, and where ours differs, people can see it.

A difference that two pulls show, a little apart, is believed: it goes on record and into the list, and the pull wins.
One that comes back in the next round, although it was corrected, persists: people are told, and the account counts as
not confirmed (entries wait) until a round finds none. Pulls use the share of reading and never what is reserved for
enforcement; while orders or fills arrive, a round says nothing. Where a broker does not answer, it is asked again soon,
and so is one of whose account something is expected (`hurries`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal

import msgspec

from haltline.api import AccountSnapshot
from haltline.clock import NS_PER_S, Clock
from haltline.control.door import Difference
from haltline.errors import InvariantBroken
from haltline.journal.record import notice_entry
from haltline.kernel.kernel import Kernel
from haltline.model.event import Event
from haltline.model.id import AccountId
from haltline.runtime.discreet import Puller
from haltline.runtime.guarded import PullBook
from haltline.runtime.health import HealthBook, Tell
from haltline.runtime.reconcile import activity_of, corrections
from haltline.runtime.writer import Writer

EVERY_NS = 30 * NS_PER_S
LOOK_AGAIN_NS = 2 * NS_PER_S
"""How long pushes may be behind a pull before the two contradict each other."""
SOON_NS = 5 * NS_PER_S
"""How long after a pull without an answer the next one is made."""
_CALL_S = 25.0


def differences(kernel: Kernel, snapshot: AccountSnapshot) -> tuple[Difference, ...]:
    """Positions and working orders that are not the same here and there; money follows the broker and is none."""
    account = snapshot.account.account
    known = kernel.state.accounts.get(account)
    if known is None:
        return ()
    ours: dict[str, str] = {f"position {symbol}": _plain(held.lot.size) for symbol, held in known.book.items()}
    theirs: dict[str, str] = {}
    for position in snapshot.positions:
        if position.quantity:
            theirs[f"position {_name(kernel, position.symbol)}"] = _plain(position.quantity)
    ours |= {f"order {key}": _left(order.report.remaining) for key, order in known.order_book.items()}
    theirs |= {f"order {order.order_id}": _left(order.remaining) for order in snapshot.orders}
    return tuple(
        Difference(account=account, about=about, ours=ours.get(about, "none"), theirs=theirs.get(about, "none"))
        for about in sorted({*ours, *theirs})
        if ours.get(about) != theirs.get(about)
    )


class Comparison:
    """Compares every account with its broker, on a clock. `found` is what differs now, or was corrected last."""

    def __init__(
        self, *, kernel: Kernel, accounts: Mapping[AccountId, Puller], clock: Clock, confirmed: set[AccountId],
        health: HealthBook, writer: Writer, put: Callable[[Event], None], settle: Callable[[], Awaitable[None]],
        tell: Tell, pulls: PullBook, every_ns: int = EVERY_NS,
        hurries: Callable[[AccountId], bool] = lambda account: False,
    ) -> None:  # fmt: skip
        self._kernel = kernel
        self._accounts = accounts
        self._clock = clock
        self._confirmed = confirmed
        self._health = health
        self._writer = writer
        self._put = put
        self._settle = settle
        self._tell = tell
        self._pulls = pulls
        self._every_ns = every_ns
        self._hurries = hurries
        self._found: dict[AccountId, tuple[Difference, ...]] = {}
        self._persisting: set[AccountId] = set()

    @property
    def found(self) -> tuple[Difference, ...]:
        """What the last round found, account by account."""
        return tuple(each for account in sorted(self._found) for each in self._found[account])

    async def run(self) -> None:
        """Compare until cancelled. What a round misses, the next one finds."""
        due = self._clock.now() + self._every_ns
        while True:
            await self._clock.sleep_until(min(due, self._clock.now() + SOON_NS) if self._urgent() else due)
            is_due = self._clock.now() >= due
            if is_due:
                due = self._clock.now() + self._every_ns
            for account in self._compared() if is_due else self._urgent():
                await self.compare(account)

    async def compare(self, account: AccountId) -> None:
        """One round for one account."""
        first = await self._look(account)
        if first is None:
            return
        if not first[1]:
            self._confirm(account, first[0])
            await self._agreed(account)
            return
        await self._clock.sleep_until(self._clock.now() + LOOK_AGAIN_NS)
        second = await self._look(account)
        if second is None:
            return
        snapshot, found = second
        found = tuple(each for each in found if each in first[1])
        if found:
            await self._believe(account, snapshot, found)
        elif not second[1]:
            await self._agreed(account)

    def _compared(self) -> list[AccountId]:
        return [each for each in self._accounts if each in self._confirmed or each in self._persisting]

    def _urgent(self) -> list[AccountId]:
        return [each for each in self._compared() if self._pulls.is_missing(each) or self._hurries(each)]

    async def _look(self, account: AccountId) -> tuple[AccountSnapshot, tuple[Difference, ...]] | None:
        """A pull and what it shows otherwise; None where nothing can be said of it."""
        before = activity_of(self._kernel, account)
        try:
            async with asyncio.timeout(_CALL_S):
                snapshot = await self._accounts[account].snapshot(account)
        except InvariantBroken:
            raise
        except TimeoutError:
            return None  # there was no share of reading left for it
        except Exception as failure:  # noqa: BLE001 - the wall around plugin code: a broker may raise anything
            self._pulls.missed(account, self._health.inert(str(failure) or type(failure).__name__))
            return None
        self._pulls.answered(account)
        await self._settle()
        if activity_of(self._kernel, account) != before:
            return None
        return snapshot, differences(self._kernel, snapshot)

    async def _believe(self, account: AccountId, snapshot: AccountSnapshot, found: Sequence[Difference]) -> None:
        now = self._clock.now()
        for event in corrections(self._kernel, snapshot, now):
            self._put(event)
        came_back = {each.about for each in self._found.get(account, ())} & {each.about for each in found}
        since = {each.about: each.since for each in self._found.get(account, ())}
        self._found[account] = tuple(msgspec.structs.replace(each, since=since.get(each.about, now)) for each in found)
        text = "; ".join(map(str, found))
        await self._writer.record([notice_entry(now, "difference", f"{account}: {text}; the pull wins")], durable=True)
        self._health.set(f"data {account}", "degraded", text, at=now)
        if came_back and account not in self._persisting:
            self._persisting.add(account)
            self._confirmed.discard(account)
            cure = "Entries wait until both agree. Look at the account at the broker's own screen [E862]"
            await self._tell(f"What we know of {account} is not what its broker shows", f"{text}. {cure}")

    def _confirm(self, account: AccountId, snapshot: AccountSnapshot) -> None:
        """Where an account's data contradicted itself, the broker's word that now agrees ends the suspicion."""
        if self._kernel.state.accounts[account].suspects:
            for position in snapshot.positions:
                self._put(position)

    async def _agreed(self, account: AccountId) -> None:
        if self._found.pop(account, None) is None:
            return
        now = self._clock.now()
        self._health.set(f"data {account}", "up", at=now)
        await self._writer.record([notice_entry(now, "difference", f"{account}: both agree again")], durable=True)
        if account in self._persisting:
            self._persisting.discard(account)
            if self._kernel.state.accounts[account].connected is not False:
                self._confirmed.add(account)
            await self._tell(f"Account {account} agrees with its broker again", "Entries no longer wait for that.")


def _name(kernel: Kernel, symbol: str) -> str:
    """Our name of a symbol, that of the broker where it is not set up."""
    known = kernel.state.names.get(symbol)
    return symbol if known is None else known.symbol


def _left(remaining: Decimal) -> str:
    return f"{_plain(remaining)} left"


def _plain(quantity: Decimal) -> str:
    """The same text for the same number: 2 and 2.0 do not differ."""
    return f"{quantity.normalize():f}"
