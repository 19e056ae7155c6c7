"""What earlier tries of an action have left at the venue is looked up before anything is sized anew.

Contract. A try that failed may have left an order that works still, or one of which nobody knows. One that works is
cancelled first; where that does not succeed, a reduction to some size waits for it, while a close goes on, because a
reduce-only order cannot close more than there is. One that is not to be found may be on its way: the next order for the
symbol takes its client id, so that only one of them can ever take effect.
"""

from decimal import Decimal

from haltline.enforce.desk import ActionDesk
from haltline.enforce.order import ZERO
from haltline.errors import OutcomeUnknown, Refused, Transient
from haltline.model.id import AccountId, Symbol
from haltline.model.order import OrderRequest


class RecallingDesk(ActionDesk):
    """An `ActionDesk` that knows the orders of earlier tries."""

    async def recall(self) -> None:
        """As of `ActionDesk`, and what became of the orders of earlier tries."""
        await super().recall()
        for request in self._history.foregone():
            await self._recall_earlier(request)

    async def reduce(self, account: AccountId, symbol: Symbol, *, to: Decimal, was: Decimal = ZERO) -> None:
        """As of `ActionDesk`; a close does not wait for an order that works and cannot be cancelled."""
        if to == ZERO and any(request.symbol == symbol for request in self._history.foregone()):
            self._handed.pop(symbol, None)
        await super().reduce(account, symbol, to=to, was=was)

    async def _recall_earlier(self, request: OrderRequest) -> None:
        report = await self._find(request.account, request.client_id)
        if report is None:
            self._adopted[request.symbol] = request.client_id
            return
        self._handed[request.symbol] = request.client_id
        whole = self._deadline
        self._deadline = min(whole, self._clock.now() + self._budget.cancel_ns)
        try:
            if report.status.is_working:
                await self.cancel(request.account, report)
        except (Refused, Transient, OutcomeUnknown):
            return  # it works still, and is looked up again in the next round or try
        finally:
            self._deadline = whole
        del self._history.earlier[request.client_id]
