"""What the journal holds: entries as they are given, records as they are kept, and the shapes of their bodies."""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from haltline.model.event import Event, Tick
from haltline.model.plan import PlannedAction
from haltline.model.verdict import Transition

SCHEMA_VERSION = 2


class RecordKind(StrEnum):
    """What a record says.

    `event` what happened · `transition` what a rule made of it · `plan` an action to be carried out · `intent` a
    request about to be sent to a broker · `outcome` how a request or a whole action ended · `command` what an
    operator asked · `snapshot` that a state was saved · `config` what was in force · `equity` what accounts
    were worth · `notice` anything else.
    """

    EVENT = "event"
    TRANSITION = "transition"
    PLAN = "plan"
    INTENT = "intent"
    OUTCOME = "outcome"
    COMMAND = "command"
    SNAPSHOT = "snapshot"
    CONFIG = "config"
    EQUITY = "equity"
    NOTICE = "notice"
    COMPACTION = "compaction"
    DAMAGE = "damage"


class Entry(NamedTuple):
    """One thing to be written: `at` in UTC nanoseconds, `body` one JSON document."""

    kind: RecordKind
    at: int
    body: bytes


class Record(NamedTuple):
    """One thing that was written. `digest` chains it to every record before it."""

    seq: int
    kind: RecordKind
    at: int
    body: bytes
    digest: bytes


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A remark for the record: `topic` says which part of the engine made it."""

    topic: str
    text: str


_ENCODER = msgspec.json.Encoder()
_EVENTS: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_PLANS = msgspec.json.Decoder(PlannedAction)
_TRANSITIONS = msgspec.json.Decoder(Transition)


def entry_of(kind: RecordKind, at: int, content: object) -> Entry:
    """An entry whose body is the JSON of any record or plain value."""
    return Entry(kind, at, _ENCODER.encode(content))


def event_entry(event: Event, now: int) -> Entry:
    """An event as it is given to the kernel at the instant `now`."""
    return Entry(RecordKind.EVENT, now, _ENCODER.encode(event))


def tick_entry(now: int) -> Entry:
    """The passing of time."""
    return event_entry(Tick(at=now, received_at=now), now)


def notice_entry(at: int, topic: str, text: str) -> Entry:
    """A remark."""
    return entry_of(RecordKind.NOTICE, at, Notice(topic=topic, text=text))


def event_of(record: Record) -> Event:
    """The event of an `event` record, exactly as it was; raises msgspec.ValidationError for another body."""
    return _EVENTS.decode(record.body)


def planned_of(record: Record) -> PlannedAction:
    """The action of a `plan` record."""
    return _PLANS.decode(record.body)


def transition_of(record: Record) -> Transition:
    """The transition of a `transition` record."""
    return _TRANSITIONS.decode(record.body)
