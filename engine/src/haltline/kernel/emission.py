"""What one kernel step collects: transitions, requests for actions, notices, incidents that ended."""

from collections.abc import Callable, Iterable
from typing import Any

from haltline.api.action import HandledBy
from haltline.model.event import Attention
from haltline.model.plan import PlannedAction
from haltline.model.rule import Evidence, Scope
from haltline.model.verdict import Phase, Transition
from haltline.rules.arbiter import Target, request, targets
from haltline.rules.incident import Incident, is_shadow
from haltline.rules.livebook import LiveBook
from haltline.rules.rule import LinkedAction, account_of

type Claim = tuple[Incident, LinkedAction, PlannedAction]
"""A request that needs more evidence than one witness, or rests on fills that are still being told, and who asks."""
_OVER = frozenset({Phase.RESOLVED, Phase.OK})


class Emission:
    """The outbox of the life cycle for the length of one step. `now` is the instant being processed."""

    def __init__(
        self,
        now: int,
        live: LiveBook,
        accounts: Callable[[], Iterable[Any]],
        is_quiet: Callable[[Incident], bool],
    ) -> None:
        self.now = now
        self.transitions: list[Transition] = []
        self.requests: list[PlannedAction] = []
        self.claims: list[Claim] = []
        self.planned: list[PlannedAction] = []
        self.notices: list[str] = []
        self.attention: list[Attention] = []
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
            self._live.drop(incident)
        else:
            self._live.add(incident)

    def ask(self, incident: Incident, action: LinkedAction, *, cause: str, only: str | None = None) -> None:
        """Request an action for every target of the incident (or for one account `only`), each live or in shadow as its
        account is; a message is one, however many accounts it concerns. A quiet incident asks for no messages."""
        if action.action.name == "notify" and self._is_quiet(incident):
            return
        params = action.params(incident.entity)
        for target, shadow in self._targets(incident, action):
            if only is None or target.account == only:
                made = request(incident, action, target, params, cause=cause, now=self.now, shadow=shadow)
                is_sure = action.grade is Evidence.WITNESS and not self._is_doubtful(action)
                if is_sure or _is_over(incident.entity):
                    self.requests.append(made)
                else:
                    self.claims.append((incident, action, made))

    def _is_doubtful(self, action: LinkedAction) -> bool:
        """Whether an action may rest on what old fills only pass through; what blocks or tells is said all the same."""
        may_wait = action.level >= 0 and not action.action.is_immediate
        return may_wait and any(account.behind_until for account in self._accounts())

    def _targets(self, incident: Incident, action: LinkedAction) -> Iterable[tuple[Target, bool]]:
        rule, entity = incident.rule, incident.entity
        if account_of(entity) is not None or action.action.handled_by is HandledBy.NOTIFY:
            whole = Target(None) if account_of(entity) is None else next(targets(entity, ()))
            return ((whole, is_shadow(rule, entity)),)
        live = {account.id: account.live for account in self._accounts()}
        return (
            (target, rule.shadow or (target.account is not None and not live[target.account]))
            for target in targets(entity, self._accounts())
        )

    def freed(self, incident: Incident) -> None:
        """An incident ended."""
        self.ended.append(incident)
        self.moved = True

    @property
    def is_empty(self) -> bool:
        """Whether nothing happened that anybody must hear of."""
        return not (self.transitions or self.requests or self.planned or self.notices or self.attention)


def _is_over(entity: Any) -> bool:
    """Whether an entity is a fill, or an order judged in its last state: what it asks for cannot wait."""
    return entity.scope is Scope.FILL or (entity.scope is Scope.ORDER and not entity.working)
