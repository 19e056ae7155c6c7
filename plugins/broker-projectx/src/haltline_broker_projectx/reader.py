"""Pushes from the hubs as they come, and everything read again beside them: on a clock, after every doubt.

What a hub says is told at once; what REST says is right. Where REST shows what no push has told, it is told as well,
and the hub that should have pushed it is connected anew.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from haltline.api import EventSink, Started
from haltline.clock import NS_PER_S, Clock, from_datetime, to_datetime
from haltline.errors import Refused, Transient
from haltline.model.account import AccountSpec
from haltline.model.event import ConnectionStatus, ConnectionUpdate, Event, InstrumentUpdate
from haltline.model.id import AccountId, Symbol
from haltline_broker_projectx.contract import Contract
from haltline_broker_projectx.hub import Hub, Invocation
from haltline_broker_projectx.pull import Puller, first_of
from haltline_broker_projectx.session import Session
from haltline_broker_projectx.setting import Setting
from haltline_broker_projectx.truth import Told
from haltline_broker_projectx.wire import WireAccount, WireOrder, WirePosition, WireQuote, WireTrade, quote_of, stamp_of

_OPENING_S = 6.0
_AGAIN_S = 1.0
_RANK = {ConnectionStatus.CONNECTED: 0, ConnectionStatus.DEGRADED: 1, ConnectionStatus.DISCONNECTED: 2}
_SETTLE_NS = NS_PER_S
_AT_ONCE_NS = NS_PER_S // 10
_PER_CALL_NS = NS_PER_S
"""A reading of so many calls is followed by another no sooner than after as many seconds: the platform counts them, and
what a storm of faults used up would be missing when it is over."""
_LATE_NS = 2 * NS_PER_S
"""A push this much later than what REST shows is one that does not come."""
_OVERLAP_NS = 600 * NS_PER_S
_READS = 3
_USER_TARGETS = (
    "GatewayUserAccount", "GatewayUserPosition", "GatewayUserOrder", "GatewayUserTrade", "GatewayLogout",
)  # fmt: skip


class Reader:
    """The reading half of a broker, for one run of it."""

    def __init__(
        self, puller: Puller, *, session: Session, setting: Setting, specs: Sequence[AccountSpec], clock: Clock,
        share: Callable[[], Awaitable[None]], sink: EventSink,
    ) -> None:  # fmt: skip
        self._puller = puller
        self._session = session
        self._setting = setting
        self._specs = specs
        self._clock = clock
        self._share = share
        self._sink = sink
        self._told = {spec.id: Told(spec.id) for spec in specs}
        self._trades_since = {spec.id: day_start(spec, clock.now()) for spec in specs}
        self._quoted: dict[str, int] = {}
        self._followed: dict[str, Contract] = {}
        self._wake = asyncio.Event()
        self._is_urgent = False
        self._status: ConnectionStatus | None = None
        self._began_at = clock.now()
        self._calls = 0
        self._openings = 0
        self._failure = ""
        self._failing_since: int | None = None
        self._mistake = ""
        self._unpushed: tuple[AccountId, int, int] | None = None
        made = {"session": session, "clock": clock, "changed": self._hub_changed, "silence_s": setting.silence_s}
        self.user_hub = Hub(
            "user", url=setting.hub_url, wanted=self._user_subscriptions, targets=_USER_TARGETS,
            on_push=self._on_user_push, **made,  # type: ignore[arg-type]  # one mapping for both hubs
        )  # fmt: skip
        self.market_hub = Hub(
            "market", url=setting.hub_url, wanted=self._market_subscriptions, targets=("GatewayQuote",),
            on_push=self._on_market_push, **made,  # type: ignore[arg-type]
        )  # fmt: skip

    async def run(self, started: Started) -> None:
        """Tell what is so, call `started`, then tell what happens; raises Transient or Refused at its start."""
        await self._count()
        await self._puller.all_accounts()
        await self._count()
        await self._follow(await self._puller.contracts.look_up(self._setting.contracts))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.user_hub.run(), name="projectx user hub")
                group.create_task(self.market_hub.run(), name="projectx market hub")
                await self._begin(started)
                await self._read_for_ever()
        except BaseExceptionGroup as failures:
            raise first_of(failures) from failures

    # -- reading -------------------------------------------------------------------------------------------------------

    async def _begin(self, started: Started) -> None:
        """Subscribe first and read then, so that nothing falls in between."""
        try:
            async with asyncio.timeout(_OPENING_S):
                while not (self.user_hub.state.is_up and self.market_hub.state.is_up):
                    self._wake.clear()
                    await self._wake.wait()
        except TimeoutError:
            pass  # the platform can be read: a hub that is down is told as such, and tried on
        await self._read_everything()
        self._unpushed = None
        self._tell_status()
        started()

    async def _read_for_ever(self) -> None:
        while True:
            await self._rest()
            try:
                await self._read_everything()
            except (Transient, Refused) as failure:
                self._failure = str(failure)
                self._failing_since = self._failing_since or self._clock.now()
            self._check_pushes()
            self._tell_status()

    async def _rest(self) -> None:
        """Until the next look: soon after a push or a change of a hub, else after `poll_s`."""
        try:
            async with asyncio.timeout(min(self._setting.poll_s, _AGAIN_S) if self._failure else self._setting.poll_s):
                await self._wake.wait()
        except TimeoutError:
            return
        settled = self._clock.now() + (_AT_ONCE_NS if self._is_urgent else _SETTLE_NS)
        await self._clock.sleep_until(max(settled, self._began_at + self._calls * _PER_CALL_NS))
        self._is_urgent = False
        self._wake.clear()

    async def _count(self) -> None:
        await self._share()
        self._calls += 1

    async def _read_everything(self) -> None:
        self._began_at, self._calls = self._clock.now(), 0
        await self._read_money()
        for account, number in self._puller.accounts.all.items():
            await self._read_account(account, number)
        self._failing_since, self._failure, self._mistake = None, "", ""

    async def _read_money(self) -> None:
        """Balances and leave to trade; a push that came meanwhile may be the newer word, so all is read once more."""
        await self._count()
        before = {account: told.moves for account, told in self._told.items()}
        for told in await self._puller.all_accounts():
            account = self._puller.accounts.name(told.id)
            if account is None:
                continue
            if self._told[account].moves == before[account]:
                self._tell(self._told[account].read_account(told, self._clock.now()))
            else:
                self._look_again()

    async def _read_account(self, account: AccountId, number: int) -> None:
        """Trades, then positions and orders; again where a push came meanwhile, which may be the newer word."""
        told = self._told[account]
        for _ in range(_READS):
            for _ in range(3):
                await self._count()
            before = told.moves
            trades = await self._puller.trades(number, since=self._trades_since[account])
            held = await self._puller.positions(number)
            working = await self._puller.working(number)
            missing = told.missing_orders(working)
            if missing:
                await self._count()
                working = [*working, *(each for each in await self._puller.orders(number) if each.id in missing)]
            symbols = await self._symbols([*trades, *held, *working])
            if told.moves == before:
                break
        now = self._clock.now()
        try:
            events = self._moved(told, trades, held, symbols, is_newest=told.moves == before)
            events += [event for each in working for event in told.take_order(each, symbols[each.contract_id], now)]
        except ValueError as mistake:
            raise Transient(f"account {account} cannot be read: {mistake}") from mistake
        if trades:
            newest = max(stamp_of(each.creation_timestamp, 0) for each in trades)
            self._trades_since[account] = max(self._trades_since[account], newest - _OVERLAP_NS)
        if events and self.user_hub.state.is_up:
            self._unpushed = account, told.pushes, now
            self._look_again()
        self._tell(events)

    def _moved(
        self, told: Told, trades: Sequence[WireTrade], held: Sequence[WirePosition], symbols: Mapping[str, Symbol], *,
        is_newest: bool,
    ) -> list[Event]:  # fmt: skip
        """Executions and positions as read; positions that pushes keep overtaking are read once more instead."""
        now, events = self._clock.now(), list[Event]()
        for each in trades:
            events += told.take_trade(each, symbols[each.contract_id], now, explains=not is_newest)
        if not is_newest:
            self._look_again()
            return events
        return events + told.read_positions([(each, symbols[each.contract_id]) for each in held], now)

    async def _symbols(self, records: Sequence[WireTrade | WirePosition | WireOrder]) -> dict[str, Symbol]:
        found: dict[str, Symbol] = {}
        for each in dict.fromkeys(record.contract_id for record in records):
            contract = self._puller.contracts.find(each)
            if contract is None:
                await self._count()
                contract = await self._puller.contracts.get(each)
            await self._follow([contract])
            found[each] = contract.symbol
        return found

    async def _follow(self, contracts: Sequence[Contract]) -> None:
        """Tell of contracts that are new, and follow their prices."""
        now = self._clock.now()
        for contract in contracts:
            if contract.id not in self._followed:
                self._followed[contract.id] = contract
                self._tell([InstrumentUpdate(at=now, received_at=now, spec=contract.spec)])
                await self.market_hub.invoke("SubscribeContractQuotes", [contract.id])

    def _check_pushes(self) -> None:
        """Connect the user hub anew where it did not push what REST has shown for a while."""
        if self._unpushed is None:
            return
        account, pushes, at = self._unpushed
        if self._told[account].pushes != pushes or not self.user_hub.state.is_up:
            self._unpushed = None
        elif self._clock.now() - at >= _LATE_NS:
            self._unpushed = None
            self.user_hub.rebuild("it did not push what the platform shows")
        else:
            self._look_again()

    # -- pushes --------------------------------------------------------------------------------------------------------

    def _on_user_push(self, target: str, arguments: list[Any]) -> None:
        if target == "GatewayLogout":
            self.user_hub.rebuild("another login displaced this one")
            self.market_hub.rebuild("another login displaced this one")
            return
        for argument in arguments:
            try:
                self._tell(self._events_of(target, argument))
            except (msgspec.ValidationError, ValueError, KeyError) as mistake:
                self._mistake = f"{target} cannot be read: {type(mistake).__name__}"
                self._tell_status(only_worse=True)
        if any(told.is_in_doubt for told in self._told.values()):
            self._look_again()
        self._wake.set()

    def _events_of(self, target: str, argument: Any) -> list[Event]:
        is_wrapped = isinstance(argument, dict) and "data" in argument
        data, action = (argument["data"], int(argument.get("action") or 0)) if is_wrapped else (argument, 1)
        now = self._clock.now()
        if target == "GatewayUserAccount":
            told = self._told_of(account := msgspec.convert(data, WireAccount), account.id)
            return told.push_account(account, now) if told is not None else []
        record = msgspec.convert(data, _RECORDS[target])
        told, contract = self._told_of(record, record.account_id), self._puller.contracts.find(record.contract_id)
        if told is None or contract is None:
            return []  # not ours; or a contract not seen before: the reading that follows asks for it
        if isinstance(record, WirePosition):
            return told.push_position(record, contract.symbol, now, action=action)
        if isinstance(record, WireOrder):
            return told.take_order(record, contract.symbol, now)
        return told.take_trade(record, contract.symbol, now)

    def _told_of(self, record: object, number: int) -> Told | None:
        account = self._puller.accounts.name(number)
        told = None if account is None else self._told.get(account)
        if told is not None:
            told.pushes += not isinstance(record, WireAccount)
            told.moves += not isinstance(record, WireOrder)
        return told

    def _on_market_push(self, target: str, arguments: list[Any]) -> None:
        if len(arguments) != 2 or not isinstance(arguments[0], str):
            return
        contract = self._followed.get(arguments[0])
        if contract is None:
            return
        try:
            told = msgspec.convert(arguments[1], WireQuote)
        except msgspec.ValidationError:
            return  # a quote that cannot be read is none; the price before it grows old, and that shows
        at = stamp_of(told.timestamp, 0)
        if at and at < self._quoted.get(contract.id, 0):
            return
        self._quoted[contract.id] = at
        quote = quote_of(told, contract.symbol, self._clock.now())
        if quote is not None:
            self._tell([quote])

    # -- telling -------------------------------------------------------------------------------------------------------

    def _tell(self, events: Sequence[Event]) -> None:
        for event in events:
            self._sink(event)

    def _hub_changed(self) -> None:
        """What is worse is told at once; what is better, after everything was read."""
        self._tell_status(only_worse=True)
        openings = self.user_hub.state.opened + self.market_hub.state.opened
        if openings != self._openings:
            self._openings = openings
            self._look_again()

    def _look_again(self) -> None:
        self._is_urgent = True
        self._wake.set()

    def _tell_status(self, *, only_worse: bool = False) -> None:
        """Connected, degraded (a hub is down, REST answers) or disconnected (nothing could be read for `blind_s`)."""
        now = self._clock.now()
        status, reason = self._judged(now)
        if status is self._status or (only_worse and (self._status is None or _RANK[status] < _RANK[self._status])):
            return
        self._status = status
        for spec in self._specs:
            self._sink(ConnectionUpdate(at=now, received_at=now, account=spec.id, status=status, reason=reason))

    def _judged(self, now: int) -> tuple[ConnectionStatus, str]:
        down = [hub for hub in (self.user_hub, self.market_hub) if not hub.state.is_up]
        if self._failing_since is not None and now - self._failing_since >= self._setting.blind_s * NS_PER_S:
            return ConnectionStatus.DISCONNECTED, self._failure
        if down:
            reason = "; ".join(f"the {hub.name} hub is down: {hub.state.reason}" for hub in down)
            return ConnectionStatus.DEGRADED, reason
        if self._failure or self._mistake:
            return ConnectionStatus.DEGRADED, self._failure or self._mistake
        return ConnectionStatus.CONNECTED, ""

    def _user_subscriptions(self) -> list[Invocation]:
        numbers = self._puller.accounts.all.values()
        each = [(f"Subscribe{what}", [number]) for number in numbers for what in ("Orders", "Positions", "Trades")]
        return [("SubscribeAccounts", []), *each]

    def _market_subscriptions(self) -> list[Invocation]:
        return [("SubscribeContractQuotes", [contract]) for contract in self._followed]


_RECORDS: dict[str, type[WirePosition] | type[WireOrder] | type[WireTrade]] = {
    "GatewayUserPosition": WirePosition, "GatewayUserOrder": WireOrder, "GatewayUserTrade": WireTrade,
}  # fmt: skip


def day_start(spec: AccountSpec, now: int) -> int:
    """When the account's trading day began: executions before that are another day's."""
    hour, _, minute = spec.roll.partition(":")
    local = to_datetime(now).astimezone(ZoneInfo(spec.zone))
    roll: datetime = local.replace(hour=int(hour), minute=int(minute or 0), second=0, microsecond=0)
    return from_datetime(roll if roll <= local else roll - timedelta(days=1))
