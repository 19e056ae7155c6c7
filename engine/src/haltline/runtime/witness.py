"""What enforcement may see of the kernel: what pushes have told it of an account; and how a pull corrects it."""

from collections import Counter
from collections.abc import Callable, Container
from decimal import Decimal

from haltline.api import AccountSnapshot
from haltline.api.broker import Capability
from haltline.api.registry import Registry
from haltline.clock import Clock
from haltline.config.settings import Setup
from haltline.journal.receipt import Remaining
from haltline.kernel.kernel import Kernel
from haltline.model.event import Event
from haltline.model.id import AccountId, Symbol
from haltline.runtime.reconcile import activity_of, corrections
from haltline.state.account import Account

_PUSHES = frozenset({Capability.PUSH_ORDERS, Capability.PUSH_POSITIONS})


class KernelWitness:
    """`enforce.Witness` over a kernel. `pushed` are the accounts whose broker pushes, `confirmed` those whose stream is
    up; `is_settled` says whether everything that was heard has reached the kernel; `put` hands it an event.
    """

    def __init__(
        self, kernel: Kernel, *, clock: Clock, pushed: Container[AccountId], confirmed: Container[AccountId],
        is_settled: Callable[[], bool], put: Callable[[Event], None],
    ) -> None:  # fmt: skip
        self._kernel = kernel
        self._clock = clock
        self._pushed = pushed
        self._confirmed = confirmed
        self._is_settled = is_settled
        self._put = put

    def seen(self, account: AccountId) -> Remaining | None:
        """Positions and working orders as pushes have told them; None where there are no pushes to go by."""
        known = self._heard_of(account)
        if known is None:
            return None
        held = {Symbol(name): _exact(each.quantity) for name, each in known.book.items() if each.quantity}
        working = Counter(Symbol(order.symbol) for order in known.order_book.values() if order.working)
        return Remaining(positions=held, working_orders=working.total(), orders=dict(working))

    def is_working(self, account: AccountId, order_id: str) -> bool | None:
        """Whether pushes show an order as working; None where there are no pushes to go by."""
        known = self._heard_of(account)
        order = None if known is None else known.order_book.get(order_id)
        return None if known is None else order is not None and order.working

    def _heard_of(self, account: AccountId) -> Account | None:
        is_heard = account in self._pushed and account in self._confirmed
        return self._kernel.state.accounts.get(account) if is_heard else None

    def activity(self, account: AccountId) -> object:
        """Changes whenever a fill or an order of the account is heard of."""
        return activity_of(self._kernel, account)

    def correct(self, snapshot: AccountSnapshot, *, since: object) -> bool:
        """Tell the kernel what a pull has shown, unless something was heard of meanwhile that may be newer."""
        if not self._is_settled() or self.activity(snapshot.account.account) != since:
            return False
        for event in corrections(self._kernel, snapshot, self._clock.now()):
            self._put(event)
        return True


def _exact(quantity: float) -> Decimal:
    return Decimal(int(quantity)) if quantity.is_integer() else Decimal(str(quantity))


def pushing_accounts(setup: Setup, registry: Registry) -> frozenset[AccountId]:
    """The accounts whose broker pushes orders or positions."""
    kinds = {entry.name: registry.brokers.get(entry.kind) for entry in setup.brokers}
    pushing = {name for name, kind in kinds.items() if kind is not None and kind.capabilities & _PUSHES}
    return frozenset(account.id for account in setup.accounts if account.broker in pushing)
