"""What commands use of a running engine. The runtime brings it; everything that changes something is an event."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from haltline.api.control import OnResult
from haltline.api.registry import Registry
from haltline.clock import Clock
from haltline.config.settings import RuleBook, Setup
from haltline.control.practice import PracticeAccount
from haltline.control.readiness import Standing
from haltline.journal.receipt import Receipt
from haltline.journal.record import Entry, Record, RecordKind
from haltline.kernel.kernel import Kernel
from haltline.model.event import Event
from haltline.model.id import AccountId
from haltline.model.order import Intent
from haltline.model.plan import Permission, Result
from haltline.notify.drillreport import DrillReport
from haltline.notify.trial import Trial


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One broker, feed, channel or front end, and how it is."""

    name: str
    status: str
    reason: str = ""
    since: int = 0


class Wellbeing(msgspec.Struct, frozen=True, kw_only=True):
    """How the engine is: what waits, what is up, and what is wrong with its rules. `unguarded` says of accounts on
    which it cannot act why that is so."""

    events: int
    waiting: int
    enforcing: bool
    undelivered: bool
    unconfirmed: tuple[str, ...]
    services: tuple[Service, ...]
    problems: tuple[str, ...] = ()
    waiting_changes: tuple[str, ...] = ()
    unguarded: dict[str, str] = {}


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a broker shows otherwise than we have it. `since` is when it was first believed (UTC ns)."""

    account: AccountId
    about: str
    ours: str
    theirs: str
    since: int = 0

    def __str__(self) -> str:
        """In one sentence."""
        return f"{self.about}: we have {self.ours}, the broker shows {self.theirs}"


class Source(Protocol):
    """A journal, for reading."""

    def seq_at(self, at: int) -> int:
        """The last record at or before an instant, 0 for none; a clock that was set back blurs it."""

    def iterate(self, from_seq: int = 1, *, kinds: Sequence[RecordKind] = ()) -> Iterator[Record]:
        """Records in order."""


class Drills(Protocol):
    """The alarm path tried: test messages, and drills, one at a time."""

    @property
    def channels(self) -> Sequence[str]:
        """The names of the channels, front ends that are some among them."""

    async def try_channel(self, channel: str) -> Trial:
        """Send one real message through a channel."""

    def standings(self) -> Sequence[Standing]:
        """What each drill of the set-up has shown the last time, then the last one that somebody started."""

    def next_due(self, drill: str) -> int | None:
        """When a drill of the set-up begins next (UTC nanoseconds)."""

    def begin(
        self, labels: Mapping[str, str], *, wait_ns: int, practice: PracticeAccount | None = None, operator: str = ""
    ) -> str:
        """Start one; its name. It waits so long to be acknowledged by somebody, or with 0 does so itself; a practice
        account is flattened, for the operator."""

    def waiting(self) -> Sequence[tuple[str, str]]:
        """Those that wait to be acknowledged: name and account."""

    def acknowledge(self, drill: str, operator: str) -> bool:
        """Somebody has heard it; False where it does not wait for that."""

    async def ended(self, drill: str) -> DrillReport | None:
        """What it has shown, once it is at its end; None for what is no drill."""


class Door(Protocol):
    """A running engine, from inside."""

    @property
    def kernel(self) -> Kernel:
        """The kernel, between two steps."""

    @property
    def clock(self) -> Clock:
        """The engine's clock."""

    @property
    def setup(self) -> Setup:
        """The set-up in force."""

    @property
    def book(self) -> RuleBook:
        """The rules in force."""

    @property
    def registry(self) -> Registry:
        """What plugins registered."""

    @property
    def drills(self) -> Drills:
        """Drills of the alarm path."""

    async def submit(self, event: Event) -> Result:
        """Have the kernel take an event ahead of what waits; returns once what followed is on record."""

    async def record(self, entries: Sequence[Entry]) -> None:
        """Put entries on record; returns once they are on disk."""

    async def reload(self, *, by: str, why: str) -> Sequence[str]:
        """Read the rule files again; what changed, in words. Raises ConfigError with every problem."""

    async def read[T](self, work: Callable[[Source], T]) -> T:
        """Read the journal beside the engine's work."""

    def check(self, intent: Intent) -> Permission:
        """May this order be sent now?"""

    def wellbeing(self) -> Wellbeing:
        """How the engine is."""

    def differences(self) -> Sequence[Difference]:
        """Where the last comparison with the brokers found theirs and ours not the same."""

    def silences(self) -> Sequence[tuple[str, str]]:
        """Silences that stand: id and what they are about."""

    def subscribe(self, on_result: OnResult) -> Callable[[], None]:
        """Be told of every result."""

    def subscribe_receipts(self, on_receipt: Callable[[Receipt], None]) -> None:
        """Be told of every receipt."""
