"""The platform's truth, pulled: accounts by name, positions, orders, trades, and all of it as one snapshot."""

import asyncio
from collections.abc import Mapping, Sequence

from haltline.api import AccountSnapshot
from haltline.clock import NS_PER_S, Clock, to_iso
from haltline.errors import EngineError, Refused, Transient
from haltline.model.account import AccountSpec
from haltline.model.id import AccountId
from haltline_broker_projectx.contract import Contracts
from haltline_broker_projectx.session import Session
from haltline_broker_projectx.wire import (
    WireAccount,
    WireOrder,
    WirePosition,
    WireTrade,
    account_report,
    order_report,
    position_report,
    read,
    read_all,
)

_LOOK_BACK_NS = 24 * 3600 * NS_PER_S


class Accounts:
    """Which of the platform's accounts is which of ours."""

    def __init__(self, specs: Sequence[AccountSpec], named: Mapping[str, str]) -> None:
        self._wanted = {spec.id: named.get(spec.id, str(spec.id)) for spec in specs}
        self._numbers: dict[AccountId, int] = {}

    def bind(self, told: Sequence[WireAccount]) -> None:
        """Find every account of ours; raises Refused with those that the login does not have, and what it has."""
        for account, wanted in self._wanted.items():
            for each in told:
                if wanted.casefold() in (each.name.casefold(), str(each.id)):
                    self._numbers[account] = each.id
        missing = [wanted for account, wanted in self._wanted.items() if account not in self._numbers]
        if missing:
            have = ", ".join(each.name for each in told) or "none"
            raise Refused(f"the login has no account {', '.join(missing)}; it has: {have}")

    @property
    def is_bound(self) -> bool:
        """Whether the numbers are known."""
        return len(self._numbers) == len(self._wanted)

    def number(self, account: AccountId) -> int:
        """The platform's number; raises Refused for an account that is not ours."""
        found = self._numbers.get(account)
        if found is None:
            raise Refused(f"account {account} is not one of this broker")
        return found

    def name(self, number: int) -> AccountId | None:
        """Our id of a number, None for an account that nobody guards."""
        return next((account for account, each in self._numbers.items() if each == number), None)

    @property
    def all(self) -> Mapping[AccountId, int]:
        """Every account with its number."""
        return self._numbers


class Puller:
    """Reads through one session. In a snapshot, money that was read up to `money_age_ns` ago is not asked for again: it
    then carries that time.
    """

    def __init__(
        self, session: Session, *, accounts: Accounts, contracts: Contracts, clock: Clock, money_age_ns: int = 0
    ) -> None:
        self._session = session
        self._money_age_ns = money_age_ns
        self._money: tuple[int, Sequence[WireAccount]] = (0, ())
        self._clock = clock
        self.accounts = accounts
        self.contracts = contracts

    async def all_accounts(self) -> Sequence[WireAccount]:
        """Every account of the login, those that may not trade included."""
        reply = await self._session.call("Account/search", {"onlyActiveAccounts": False})
        found = read_all(reply, "accounts", WireAccount)
        self._money = self._clock.now(), found
        if not self.accounts.is_bound:
            self.accounts.bind(found)
        return found

    async def positions(self, number: int) -> Sequence[WirePosition]:
        """What an account holds."""
        reply = await self._session.call("Position/searchOpen", {"accountId": number})
        return read_all(reply, "positions", WirePosition)

    async def working(self, number: int) -> Sequence[WireOrder]:
        """The working orders of an account."""
        reply = await self._session.call("Order/searchOpen", {"accountId": number})
        return read_all(reply, "orders", WireOrder)

    async def orders(self, number: int, *, since: int | None = None) -> Sequence[WireOrder]:
        """Orders of an account, whatever became of them, since an instant of the platform's clock (None: a day ago)."""
        since = self._clock.now() + self._session.skew_ns - _LOOK_BACK_NS if since is None else since
        reply = await self._session.call("Order/search", {"accountId": number, "startTimestamp": to_iso(since)})
        return read_all(reply, "orders", WireOrder)

    async def order(self, number: int, order_id: int) -> WireOrder:
        """One order by the platform's number for it; raises Refused for one that it does not know."""
        reply = await self._session.call("Order/searchById", {"accountId": number, "orderId": order_id})
        return read(reply.get("order"), WireOrder, what=f"order {order_id}")

    async def trades(self, number: int, *, since: int) -> Sequence[WireTrade]:
        """Executions of an account since an instant of the platform's clock."""
        reply = await self._session.call("Trade/search", {"accountId": number, "startTimestamp": to_iso(since)})
        return read_all(reply, "trades", WireTrade)

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        """All of one account, in two or three calls at once."""
        if not self.accounts.is_bound:
            await self.all_accounts()
        number = self.accounts.number(account)
        try:
            async with asyncio.TaskGroup() as group:
                told = group.create_task(self._recent_accounts())
                held = group.create_task(self.positions(number))
                working = group.create_task(self.working(number))
        except BaseExceptionGroup as failures:
            raise first_of(failures) from failures
        at, accounts = told.result()
        own = next((each for each in accounts if each.id == number), None)
        if own is None:
            raise Transient(f"the platform does not list account {account} any more")
        now, contracts = self._clock.now(), self.contracts
        ids = {each.contract_id for each in held.result()} | {each.contract_id for each in working.result()}
        symbols = {each: (await contracts.get(each)).symbol for each in ids}
        try:
            return AccountSnapshot(
                account=account_report(own, account, at),
                positions=tuple(
                    position_report(each, account, symbols[each.contract_id], now) for each in held.result()
                ),
                orders=tuple(order_report(each, account, symbols[each.contract_id], now) for each in working.result()),
            )
        except ValueError as mistake:
            raise Transient(f"account {account} cannot be read: {mistake}") from mistake

    @property
    def has_recent_money(self) -> bool:
        """Whether the next snapshot need not ask for balances."""
        return self._clock.now() - self._money[0] <= self._money_age_ns

    async def _recent_accounts(self) -> tuple[int, Sequence[WireAccount]]:
        if not self.has_recent_money:
            await self.all_accounts()
        return self._money


def first_of(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure to report: a cancellation or a defect before one of the engine's own kinds."""
    flat = _flat(failures)
    return next((each for each in flat if not isinstance(each, EngineError)), flat[0])


def _flat(failures: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for each in failures.exceptions:
        found += _flat(each) if isinstance(each, BaseExceptionGroup) else [each]
    return found
