"""Whatever happens, in whatever order: nothing is lost, nothing is told twice, critical notices never wait."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.notify.conftest import ALL, Hall, ack, notice, over, silence

from haltline.config.routing import NotifyEntry, RouteEntry
from haltline.model.matcher import parse_matcher
from haltline.model.rule import Severity

POLICY = NotifyEntry(
    root=RouteEntry(
        channels=("mail",),
        repeat_interval_ns=0,
        critical_repeat_ns=0,
        routes=(
            RouteEntry(match=(parse_matcher("severity=critical"),), channels=("phone", "mail"), goes_on=True),
            RouteEntry(match=(parse_matcher("account=live"),), channels=("boss", "mail"), group_by=("rule",)),
        ),
    )
)


@dataclass(frozen=True)
class Step:
    sort: str
    rule: str
    account: str
    wait: int


steps = st.lists(
    st.builds(
        Step, st.sampled_from(["fire", "fire", "end", "ack", "restart", "wait"]), st.sampled_from("abc"),
        st.sampled_from(["eval", "live"]), st.integers(0, 400),
    ),
    max_size=25,
)  # fmt: skip


class World:
    """Fires and ends incidents as the kernel would: one at a time for each rule on each account."""

    def __init__(self) -> None:
        self.hall = Hall(POLICY, dict.fromkeys(("phone", "mail", "boss"), ALL))
        self.now = 0.0
        self.live: dict[tuple[str, str], tuple[str, float]] = {}
        self.fired: list[tuple[str, float, Severity]] = []
        self.serial = 0

    def play(self, step: Step) -> None:
        self.now += step.wait
        key = (step.rule, step.account)
        severity = Severity.CRITICAL if step.rule == "a" else Severity.WARNING
        if step.sort == "fire" and key not in self.live:
            self.serial += 1
            incident = f"{step.rule}/{step.account}/{self.serial}"
            self.live[key] = (incident, self.now)
            self.fired.append((incident, self.now, severity))
            self.hall.take(notice(incident, when=self.now, severity=severity, text=f"<{incident}>"), when=self.now)
        elif step.sort == "end" and key in self.live:
            incident, _ = self.live.pop(key)
            self.hall.take(over(incident, when=self.now, severity=severity), when=self.now)
        elif step.sort == "ack" and key in self.live:
            self.hall.take(when=self.now, heard=[ack(self.live[key][0], when=self.now)])
        elif step.sort == "restart":
            self.hall.until(self.now)
            self.hall.restart()
        else:
            self.hall.until(self.now)


def wanted(incident: str) -> set[str]:
    rule, account, _ = incident.split("/")
    return {"mail"} | ({"phone"} if rule == "a" else set()) | ({"boss"} if account == "live" else set())


@settings(max_examples=150, deadline=None)
@given(steps)
def test_every_notice_is_heard_by_its_channels_once_and_in_order(story: list[Step]) -> None:
    world = World()
    for step in story:
        world.play(step)
    world.hall.until(world.now + 3600)
    for incident, fired, severity in world.fired:
        told = [(when, name, message) for when, name, message in world.hall.said if f"<{incident}>" in message.text]
        begun: list[tuple[float, str]] = []
        for when, name, message in told:  # what an acknowledgement adds to a message heard before is no second one
            if "Acknowledged by" not in message.text or name not in {channel for _, channel in begun}:
                begun.append((when, name))
        assert {name for _, name in begun} >= wanted(incident)
        for name in wanted(incident):
            assert len([each for each in begun if each[1] == name]) == 1, (incident, name, begun)
        if severity is Severity.CRITICAL:
            assert {when for when, _ in begun} == {fired}
        ends = [
            when for when, _, message in world.hall.said
            if f"rule {incident[0]} is fine again" in message.text and when >= fired
        ]  # fmt: skip
        if ends and begun:
            assert min(ends) >= min(when for when, _ in begun)


@settings(max_examples=100, deadline=None)
@given(steps, st.integers(1, 2000))
def test_what_is_silenced_is_not_heard_before_the_silence_ends_and_what_goes_on_is_heard_then(
    story: list[Step], length: int
) -> None:
    world = World()
    world.hall.take(when=0, heard=[silence("kind=incident", until=length)])
    for step in story:
        world.play(step)
    world.hall.until(max(world.now, length) + 3600)
    assert all(when >= length for when, _, _ in world.hall.said)
    for incident, _ in world.live.values():
        assert any(f"<{incident}>" in message.text for _, _, message in world.hall.said)


@settings(max_examples=100, deadline=None)
@given(steps)
def test_a_desk_that_has_told_everything_keeps_nothing(story: list[Step]) -> None:
    world = World()
    for step in story:
        world.play(step)
    for (rule, _), (incident, _) in list(world.live.items()):
        severity = Severity.CRITICAL if rule == "a" else Severity.WARNING
        world.hall.take(over(incident, when=world.now, severity=severity), when=world.now)
    world.hall.until(world.now + 3600)
    assert (world.hall.desk.groups, world.hall.desk.deadline) == ((), None)
    assert set(world.hall.notes) <= {"tree"}
