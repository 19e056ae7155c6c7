"""The register of live incidents: thousands are live while a feed is stale, and no event may cost a look at them all.

Contract. Iteration, order and names are those of a dictionary by id. Whoever changes a hold, a block, a wait or the
phase of an incident has it noted again (`note`); the life cycle does so at the end of every move.
"""

from collections import Counter
from collections.abc import Collection, Iterable

from haltline.model.rule import Scope
from haltline.model.verdict import Phase
from haltline.rules.incident import Incident
from haltline.rules.rule import account_of

EVERYBODY = ""
"""Stands for all accounts in `LiveBook.blocked`."""


class LiveBook(dict[str, Incident]):
    """Live incidents by id, oldest first.

    `holding` are those with a hold that runs, `blocking` those that keep entries back, `barring` those of instruments
    among these, `silencing` breached ones whose rules suppress others. `blocked` counts, by account, what blocks it;
    what is in shadow blocks nobody.
    """

    __slots__ = ("_blocks", "_serial", "barring", "blocked", "blocking", "holding", "silencing")

    def __init__(self) -> None:
        super().__init__()
        self.holding: dict[str, Incident] = {}
        self.blocking: dict[str, Incident] = {}
        self.barring: dict[str, Incident] = {}
        self.silencing: dict[str, Incident] = {}
        self.blocked: Counter[str] = Counter()
        self._blocks: dict[str, str] = {}
        self._serial = 0

    def add(self, incident: Incident) -> None:
        """Register an incident that has begun; a known one keeps its place."""
        if incident.id not in self:
            self._serial += 1
            incident.place = self._serial
            self[incident.id] = incident
        self.note(incident)

    def drop(self, incident: Incident) -> None:
        """An incident is over; one that is not known is none."""
        self.pop(incident.id, None)
        for register in (self.holding, self.blocking, self.barring, self.silencing):
            register.pop(incident.id, None)
        self._unblock(incident.id)

    def clear(self) -> None:
        """Hold nothing."""
        super().clear()
        self.renew()

    def renew(self) -> None:
        """Other rules, or none, are behind the incidents now."""
        for register in (self.holding, self.blocking, self.barring, self.silencing, self.blocked, self._blocks):
            register.clear()
        for incident in self.values():
            self.note(incident)

    def note(self, incident: Incident) -> None:
        """What an incident does may have changed; one that is not live does nothing."""
        if incident.id not in self:
            return
        is_blocking = incident.is_blocking
        _mark(self.holding, incident, is_so=incident.fire_at is not None or incident.clear_at is not None)
        if is_blocking is not (incident.id in self.blocking):
            self._note_block(incident, is_so=is_blocking)
        if incident.rule.suppresses:
            _mark(self.silencing, incident, is_so=incident.phase is Phase.BREACHED)

    def due(self, instant: int) -> list[Incident]:
        """Those with a hold that ends at or before an instant, oldest first."""
        found = [each for each in self.holding.values() if each.timer is not None and each.timer <= instant]
        return sorted(found, key=_place_of)

    def marked(self, names: Iterable[str]) -> Collection[Incident]:
        """Those of these names, and all that wait for something."""
        found = {name: self[name] for name in names if name in self}
        found |= {name: each for name, each in self.blocking.items() if each.waits}
        return found.values()

    def _note_block(self, incident: Incident, *, is_so: bool) -> None:
        _mark(self.blocking, incident, is_so=is_so)
        if incident.rule.shadow:
            return
        if incident.entity.scope is Scope.INSTRUMENT:
            _mark(self.barring, incident, is_so=is_so)
        elif is_so:
            account = account_of(incident.entity)
            self._blocks[incident.id] = EVERYBODY if account is None else account.id
            self.blocked[self._blocks[incident.id]] += 1
        else:
            self._unblock(incident.id)

    def _unblock(self, name: str) -> None:
        account = self._blocks.pop(name, None)
        if account is None:
            return
        self.blocked[account] -= 1
        if not self.blocked[account]:
            del self.blocked[account]


def _mark(register: dict[str, Incident], incident: Incident, *, is_so: bool) -> None:
    if is_so:
        register[incident.id] = incident
    else:
        register.pop(incident.id, None)


def _place_of(incident: Incident) -> int:
    return incident.place
