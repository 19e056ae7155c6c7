"""Enforcement that went beyond its caps waits for an operator's word, and is carried out once when it is given.

Contract. What was refused for its caps is not tried again by itself. While it is still wanted, entries are blocked and
everybody can see what it waits for. A consent lets exactly this enforcement run once; it is forgotten when what asked
for it is over. A restart changes nothing of this.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from haltline.kernel.emission import Emission
from haltline.kernel.retry import take_outcome
from haltline.model.event import ActionOutcome, Consent, OutcomeStatus
from haltline.model.id import ActionId
from haltline.model.plan import PlannedAction
from haltline.rules.flight import origin_of
from haltline.rules.incident import Incident

if TYPE_CHECKING:  # the core calls this module
    from haltline.kernel.core import Core


class Refused(msgspec.Struct):
    """An action that went beyond its caps, and the enforcer's word on it."""

    action: PlannedAction
    detail: str


class ConsentBook:
    """What waits for consent, by action; `serial` numbers the consents given."""

    def __init__(self) -> None:
        self.refused: dict[str, Refused] = {}
        self.serial = 0

    def __bool__(self) -> bool:
        return bool(self.refused)

    def words(self, incident: Incident) -> Iterator[str]:
        """What an incident waits for."""
        for each in self.refused.values():
            if incident.id in each.action.incidents:
                yield f"{each.action.name} needs consent: {each.detail}"

    def sweep(self, core: "Core", out: Emission) -> None:
        """Forget what nobody asks for any more."""
        for key, each in list(self.refused.items()):
            if not core.still_wanted(each.action):
                del self.refused[key]
                out.notices.append(f"{_about(each.action)} needs no consent any more: what asked for it is over")


def take_word(core: "Core", event: ActionOutcome, now: int, out: Emission) -> None:
    """Take the enforcer's word on an action: one that went beyond its caps waits, everything else is its outcome."""
    if event.status is not OutcomeStatus.NEEDS_CONSENT:
        take_outcome(core, event, now, out)
        return
    flight = core.arbiter.withdraw(event.action_id)
    if flight is None:
        return
    out.moved = True
    core.gate.consents.refused[flight.action.id] = Refused(flight.action, event.detail)
    out.notices.append(f"{_about(flight.action)} needs consent: {event.detail}")


def take_consent(core: "Core", event: Consent, now: int, out: Emission) -> None:
    """Let what was refused for its caps go on, once, or say in a notice why it cannot."""
    book = core.gate.consents
    found = [each for each in book.refused.values() if _is_meant(event, each.action)]
    if not found:
        wanted = event.action or event.incident
        out.notices.append(f"{event.operator} consented to {wanted!r}, but nothing of that name waits for consent")
    for each in found:
        account = core.state.accounts.get(each.action.account or "")
        if account is None or not account.live:
            out.notices.append(f"{_about(each.action)} was not consented to: the account is in shadow; arm it first")
            continue
        del book.refused[each.action.id]
        book.serial += 1
        action = msgspec.structs.replace(
            each.action,
            id=ActionId(f"{origin_of(each.action.id)}!{book.serial}"),
            at=now,
            consent=f"{event.operator}: {event.reason}",
        )
        core.arbiter.launch(action)
        out.planned.append(action)
        out.notices.append(f"{event.operator} consented to {_about(action)}: {event.reason}")
    core.gate.mark(out)


def _is_meant(event: Consent, action: PlannedAction) -> bool:
    return event.action == action.id or event.incident in action.incidents


def _about(action: PlannedAction) -> str:
    return " ".join(part for part in (action.name, "on", action.account, action.symbol) if part)
