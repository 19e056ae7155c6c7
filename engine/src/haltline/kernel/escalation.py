"""Enforcement that is stuck gets louder: step by step, each step told once, until it succeeds or nobody asks for it.

Contract. A rule's own steps (`escalate`) count for what its incident asked for; where no rule that asked has any, there
is one step for everybody: critical, on every channel there is, after three failed tries, or after one that failed and a
minute without success. A step is taken
once for one stuck action, whatever restarts in between. It is a transition of the incident, and requests like those of
any firing.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from haltline.api.action import HandledBy
from haltline.clock import NS_PER_S, to_iso
from haltline.kernel.emission import Emission
from haltline.model.id import ActionId
from haltline.model.plan import PlannedAction
from haltline.model.rule import Severity
from haltline.rules.arbiter import Params, Target, request
from haltline.rules.flight import Flight
from haltline.rules.incident import Incident
from haltline.rules.rule import Escalation, LinkedAction

if TYPE_CHECKING:  # the core calls this module
    from haltline.kernel.core import Core

EVERY_CHANNEL = "*"
STANDARD = (Escalation(attempts=3, after_ns=60 * NS_PER_S, severity=Severity.CRITICAL, actions=()),)
"""What is done about a stuck action where no rule says anything: tell everybody."""

type Ladder = tuple[Incident | None, Sequence[Escalation]]


def next_step(core: "Core") -> int | None:
    """The next instant at which a step is due by time alone."""
    instants = [
        flight.asked_at + step.after_ns
        for flight in core.arbiter.flights.values()
        for incident, steps in _ladders(core, flight)
        for number, step in enumerate(steps)
        if step.after_ns is not None and number not in flight.told.get(_owner(incident), ())
    ]
    return min(instants, default=None)


def step_up(core: "Core", now: int, out: Emission) -> None:
    """Take every step that is due and was not taken yet."""
    for flight in list(core.arbiter.flights.values()):
        for incident, steps in _ladders(core, flight):
            for number, step in enumerate(steps):
                told = flight.told.get(_owner(incident), [])
                if number not in told and _is_due(flight, step, now):
                    flight.told = {**flight.told, _owner(incident): [*told, number]}
                    _take(core, flight, incident, number, step, now, out)


def tell_end(flight: Flight, how: str, now: int, out: Emission) -> None:
    """Tell those who heard that it was stuck how it ended."""
    if flight.told:
        text = f"{about(flight)} {how}"
        out.requests.append(_message(flight, "end", {"severity": Severity.WARNING.value, "text": text}, now))


def _ladders(core: "Core", flight: Flight) -> Iterator[Ladder]:
    """Whose steps count for a flight; none for what is done, or what nobody asks for any more."""
    if flight.echo or not core.is_wanted(flight):
        return
    incidents = [core.live[name] for name in flight.action.incidents if name in core.live]
    own = [incident for incident in incidents if incident.rule.escalation]
    for incident in own:
        yield incident, incident.rule.escalation
    if not own and flight.failures:
        yield (incidents[0] if incidents else None), STANDARD


def _owner(incident: Incident | None) -> str:
    return "" if incident is None else str(incident.id)


def _is_due(flight: Flight, step: Escalation, now: int) -> bool:
    if step.attempts is not None and flight.failures >= step.attempts:
        return True
    return step.after_ns is not None and now >= flight.asked_at + step.after_ns


def _take(
    core: "Core", flight: Flight, incident: Incident | None, number: int, step: Escalation, now: int, out: Emission
) -> None:
    out.notices.append(f"stuck: {stuck(flight)}")
    said: Params = {"severity": step.severity.value, "text": stuck(flight)}
    cause = f"stuck{number + 1}"
    if incident is None or not step.actions:
        out.requests.append(_message(flight, cause, said, now))
    if incident is None:
        out.moved = True
        return
    core.lifecycle.remark(incident, now, out, f"{about(flight)} is stuck", step.severity)
    for linked in step.actions:
        if linked.action.handled_by is HandledBy.NOTIFY:
            out.requests.append(_notify(flight, incident, linked, cause, said, now))
        else:
            if linked.action.name == "block_entries":
                incident.blocks = True
                core.live.note(incident)
            out.ask(incident, linked, cause=f"{cause}({flight.origin})", only=flight.action.account)


def _notify(
    flight: Flight, incident: Incident, linked: LinkedAction, cause: str, said: Params, now: int
) -> PlannedAction:
    """The message that a step of a rule asks for, with its own words before ours."""
    params = {**linked.params(incident.entity), "severity": said["severity"]}
    own = params.get("text")
    params["text"] = f"{own}. {said['text']}" if own else said["text"]
    target = Target(flight.action.account)
    return request(incident, linked, target, params, cause=f"{cause}({flight.origin})", now=now, shadow=False)


def _message(flight: Flight, cause: str, said: Params, now: int) -> PlannedAction:
    """A message to every channel that follows from no `notify` of a rule."""
    action = flight.action
    return PlannedAction(
        id=ActionId(f"{flight.origin}:{cause}:notify"), at=now, name="notify", account=action.account,
        params={"channels": EVERY_CHANNEL, **said}, rules=action.rules, incidents=action.incidents,
        reason=action.reason or about(flight),
    )  # fmt: skip


def stuck(flight: Flight) -> str:
    """What is stuck, since when, at which attempt, what the last one said, and what comes next."""
    said = f"; the last one: {flight.detail}" if flight.detail else ""
    failed = f"{flight.failures} of its tries failed{said}" if flight.failures else "no try has ended yet"
    coming = f"it is tried again at {to_iso(flight.retry_at)}" if flight.retry_at is not None else "a try is under way"
    return f"{about(flight)} has not succeeded since {to_iso(flight.asked_at)}: {failed}; {coming}"


def about(flight: Flight) -> str:
    """An enforcement in words: ``flatten on eval``, ``close position on eval MNQ``."""
    action = flight.action
    name = action.name.replace("_", " ")
    return f"{name} on {action.account}" + (f" {action.symbol}" if action.symbol else "")
