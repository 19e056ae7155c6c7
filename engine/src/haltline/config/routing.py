"""What a set-up says about messages, checked: the records of its section `notify:`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from haltline.errors import Place
from haltline.model.matcher import Matcher
from haltline.rules.schedule import Window

EVERYTHING = "..."
"""In `group_by`: every label counts, so that nothing is grouped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteEntry:
    """One node of the tree; what is None is inherited from the node above. Durations in nanoseconds.

    A `critical_repeat_ns` or `repeat_interval_ns` of 0 means never. `mute` and `active` name entries of `times`.
    """

    match: tuple[Matcher, ...] = ()
    channels: tuple[str, ...] | None = None
    goes_on: bool = False
    group_by: tuple[str, ...] | None = None
    group_wait_ns: int | None = None
    group_interval_ns: int | None = None
    repeat_interval_ns: int | None = None
    critical_wait_ns: int | None = None
    critical_repeat_ns: int | None = None
    ack_for_ns: int | None = None
    resolved: bool | None = None
    escalate: str | None = None
    mute: tuple[str, ...] | None = None
    active: tuple[str, ...] | None = None
    mute_critical: bool | None = None
    routes: tuple["RouteEntry", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InhibitEntry:
    """While something fits `when`, nothing that fits `mute` and has the same labels `equal` is told."""

    when: tuple[Matcher, ...]
    mute: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEntry:
    """One step of a chain: so long after the first message without an acknowledgement, these channels hear it too."""

    after_ns: int
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyEntry:
    """The whole section.

    `per_minute` limits each channel (None: what its kind says); the fraction `reserved` of it is for critical messages.
    """

    root: RouteEntry
    inhibit: tuple[InhibitEntry, ...] = ()
    times: Mapping[str, tuple[Window, ...]] = field(default_factory=dict)
    escalations: Mapping[str, tuple[StepEntry, ...]] = field(default_factory=dict)
    per_minute: int | None = None
    reserved: float = 0.25
    place: Place | None = None
