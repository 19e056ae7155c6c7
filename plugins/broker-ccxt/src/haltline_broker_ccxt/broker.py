"""`api.Broker` on any venue: one half reads and pushes, the other acts; each has an exchange object of its own."""

from collections.abc import Sequence

from haltline.api import AccountSnapshot, BrokerCall, BrokerRole, BrokerSetup, EventSink, Finding, Level, Started
from haltline.clock import NS_PER_S
from haltline.errors import OutcomeUnknown, Refused
from haltline.model.id import AccountId, OrderId
from haltline.model.order import OrderReport, OrderRequest
from haltline_broker_ccxt.diagnosis import diagnose
from haltline_broker_ccxt.reader import Reader
from haltline_broker_ccxt.row import Malformed
from haltline_broker_ccxt.setting import Setting
from haltline_broker_ccxt.stream import Ear
from haltline_broker_ccxt.venue import Ask, Venue

_REFRESH_NS = 3600 * NS_PER_S
_ASKS = {
    BrokerCall.SNAPSHOT: Ask.PULL, BrokerCall.SUBMIT: Ask.PLACE, BrokerCall.CANCEL: Ask.CANCEL,
    BrokerCall.FIND_ORDER: Ask.FIND,
}  # fmt: skip
_UNTOLD = Finding(
    level=Level.WARN, about="positions", text="the account is set up to believe fills, not the venue's positions",
    cure="set positions_from_broker: true for the account",
)  # fmt: skip


class CcxtBroker:
    """One account at one venue. Raises Refused where it is made for none or for several: keys are of one account."""

    def __init__(self, setup: BrokerSetup, setting: Setting, venue: Venue, ear: Ear, *, is_streamed: bool) -> None:
        self._setup = setup
        self._setting = setting
        self._venue = venue
        self._account = only_account(setup)
        self._is_actuator = setup.role is BrokerRole.ACTUATOR
        self._is_open = False
        self._reader = Reader(venue, ear, setup, setting, is_streamed=is_streamed)

    async def run(self, sink: EventSink, started: Started) -> None:
        """Read and push for ever; as an actuator be ready, so that the first action waits for no list of markets."""
        if not self._is_actuator:
            await self._reader.run(sink, started)
            return
        try:
            await self._ready()
            started()
            while True:
                await self._setup.clock.sleep_until(self._setup.clock.now() + _REFRESH_NS)
                await self._open()
        finally:
            await self._venue.line.close()

    def cost(self, call: BrokerCall) -> int:
        """What a call is worth to the venue."""
        return self._venue.cost(_ASKS[call])

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        """The venue's truth."""
        self._require(account)
        await self._ready()
        found = await self._venue.pull()
        self._reader.announce(found)
        return found

    async def submit(self, request: OrderRequest) -> OrderReport:
        """Send an order, once per client id."""
        self._require(request.account)
        await self._ready()
        market, _ = self._venue.markets.find(request.symbol)
        try:
            return await self._venue.place(request, market)
        except Malformed as failure:
            raise OutcomeUnknown(f"{self._venue.name}: the answer to an order was not understood") from failure

    async def cancel(self, account: AccountId, order_id: OrderId) -> None:
        """Cancel an order; one that does not work is no error."""
        self._require(account)
        await self._ready()
        try:
            await self._venue.cancel(order_id)
        except Malformed as failure:
            raise OutcomeUnknown(f"{self._venue.name}: the answer to a cancel was not understood") from failure

    async def find_order(self, account: AccountId, client_id: str) -> OrderReport | None:
        """The order under a client id, asked of the venue."""
        self._require(account)
        await self._ready()
        return await self._venue.find(client_id)

    async def look_up(self, order: OrderReport) -> OrderReport | None:
        """What became of an order, asked by the venue's id."""
        self._require(order.account)
        await self._ready()
        return await self._venue.find_by_id(order)

    async def close(self) -> None:
        """Let go of the connections of a broker whose `run` was never called."""
        await self._venue.line.close()

    async def diagnose(self) -> Sequence[Finding]:
        """What `haltline doctor` shows."""
        try:
            found = await diagnose(self._venue, self._setting, self._setting.symbols)
        finally:
            await self.close()
        return found if self._setup.accounts[0].positions_from_broker else [*found, _UNTOLD]

    async def _ready(self) -> None:
        if not self._is_open and not len(self._venue.markets):
            await self._open()
            await self._venue.line.set_clock()
        self._is_open = True

    async def _open(self) -> None:
        self._venue.line.reopen()
        await self._venue.open()

    def _require(self, account: AccountId) -> None:
        if account != self._account:
            raise Refused(f"the keys of broker {self._setup.name!r} are of account {self._account!r}, not {account!r}")


def only_account(setup: BrokerSetup) -> AccountId:
    """The one account a set of keys is for; raises Refused for none or several."""
    if len(setup.accounts) != 1:
        named = ", ".join(repr(account.id) for account in setup.accounts) or "none"
        raise Refused(
            f"broker {setup.name!r} has the keys of one account, found {named}; give each a broker of its own"
        )
    return setup.accounts[0].id
