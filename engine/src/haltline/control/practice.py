"""Accounts at which a drill may send orders: those that can never hold real money."""

from haltline.api.registry import Registry
from haltline.config.settings import Setup
from haltline.errors import Refused
from haltline.model.id import AccountId


class PracticeAccount:
    """An account of which the kind of its broker says that no money there is real. There is no other way to make one:
    raises Refused (E864) for any other account."""

    __slots__ = ("_account",)

    def __init__(self, setup: Setup, registry: Registry, account: str) -> None:
        spec = setup.account(AccountId(account))
        entry = setup.broker(spec.broker) if spec is not None else None
        kind = registry.brokers.get(entry.kind) if entry is not None else None
        if spec is None or kind is None or not kind.practice:
            there = f"at a broker of kind {kind.name!r}, which may hold real money" if kind is not None else "unknown"
            raise Refused(f"no drill sends orders for {account!r}: it is {there} [E864]")
        self._account = spec.id

    @property
    def id(self) -> AccountId:
        """Its name in the set-up."""
        return self._account
