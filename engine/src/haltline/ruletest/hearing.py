"""Who hears what in a test: the same routes and the same desk as in the live engine, on the test's clock."""

from collections.abc import Callable, Mapping, Sequence

from haltline.api import Message
from haltline.api.registry import Registry
from haltline.clock import NS_PER_S, format_duration
from haltline.config.settings import Setup
from haltline.kernel.kernel import Kernel
from haltline.model.plan import Result
from haltline.notify.desk import Desk
from haltline.notify.directory import directory_of
from haltline.notify.notice import notices_of
from haltline.notify.route import Routes
from haltline.ruletest.case import ExpectedHearing, ExpectedMessage
from haltline.ruletest.report import Failure, Mismatch


class Hall:
    """Keeps what every channel heard since `begin_step`, with when: (instant, channel, message).

    Channels themselves are not tried: what the desk hands out counts as heard.
    """

    def __init__(self, setup: Setup, registry: Registry) -> None:
        severities = {entry.name: entry.severities for entry in setup.channels}
        self._routes = Routes(severities=severities, policy=setup.notify)
        self._setup = setup
        self._registry = registry
        self._desk = Desk(self._routes)
        self._notes: dict[str, bytes] = {}
        self._began = 0
        self.heard: list[tuple[int, str, Message]] = []

    def begin_step(self, now: int) -> None:
        """Forget what was heard in the step before."""
        self._began = now
        self.heard = []

    def take(self, result: Result, kernel: Kernel, now: int) -> None:
        """What a result gives people to hear."""
        directory = directory_of(self._setup, kernel)
        notices = notices_of(result, self._registry.actions, directory)
        self._keep(self._desk.take(notices, now, heard=result.attention), now)

    def until(self, instant: int) -> None:
        """What is said as time passes."""
        while (due := self._desk.deadline) is not None and due <= instant:
            self._keep(self._desk.advance(due), due)

    def restart(self, now: int) -> None:
        """The process ends, and starts again from what it noted."""
        self._keep([], now)
        self._desk = Desk(self._routes, self._notes, now)

    def judge(self, expected: Sequence[ExpectedHearing]) -> list[Failure]:
        """What is not as expected."""
        failures = (self._judge(each) for each in expected)
        return [failure for failure in failures if failure is not None]

    def _keep(self, outgoing: Sequence[tuple[Message, str]], now: int) -> None:
        self.heard += [(now, channel, message) for message, channel in outgoing]
        for key, body in self._desk.changes():
            if body is None:
                self._notes.pop(key, None)
            else:
                self._notes[key] = body

    def _judge(self, expected: ExpectedHearing) -> Failure | None:
        heard = [(at - self._began, message) for at, channel, message in self.heard if channel == expected.channel]
        fits = len(heard) == len(expected.messages) and all(
            _fits(wanted, after, message) for wanted, (after, message) in zip(expected.messages, heard, strict=True)
        )
        if fits:
            return None
        mismatch = Mismatch(
            subject="heard",
            expected="; ".join(map(_wanted, expected.messages)) or "nothing",
            actual="; ".join(f"{message.title} (after {_seconds(after)})" for after, message in heard) or "nothing",
        )
        return Failure(place=expected.place, title=f"channel {expected.channel}", mismatches=(mismatch,))


type MakeHall = Callable[[], Hall]


def _fits(wanted: ExpectedMessage, after: int, message: Message) -> bool:
    labels: Mapping[str, str] = {**message.labels, "rule": message.rule, "phase": message.phase}
    said = f"{message.title}\n{message.text}"
    return (
        wanted.text in said
        and wanted.rule in (None, labels["rule"])
        and wanted.phase in (None, labels["phase"])
        and wanted.severity in (None, message.severity.value)
        and wanted.after_ns in (None, after)
    )


def _wanted(wanted: ExpectedMessage) -> str:
    parts = [part for part in (wanted.rule, wanted.phase, wanted.severity) if part]
    parts += [f"… {wanted.text} …"] if wanted.text else []
    parts += [f"after {_seconds(wanted.after_ns)}"] if wanted.after_ns is not None else []
    return " ".join(parts) or "a message"


def _seconds(duration_ns: int) -> str:
    return format_duration(duration_ns // NS_PER_S * NS_PER_S)
