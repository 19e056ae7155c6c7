"""What is wrong, and the messages about it: incidents, ack, unack, silence, unsilence, history."""

from haltline.api.control import Argument, ArgumentKind, Call, Command, Role
from haltline.api.field import Kind
from haltline.api.reply import Button, Column, Paragraph, Reply, Table, Tone
from haltline.clock import NS_PER_S
from haltline.control.command.reading import (
    MAYBE_REASON,
    notices_of,
    number_of,
    reason_of,
    take,
    text_of,
)
from haltline.control.door import Door, Source
from haltline.control.incidentspan import Span, read_spans
from haltline.control.offer import incident_buttons
from haltline.kernel.view import IncidentView
from haltline.model.event import Acknowledge, Silence, Unacknowledge, Unsilence
from haltline.model.id import IncidentId
from haltline.model.verdict import Phase

SECTION = "Incidents"
_NEWEST = 20
_HOUR_S = 3600.0
_TONES = {Phase.BREACHED: Tone.BAD, Phase.WARNING: Tone.WARNING, Phase.UNKNOWN: Tone.WARNING}
_INCIDENT = Argument(name="incident", meaning="the incident", kind=ArgumentKind.INCIDENT)


class Incidents:
    """Commands about incidents."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def commands(self) -> tuple[Command, ...]:
        """All of this family."""
        rule = Argument(name="rule", meaning="the rule to be quiet about", kind=ArgumentKind.RULE)
        length = Argument(name="for", meaning="how long; 1h if left out", kind=ArgumentKind.DURATION, required=False)
        account = Argument(name="account", meaning="only of this account", kind=ArgumentKind.ACCOUNT, required=False)
        silence = Argument(name="silence", meaning="the silence", kind=ArgumentKind.SILENCE)
        count = Argument(name="count", meaning="how many", kind=ArgumentKind.NUMBER, required=False)
        return (
            Command(
                name="incidents", meaning="What is wrong now.", run=self.incidents, section=SECTION, example="incidents"
            ),
            Command(
                name="history", meaning="Incidents of the past, newest first.", run=self.history, arguments=(count,),
                section=SECTION, example="history 10",
            ),
            Command(
                name="ack", meaning="Say that you have seen an incident: reminders stop.", run=self.ack,
                arguments=(_INCIDENT,), account="incident", mutates=True, role=Role.TRADER, section=SECTION,
                example="ack daily-loss/eval/1",
            ),
            Command(
                name="unack", meaning="Take an acknowledgement back.", run=self.unack, arguments=(_INCIDENT,),
                account="incident", mutates=True, role=Role.TRADER, section=SECTION, example="unack daily-loss/eval/1",
            ),
            Command(
                name="silence", meaning="No messages about a rule for a while; it goes on being enforced.",
                run=self.silence, arguments=(rule, length, account, MAYBE_REASON), account="account", mutates=True,
                role=Role.TRADER, section=SECTION, example="silence daily-loss 1h account=eval",
            ),
            Command(
                name="unsilence", meaning="End a silence before its time.", run=self.unsilence,
                arguments=(silence, MAYBE_REASON), mutates=True, role=Role.TRADER, section=SECTION,
                example="unsilence s1",
            ),
        )  # fmt: skip

    async def incidents(self, call: Call) -> Reply:
        """One row an incident, with buttons for the gravest."""
        live = [each for each in self._door.kernel.incidents() if self._is_seen(call, each.entity)]
        columns = (
            Column(name="incident", label="incident"), Column(name="title", label="what"),
            Column(name="phase", label="phase"), Column(name="severity", label="severity"),
            Column(name="since", label="since", kind=Kind.TIME),
            Column(name="measured", label="value", kind=Kind.NUMBER),
            Column(name="threshold", label="limit", kind=Kind.NUMBER),
            Column(name="acknowledged", label="seen", kind=Kind.BOOL),
        )  # fmt: skip
        rows = tuple(
            (each.id, each.title, each.phase.value, each.severity.value, each.since, each.measured, each.threshold,
             each.acknowledged)
            for each in live
        )  # fmt: skip
        tones = tuple(_TONES.get(each.phase, Tone.PLAIN) for each in live)
        table = Table(columns=columns, rows=rows, tones=tones, empty="nothing is wrong")
        title = f"{len(live)} incident{'' if len(live) == 1 else 's'}"
        return Reply(title=title, parts=(table,), buttons=self._buttons(live))

    async def history(self, call: Call) -> Reply:
        """One row an incident of the journal."""
        count = int(max(1.0, min(number_of(call, "count") or _NEWEST, 200.0)))
        spans = [span for span in await self._door.read(_spans) if self._is_seen(call, span.entity)]
        columns = (
            Column(name="incident", label="incident"), Column(name="opened", label="began", kind=Kind.TIME),
            Column(name="fired", label="fired", kind=Kind.TIME),
            Column(name="moved", label="last moved", kind=Kind.TIME),
            Column(name="lasted", label="lasted", kind=Kind.DURATION), Column(name="phase", label="phase"),
        )  # fmt: skip
        rows = tuple(
            (span.incident, span.opened_at, span.fired_at, span.moved_at,
             (span.moved_at - span.opened_at) / NS_PER_S, span.phase.value)
            for span in reversed(spans[-count:])
        )  # fmt: skip
        return Reply(title="History", parts=(Table(columns=columns, rows=rows, empty="no incident on record"),))

    async def ack(self, call: Call) -> Reply:
        """Acknowledge; an incident latched until then may end by it."""
        incident = IncidentId(text_of(call, "incident"))
        if self._door.drills.acknowledge(incident, call.operator):
            said = Paragraph(text="It was a drill: nothing happened to any account.")
            return Reply(title=f"Acknowledged: {incident}", tone=Tone.GOOD, parts=(said,))
        event = Acknowledge(at=call.now, received_at=call.now, incident=incident, operator=call.operator)
        return await take(
            self._door,
            call,
            event,
            title=f"Acknowledged: {incident}",
            is_done=lambda: self._seen(incident) is not False,
        )

    async def unack(self, call: Call) -> Reply:
        """Take it back."""
        incident = IncidentId(text_of(call, "incident"))
        event = Unacknowledge(at=call.now, received_at=call.now, incident=incident, operator=call.operator)
        return await take(
            self._door,
            call,
            event,
            title=f"Not acknowledged: {incident}",
            is_done=lambda: self._seen(incident) is False,
        )

    async def silence(self, call: Call) -> Reply:
        """A silence of the rule, of one account where that is named; otherwise of those of the operator."""
        rule, account = text_of(call, "rule"), text_of(call, "account")
        matchers = (f"rule={rule}", *((f"account={account}",) if account else ()))
        until = call.now + round((number_of(call, "for") or _HOUR_S) * NS_PER_S)
        name = f"{rule}{f'-{account}' if account else ''}-{call.now // NS_PER_S}"
        event = Silence(
            at=call.now, received_at=call.now, silence_id=name, matchers=matchers, until=until, operator=call.operator,
            reason=reason_of(call),
        )  # fmt: skip
        reply = await take(self._door, call, event, title=f"Quiet about {rule}", is_done=lambda: self._stands(name))
        button = Button(label="End it", command="unsilence", arguments={"silence": name})
        return Reply(
            title=reply.title, status=reply.status, tone=reply.tone, parts=reply.parts, code=reply.code,
            buttons=(button,) if self._stands(name) else (),
        )  # fmt: skip

    async def unsilence(self, call: Call) -> Reply:
        """End it."""
        name = text_of(call, "silence")
        event = Unsilence(
            at=call.now, received_at=call.now, silence_id=name, operator=call.operator, reason=reason_of(call)
        )
        result = await call.submit(event)
        return Reply(title=f"Messages again: {name}", tone=Tone.GOOD, parts=notices_of(result))

    def _stands(self, silence: str) -> bool:
        return any(name == silence for name, _ in self._door.silences())

    def _seen(self, incident: str) -> bool | None:
        """Whether it is acknowledged; None where it is over."""
        found = next((each for each in self._door.kernel.incidents() if each.id == incident), None)
        return None if found is None else found.acknowledged

    def _is_seen(self, call: Call, entity: str) -> bool:
        account = entity.partition("/")[0]
        return account in call.accounts or account not in self._door.kernel.state.accounts

    def _buttons(self, live: list[IncidentView]) -> tuple[Button, ...]:
        open_ones = [each for each in live if not each.acknowledged] or live
        return incident_buttons(open_ones[-1], self._door.kernel) if open_ones else ()


def _spans(source: Source) -> list[Span]:
    return read_spans(source)
