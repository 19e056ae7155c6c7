"""`drill` as a command: through the real routes and channels, acknowledged by people, away from brokers and rules."""

import asyncio

import pytest
from operator_desk import ONE, PEOPLE, Desk, Open

from haltline.api import Message, Reply, ReplyStatus, Role
from haltline.clock import NS_PER_S
from haltline.journal.record import RecordKind

RIA, TOM = PEOPLE[Role.RISK_MANAGER], PEOPLE[Role.TRADER]


class Ear:
    """A channel that hears everything, or refuses it."""

    def __init__(self, refusal: Exception | None = None) -> None:
        self.heard: list[Message] = []
        self.refusal = refusal

    async def send(self, message: Message) -> str | None:
        if self.refusal is not None:
            raise self.refusal
        self.heard.append(message)
        return None


SETUP = """version: 1
mode: live
accounts:
  eval: {broker: paper, balance: 50000}
  other: {broker: paper, balance: 1000}
operators:
  tom: {role: trader, identities: {telegram: 2}}
  ria: {role: risk-manager, identities: {telegram: 3}}
  one: {role: admin, accounts: [other], identities: {telegram: 5}}
channels: {phone: {kind: console}}
rules: [rules.yaml]
CONTROL
"""
ROUTED = f"{SETUP}notify: {{channels: [phone]}}\n"


def listen(desk: Desk, ear: Ear) -> Ear:
    desk.engine.engine._channels["phone"] = ear
    return ear


async def followed(desk: Desk, reply: Reply) -> Reply:
    """The report; time passes meanwhile."""
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        waiting = group.create_task(desk.control.follow(reply))
        while not waiting.done():
            await asyncio.sleep(0)
            desk.clock.advance_to(desk.clock.now() + NS_PER_S // 100)
        return waiting.result()


async def test_a_drill_is_told_marked_and_reported_and_touches_no_rule_and_no_broker(opened: Open) -> None:
    async with opened(setup=ROUTED) as desk:
        ear = listen(desk, Ear())
        plans = [record.seq for record in desk.engine.engine.store.iterate(kinds=[RecordKind.OUTCOME])]
        begun = await desk.say(RIA, "drill eval")
        assert (begun.status, len(begun.actions)) == (ReplyStatus.DONE, 1)
        report = await followed(desk, begun)
        assert report.title == "DRILL: readiness 75 of 100"
        assert [message.title for message in ear.heard] == [
            "DRILL: a made-up breach", "DRILL: a made-up breach", "DRILL: a made-up breach: over"
        ]  # fmt: skip
        assert {message.labels["drill"] for message in ear.heard} == {"true"}
        assert [message.buttons for message in ear.heard] == [(), (), ()]
        assert desk.engine.engine.kernel.live == {}
        assert [record.seq for record in desk.engine.engine.store.iterate(kinds=[RecordKind.OUTCOME])] == plans
        assert b"drill: readiness 75 of 100" in desk.journal()
        assert (desk.audit()[-1].command, desk.audit()[-1].operator) == ("drill", "ria")


async def test_the_button_of_a_drill_stops_its_reminders_and_is_on_record(opened: Open) -> None:
    async with opened(setup=ROUTED) as desk:
        ear = listen(desk, Ear())
        begun = await desk.say(RIA, "drill eval wait=2m")
        while len(offered := [message for message in ear.heard if message.buttons]) < 2:  # the alarm, and a reminder
            await asyncio.sleep(0)
            desk.clock.advance_to(desk.clock.now() + NS_PER_S // 2)
        assert {button.command for message in offered for button in message.buttons} == {"ack"}
        assert all("DRILL" in message.title for message in offered)
        (button,) = offered[-1].buttons
        acked = await desk.say(TOM, f"ack {button.arguments['incident']}")
        assert "It was a drill" in str(acked.parts)
        report = await followed(desk, begun)
        assert "acknowledged by tom after" in str(report.parts)
        assert ("the acknowledgement stops the reminders", True, 10) in report.parts[2].rows  # type: ignore[union-attr]
        assert not ear.heard[-1].buttons
        late = await desk.say(TOM, f"ack {button.arguments['incident']}")
        assert (late.status, late.code) == (ReplyStatus.REFUSED, "E853")
        assert "ack" in [record.command for record in desk.audit()]


async def test_a_drill_that_nobody_acknowledges_says_so(opened: Open) -> None:
    async with opened(setup=ROUTED) as desk:
        listen(desk, Ear())
        report = await followed(desk, await desk.say(RIA, "drill eval wait=5s"))
        assert ("the acknowledgement stops the reminders", False, 10) in report.parts[2].rows  # type: ignore[union-attr]
        assert report.status is ReplyStatus.DONE


async def test_a_drill_that_a_channel_does_not_take_is_not_heard(opened: Open) -> None:
    async with opened(setup=ROUTED) as desk:
        listen(desk, Ear(refusal=ValueError("broken")))
        report = await followed(desk, await desk.say(RIA, "drill eval"))
        assert (report.status, report.code) == (ReplyStatus.REFUSED, "E861")
        assert "NOT DELIVERED" in str(report.parts) and "broken" in str(report.parts)


async def test_a_drill_of_less_than_critical_waits_for_company_as_its_route_says(opened: Open) -> None:
    async with opened(setup=SETUP + "notify: {channels: [phone], group_wait: 30s}\n") as desk:
        ear = listen(desk, Ear())
        report = await followed(desk, await desk.say(RIA, "drill eval warning"))
        assert report.status is ReplyStatus.DONE
        assert ear.heard[0].title == "DRILL: a made-up breach"


@pytest.mark.long
async def test_two_drills_at_once_are_refused(opened: Open) -> None:
    async with opened(setup=ROUTED) as desk:
        listen(desk, Ear())
        begun = await desk.say(RIA, "drill eval wait=10s")
        refused = await desk.say(RIA, "drill eval")
        assert refused.code == "E860"
        await followed(desk, begun)
        assert (await followed(desk, await desk.say(RIA, "drill eval"))).status is ReplyStatus.DONE


@pytest.mark.parametrize(
    ("line", "code"),
    [("drill nobody", "E853"), ("drill eval wait=5m", "E853"), ("drill eval loud", "E853"), ("drill rule=no", "E853")],
)
async def test_a_drill_of_what_is_not_there_is_refused(opened: Open, line: str, code: str) -> None:
    async with opened(setup=ROUTED) as desk:
        assert (await desk.say(RIA, line)).code == code


@pytest.mark.long
async def test_a_drill_needs_a_risk_manager_with_the_account(opened: Open) -> None:
    async with opened(setup=ROUTED) as desk:
        listen(desk, Ear())
        assert (await desk.say(TOM, "drill eval")).code == "E851"
        assert (await desk.say(ONE, "drill eval")).code in ("E851", "E853")
        begun = await desk.say(RIA, "drill eval wait=10s")
        incident = begun.actions[0]
        assert (await desk.say(ONE, f"ack {incident}")).code == "E851"
        await followed(desk, begun)


async def test_a_drill_that_is_cut_off_by_the_end_of_the_engine_says_so_to_whoever_waits(opened: Open) -> None:
    async with opened(setup=ROUTED) as desk:
        listen(desk, Ear())
        begun = await desk.say(RIA, "drill eval wait=2m")
        control = desk.control
        await asyncio.sleep(0)
    assert "was cut off" in str((await control.follow(begun)).parts)
