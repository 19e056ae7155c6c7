"""What one kernel step collects: transitions, requests for actions, notices, incidents that ended."""

from collections.abc import Callable, Iterable
from typing import Any

from haltline.model.plan import PlannedAction
from haltline.model.verdict import Phase, Transition
from haltline.rules.arbiter import request, targets
from haltline.rules.incident import Incident
from haltline.rules.rule import LinkedAction

_OVER = frozenset({Phase.RESOLVED, Phase.OK})


class Emission:
    """The outbox of the life cycle for the length of one step. `now` is the instant being processed."""

    def __init__(
        self,
        now: int,
        live: dict[str, Incident],
        accounts: Callable[[], Iterable[Any]],
        is_quiet: Callable[[Incident], bool],
    ) -> None:
        self.now = now
        self.transitions: list[Transition] = []
        self.requests: list[PlannedAction] = []
        self.planned: list[PlannedAction] = []
        self.notices: list[str] = []
        self.ended: list[Incident] = []
        self.moved = False
        self._live = live
        self._accounts = accounts
        self._is_quiet = is_quiet

    def tell(self, incident: Incident, transition: Transition) -> None:
        """Record a change, and keep the register of live incidents true."""
        self.transitions.append(transition)
        self.moved = True
        if transition.phase in _OVER:
            self._live.pop(incident.id, None)
        else:
            self._live[incident.id] = incident

    def ask(self, incident: Incident, action: LinkedAction, *, cause: str) -> None:
        """Request an action for every target of the incident; a quiet incident asks for no messages, only for acts."""
        if action.action.name == "notify" and self._is_quiet(incident):
            return
        params = action.params(incident.entity)
        for target in targets(incident.entity, self._accounts()):
            self.requests.append(request(incident, action, target, params, cause=cause, now=self.now))

    def freed(self, incident: Incident) -> None:
        """An incident ended."""
        self.ended.append(incident)
        self.moved = True

    @property
    def is_empty(self) -> bool:
        """Whether nothing happened that anybody must hear of."""
        return not (self.transitions or self.requests or self.planned or self.notices)
