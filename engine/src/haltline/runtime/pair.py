"""Who reads and who acts at each broker: two connections where the kind allows it, one budget of calls in any case."""

from pathlib import Path

from haltline.api import Broker, BrokerRole
from haltline.clock import Clock
from haltline.enforce.rate import ActingBroker, RateBudget, ReadingBroker
from haltline.model.id import AccountId
from haltline.runtime.compose import Parts, brokers_by_account, make_brokers
from haltline.runtime.discreet import DiscreetBroker, DiscreetInquirer, DiscreetReader, Hide, Inquirer, Puller


class BrokerPairs:
    """The brokers of a live engine. `readers` push what happens, `actuators` (of paired kinds) only carry out actions;
    both must run. What is asked through `puller` or `hands` is answered without secrets, by a failure too. Raises
    ConfigError for a kind that no plugin brings.
    """

    def __init__(self, parts: Parts, clock: Clock, directory: Path | None, hide: Hide = str) -> None:
        self._parts = parts
        self._hide = hide
        self._budgets = _budgets_of(parts, clock)
        shares = {name: budget.share for name, budget in self._budgets.items()}
        self.readers = make_brokers(parts, clock, directory, role=BrokerRole.READER, shares=shares)
        self.actuators = make_brokers(parts, clock, directory, role=BrokerRole.ACTUATOR, shares=shares)

    def puller(self, name: str) -> Inquirer:
        """Whom the engine asks for the state of an account; what is reserved for enforcement it never uses."""
        return DiscreetInquirer(ReadingBroker(self.readers[name], self._budgets.get(name)), self._hide)

    def confirmer(self, name: str) -> Puller:
        """Whom the engine asks for an account after a connection, not waiting for reading's share: what a crash left
        half done goes on only then. Raises Transient where not even enforcement's share has a call left."""
        budget = self._budgets.get(name)
        reader = self.readers[name]
        return DiscreetReader(reader if budget is None else ActingBroker(reader, budget), self._hide)

    def hands(self) -> dict[AccountId, Broker]:
        """Whom enforcement uses, by account."""
        acting: dict[str, Broker] = {}
        for name, reader in self.readers.items():
            broker, budget = self.actuators.get(name, reader), self._budgets.get(name)
            acting[name] = DiscreetBroker(broker if budget is None else ActingBroker(broker, budget), self._hide)
        return brokers_by_account(self._parts.setup, acting)


def _budgets_of(parts: Parts, clock: Clock) -> dict[str, RateBudget]:
    """One per broker whose kind declares a limit. Where a venue counts by address, those that call the same place share
    its limit of calls: the `host` of their config, which is the venue's own where none is given.
    """
    budgets: dict[str, RateBudget] = {}
    first: dict[tuple[str, object], RateBudget] = {}
    for entry in parts.setup.brokers:
        kind = parts.registry.brokers.get(entry.kind)
        if kind is None or not (kind.limit or kind.order_limit):
            continue
        place = entry.kind, entry.config.get("host")
        beside = first.get(place) if kind.limit is not None and kind.limit.per_address else None
        made = RateBudget(name=entry.name, clock=clock, calls=kind.limit, orders=kind.order_limit, beside=beside)
        budgets[entry.name] = made
        first.setdefault(place, made)
    return budgets
