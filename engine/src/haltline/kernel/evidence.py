"""Actions that wait for evidence, and go the moment it is there.

Contract. What needs more than one witness is looked at when it is asked for, and again whenever anything moved. While
it waits, entries are blocked and everything weaker has gone ahead. It goes when its evidence is complete, or when its
condition has held without a break for the hold time. While the condition does not hold it rests; it is forgotten when
its incident is over. Parameters and shadow are those of the instant at which it goes. A restart changes nothing of it.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from haltline.api.action import HandledBy
from haltline.clock import format_duration, to_iso
from haltline.kernel.consent import ConsentBook
from haltline.kernel.emission import Claim, Emission
from haltline.kernel.finding import SUFFICIENT, Finding, hold_of, weigh_evidence
from haltline.model.plan import Caps, PlannedAction
from haltline.model.rule import OnUnknown
from haltline.model.verdict import Verdict
from haltline.rules.incident import Incident
from haltline.rules.rule import LinkedAction

if TYPE_CHECKING:  # the core calls this module
    from haltline.kernel.core import Core

_RESTS = Finding("its condition does not hold now")
_UNKNOWN = Finding("its condition is not known now")


class Waiting(msgspec.Struct):
    """An action that waits: `slot` is its place among those of its rule, `missing` what it waits for.

    It goes at `until` at the latest if nothing changes; None while it rests.
    """

    action: PlannedAction
    slot: int
    missing: str = ""
    until: int | None = None
    told: bool = False
    proof: str = ""

    @property
    def incident(self) -> str:
        """The incident that asked for it."""
        return self.action.incidents[0]

    @property
    def sort(self) -> tuple[object, ...]:
        """Of two that have this in common only the newer one is wanted."""
        action = self.action
        return (self.incident, self.slot, action.account, action.symbol, action.order_id)


class EvidenceGate:
    """Holds back what is not sure enough yet."""

    def __init__(self, core: "Core") -> None:
        self.waiting: list[Waiting] = []
        self.consents = ConsentBook()
        self.caps = Caps()
        self._core = core

    def next_due(self) -> int | None:
        """The next instant at which something goes although nothing happens."""
        return min((each.until for each in self.waiting if each.until is not None), default=None)

    def sift(self, out: Emission) -> None:
        """Turn what is sure enough into requests, and keep the rest."""
        if out.claims or self.waiting or self.consents:
            self._sift(out)
        if not self.caps.is_open:
            out.requests = [self._capped(action) for action in out.requests]

    def _capped(self, action: PlannedAction) -> PlannedAction:
        """The action with the set-up's caps where its rule says nothing."""
        own, default = action.caps, self.caps
        if self._core.handlers.get(action.name, HandledBy.ENFORCE) is not HandledBy.ENFORCE:
            return action
        if own is None:
            return msgspec.structs.replace(action, caps=default)
        both = Caps(
            max_positions=default.max_positions if own.max_positions is None else own.max_positions,
            max_notional=default.max_notional if own.max_notional is None else own.max_notional,
            max_orders=default.max_orders if own.max_orders is None else own.max_orders,
            over=own.over,
        )
        return msgspec.structs.replace(action, caps=both)

    def _sift(self, out: Emission) -> None:
        claims, out.claims = out.claims, []
        for claim in claims:
            self._take(claim)
        for each in list(self.waiting):
            self._look(each, out)
        self.consents.sweep(self._core, out)
        self.mark(out)

    def mark(self, out: Emission | None = None) -> None:
        """Say at each incident what it waits for; while it does, it blocks entries."""
        live = self._core.live
        named = [each.incident for each in self.waiting]
        named += [name for each in self.consents.refused.values() for name in each.action.incidents]
        for incident in live.marked(named):
            text = "; ".join(dict.fromkeys(self._words(incident)))
            if text != incident.waits:
                incident.waits = text
                live.note(incident)
                if out is not None:
                    out.moved = True

    def _words(self, incident: Incident) -> Iterable[str]:
        for each in self.waiting:
            if each.incident == incident.id and each.until is not None and not each.action.shadow:
                yield f"{each.action.name} waits, until {to_iso(each.until)} at the latest: {each.missing}"
        yield from self.consents.words(incident)

    def _take(self, claim: Claim) -> None:
        incident, linked, action = claim
        new = Waiting(action=action, slot=incident.rule.every_action().index(linked))
        old = next((each for each in self.waiting if each.sort == new.sort), None)
        if old is not None:
            new.told = old.told
            self.waiting.remove(old)
        self.waiting.append(new)

    def _look(self, waiting: Waiting, out: Emission) -> None:
        incident = self._core.live.get(waiting.incident)
        if incident is None:
            self.waiting.remove(waiting)
            if waiting.told:
                out.notices.append(f"{about(waiting)} was not needed: what asked for it is over")
            return
        linked = incident.rule.every_action()[waiting.slot]
        since = incident.held.get(linked.level)
        hold_ns = hold_of(incident.rule.spec, self._core.state.settings.hold_ns)
        if since is not None and since + hold_ns <= out.now:
            finding = SUFFICIENT
            waiting.proof = f"the breach has held for {format_duration(hold_ns)}; {waiting.missing}"
        else:
            finding = self._finding(waiting, incident, linked, since, hold_ns, out.now)
        if not finding.missing:
            self._let_go(waiting, incident, linked, out)
            return
        waiting.missing = finding.missing
        ends = [end for end in (finding.due, None if since is None else since + hold_ns) if end is not None]
        waiting.until = min(ends, default=None)
        if not waiting.told and waiting.until is not None:
            waiting.told = True
            out.notices.append(
                f"{about(waiting)} waits, until {to_iso(waiting.until)} at the latest: {waiting.missing}"
            )

    def _finding(
        self, waiting: Waiting, incident: Incident, linked: LinkedAction, since: int | None, hold_ns: int, now: int
    ) -> Finding:
        if incident.seen is Verdict.UNKNOWN and incident.rule.on_unknown is OnUnknown.ACT:
            return SUFFICIENT
        if since is None:
            return _RESTS
        if incident.seen is Verdict.UNKNOWN:
            return _UNKNOWN
        account: Any = self._core.state.accounts.get(waiting.action.account or "")
        return weigh_evidence(
            incident.rule, linked, incident.entity, account, judge=self._core.judgement, now=now, hold_ns=hold_ns
        )

    def _let_go(self, waiting: Waiting, incident: Incident, linked: LinkedAction, out: Emission) -> None:
        self.waiting.remove(waiting)
        action = waiting.action
        if waiting.told or action.at != out.now:
            account = self._core.state.accounts.get(action.account or "")
            action = msgspec.structs.replace(
                action,
                at=out.now,
                params=linked.params(incident.entity),
                shadow=incident.rule.shadow or account is None or not account.live,
                evidence=waiting.proof or f"complete now; before, {waiting.missing}",
            )
        out.requests.append(action)


def about(waiting: Waiting) -> str:
    """What waits, in words."""
    action = waiting.action
    return " ".join(part for part in (action.name, "on", action.account, action.symbol) if part)
