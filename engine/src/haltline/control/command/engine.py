"""The engine itself, arming, and what waits: health, reload, arm, disarm, pending, approve, withdraw, consent."""

from haltline.api.control import Argument, ArgumentKind, Call, Command, Confirm, Role
from haltline.api.field import Kind
from haltline.api.reply import Card, Column, Fact, Paragraph, Part, Reply, Table, Tone
from haltline.control.arming import ACCEPT_ALL, NOT_READY, arm_request, arming_list
from haltline.control.command.reading import (
    ACCOUNT,
    REASON,
    actions_of,
    notices_of,
    reason_of,
    take,
    text_of,
)
from haltline.control.door import Door
from haltline.control.readiness import readiness_of, readiness_sentence, shortfall
from haltline.kernel.loosening import when_of
from haltline.model.event import Approve, ArmRequest, CancelLoosening, Consent
from haltline.model.id import AccountId, IncidentId

SECTION = "Engine"
_TONES = {"up": Tone.GOOD, "down": Tone.BAD, "degraded": Tone.BAD}


class EngineCommands:
    """Commands about the engine."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def commands(self) -> tuple[Command, ...]:
        """All of this family."""
        meaning = "codes of gaps that you accept, by commas, or all (but for not-ready)"
        accept = Argument(name="accept", meaning=meaning, required=False)
        pending = Argument(name="pending", meaning="what waits, as `pending` names it", kind=ArgumentKind.PENDING)
        incident = Argument(name="incident", meaning="the incident", kind=ArgumentKind.INCIDENT)
        return (
            Command(
                name="health", meaning="What is up, what is not, and what waits.", run=self.health, section=SECTION,
                example="health",
            ),
            Command(
                name="reload", meaning="Read the rule files again, all or nothing.", run=self.reload,
                arguments=(REASON,), mutates=True, role=Role.RISK_MANAGER, section=SECTION, example="reload new limits",
            ),
            Command(
                name="arm", meaning="Let rules act on an account.", run=self.arm, account="account", mutates=True,
                arguments=(ACCOUNT, accept, REASON), role=Role.RISK_MANAGER, confirm=Confirm.PRESS, text=self.arm_text,
                section=SECTION, example="arm eval accept=all the check list is done",
            ),
            Command(
                name="disarm", meaning="Rules only decide, record and tell on an account.", run=self.disarm,
                arguments=(ACCOUNT, REASON), account="account", mutates=True, role=Role.RISK_MANAGER,
                confirm=Confirm.LOOSENING, text=self.disarm_text, section=SECTION, example="disarm eval maintenance",
            ),
            Command(
                name="pending", meaning="What would guard less, and waits before it may.",
                run=self.pending, section=SECTION, example="pending",
            ),
            Command(
                name="approve", meaning="Agree to what waits, as the second operator.", run=self.approve,
                arguments=(pending, REASON), account="pending", mutates=True, role=Role.RISK_MANAGER,
                confirm=Confirm.PRESS, text=self.approve_text, section=SECTION, example="approve p1 agreed",
            ),
            Command(
                name="withdraw", meaning="Give up what waits.", run=self.withdraw, arguments=(pending, REASON),
                account="pending", mutates=True, role=Role.TRADER, section=SECTION, example="withdraw p1 not needed",
            ),
            Command(
                name="consent", meaning="Let an enforcement go beyond its caps, once.", run=self.consent,
                arguments=(incident, REASON), account="incident", mutates=True, role=Role.RISK_MANAGER,
                confirm=Confirm.PRESS, text=self.consent_text, section=SECTION,
                example="consent daily-loss/eval/1 it is right",
            ),
        )  # fmt: skip

    async def health(self, call: Call) -> Reply:
        """Counters, services, what is wrong with the rules."""
        well = self._door.wellbeing()
        facts = (
            Fact(label="events", value=well.events, kind=Kind.COUNT),
            Fact(label="events waiting", value=well.waiting, kind=Kind.COUNT),
            Fact(label="enforcing", value=well.enforcing, kind=Kind.BOOL),
            Fact(label="messages undelivered", value=well.undelivered, kind=Kind.BOOL),
            Fact(label="accounts not confirmed", value=", ".join(well.unconfirmed) or "none"),
        )
        columns = (
            Column(name="service", label="service"), Column(name="status", label="status"),
            Column(name="reason", label="reason"),
        )  # fmt: skip
        rows = tuple((each.name, each.status, each.reason) for each in well.services)
        tones = tuple(_TONES.get(each.status, Tone.WARNING) for each in well.services)
        parts: list[Part] = [Card(title="engine", facts=facts), Table(columns=columns, rows=rows, tones=tones)]
        parts += [Paragraph(text=text, tone=Tone.BAD) for text in well.problems]
        parts += [Paragraph(text=f"waits for a restart: {text}", tone=Tone.WARNING) for text in well.waiting_changes]
        is_ill = Tone.BAD in tones or bool(well.problems) or bool(well.unconfirmed)
        return Reply(title="Not all is well" if is_ill else "All is well", tone=Tone.BAD if is_ill else Tone.GOOD,
                     parts=tuple(parts))  # fmt: skip

    async def reload(self, call: Call) -> Reply:
        """Load, check, rehearse, exchange."""
        said = await self._door.reload(by=call.operator, why=reason_of(call))
        parts = tuple(Paragraph(text=text) for text in said)
        return Reply(title="The rule files were read", tone=Tone.GOOD, parts=parts)

    def arm_text(self, call: Call) -> str:
        """What is not covered."""
        account = AccountId(text_of(call, "account"))
        gaps = arming_list(self._door.setup, self._door.book, self._door.registry, account).gaps
        listed = " ".join(f"{gap}." for gap in gaps) or "none."
        return (
            f"Arm account {account}, because: {reason_of(call)}. Rules act on it from then on, and on what is broken"
            f" already. Not covered: {listed}{self._readiness(call)}"
        )

    def _unready(self, call: Call) -> str:
        """What the terms of the set-up ask of the alarm path and is not so."""
        return shortfall(self._door.setup.arming, self._door.drills.standings(), call.now)

    def _readiness(self, call: Call) -> str:
        """How ready the alarm path is, where drills have shown less than all of it or less than arming asks for."""
        if unready := self._unready(call):
            return f" {NOT_READY}: {unready}; it is refused unless that is accepted by its name."
        standings = self._door.drills.standings()
        said = readiness_sentence(standings, call.now)
        return f" {said}." if said and readiness_of(standings) != 100 else ""

    async def arm(self, call: Call) -> Reply:
        """An arming with its gaps accepted by name."""
        account = AccountId(text_of(call, "account"))
        listed = arming_list(self._door.setup, self._door.book, self._door.registry, account)
        accepted = [code.strip() for code in text_of(call, "accept").split(",") if code.strip()]
        accepted = [ACCEPT_ALL if code.lower() == ACCEPT_ALL else code for code in accepted]
        event = arm_request(
            listed, operator=call.operator, reason=reason_of(call), accept=accepted, now=call.now,
            unready=self._unready(call),
        )  # fmt: skip
        return await take(self._door, call, event, title=f"Armed {account}", is_done=lambda: self._is_live(account))

    def disarm_text(self, call: Call) -> str:
        """What disarming means."""
        account = text_of(call, "account")
        return f"Disarm account {account}, because: {reason_of(call)}. Rules go on deciding, and nothing is done there."

    async def disarm(self, call: Call) -> Reply:
        """To shadow."""
        account = AccountId(text_of(call, "account"))
        event = ArmRequest(
            at=call.now, received_at=call.now, account=account, operator=call.operator, live=False,
            reason=reason_of(call),
        )  # fmt: skip
        return await take(
            self._door, call, event, title=f"Disarmed {account}", is_done=lambda: not self._is_live(account)
        )

    async def pending(self, call: Call) -> Reply:
        """One row a loosening that waits."""
        columns = (
            Column(name="pending", label="id"), Column(name="text", label="what"), Column(name="operator", label="by"),
            Column(name="reason", label="because"), Column(name="when", label="takes effect"),
        )  # fmt: skip
        rows = tuple(
            (each.id, each.text, each.operator, each.reason, when_of(each))
            for each in self._door.kernel.loosenings
            if each.account is None or each.account in call.accounts
        )
        return Reply(title=f"{len(rows)} waiting", parts=(Table(columns=columns, rows=rows, empty="nothing waits"),))

    def approve_text(self, call: Call) -> str:
        """What would be let go."""
        found = self._door.kernel.loosenings.get(text_of(call, "pending"))
        what = f"{found.text}, asked for by {found.operator or 'nobody named'}" if found is not None else "nothing"
        return f"Agree to: {what}. Because: {reason_of(call)}. It takes effect at once."

    async def approve(self, call: Call) -> Reply:
        """The second operator's word."""
        name = text_of(call, "pending")
        event = Approve(
            at=call.now, received_at=call.now, request_id=name, operator=call.operator, reason=reason_of(call)
        )
        return await take(self._door, call, event, title=f"Approved {name}", is_done=lambda: not self._waits(name))

    async def withdraw(self, call: Call) -> Reply:
        """Forget it."""
        name = text_of(call, "pending")
        event = CancelLoosening(
            at=call.now, received_at=call.now, request_id=name, operator=call.operator, reason=reason_of(call)
        )
        return await take(self._door, call, event, title=f"Withdrawn: {name}", is_done=lambda: not self._waits(name))

    def consent_text(self, call: Call) -> str:
        """What goes beyond its caps."""
        incident = text_of(call, "incident")
        held = [
            f"{each.action.name} on {each.action.account}: {each.detail}"
            for each in self._door.kernel.consents.refused.values()
            if incident in each.action.incidents
        ]
        said = "; ".join(held) or "nothing waits for it now"
        return f"Let the enforcement of {incident} go beyond its caps, once ({said}), because: {reason_of(call)}."

    async def consent(self, call: Call) -> Reply:
        """An operator's word for what exceeds its caps."""
        event = Consent(
            at=call.now, received_at=call.now, operator=call.operator, reason=reason_of(call),
            incident=IncidentId(text_of(call, "incident")),
        )  # fmt: skip
        result = await call.submit(event)
        is_done = bool(result.plan)
        return Reply(
            title="Consented" if is_done else "Nothing waited for it", tone=Tone.GOOD if is_done else Tone.WARNING,
            parts=notices_of(result), actions=actions_of(result),
        )  # fmt: skip

    def _is_live(self, account: str) -> bool:
        return bool(self._door.kernel.state.accounts[account].live)

    def _waits(self, name: str) -> bool:
        found = self._door.kernel.loosenings.get(name)
        return found is not None and found.released_at is None
