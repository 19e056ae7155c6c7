"""What of an edited set-up a running engine does not take up: everything but its rules waits for a restart."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from haltline.config.drill import DrillEntry
from haltline.config.operator import OperatorEntry, SurfaceEntry
from haltline.config.routing import NotifyEntry
from haltline.config.settings import BrokerEntry, ChannelEntry, FeedEntry, GuardianEntry, PluginEntry, Setup

type _Named = BrokerEntry | FeedEntry | ChannelEntry | PluginEntry | OperatorEntry | SurfaceEntry | DrillEntry


def changes_that_wait(running: Setup, edited: Setup) -> tuple[str, ...]:
    """What differs besides the rules, in words and without any value (values may be secrets)."""
    found = [
        *_entries("account", {each.id: each for each in running.accounts}, {each.id: each for each in edited.accounts}),
        *_entries("broker", _named(running.brokers), _named(edited.brokers)),
        *_entries("feed", _named(running.feeds), _named(edited.feeds)),
        *_entries("channel", _named(running.channels), _named(edited.channels)),
        *_entries("plugin", _named(running.plugins), _named(edited.plugins)),
        *_entries("operator", _named(running.operators), _named(edited.operators)),
        *_entries("surface", _named(running.surfaces), _named(edited.surfaces)),
        *_entries("drill", _named(running.drills), _named(edited.drills)),
        *_entries(
            "instrument",
            {each.symbol: each for each in running.instruments},
            {each.symbol: each for each in edited.instruments},
        ),
    ]
    plain = {
        "mode": (running.live, edited.live),
        "stale_after": (running.stale_after_ns, edited.stale_after_ns),
        "store": (running.store, edited.store),
        "evidence": (running.evidence, edited.evidence),
        "caps": (running.caps, edited.caps),
        "guardian": (_unplaced(running.guardian), _unplaced(edited.guardian)),
        "notify": (_unplaced(running.notify), _unplaced(edited.notify)),
        "control": (running.control, edited.control),
        "arming": (running.arming, edited.arming),
    }
    return (*found, *(f"{name} was changed" for name, (old, new) in plain.items() if old != new))


def _unplaced[E: (GuardianEntry, NotifyEntry)](entry: E | None) -> E | None:
    return None if entry is None else replace(entry, place=None)


def _named(entries: Iterable[_Named]) -> dict[str, _Named]:
    return {entry.name: replace(entry, place=None) for entry in entries}


def _entries(sort: str, old: Mapping[str, object], new: Mapping[str, object]) -> Iterable[str]:
    for name in dict.fromkeys([*old, *new]):
        if name not in new:
            yield f"{sort} {name!r} was removed"
        elif name not in old:
            yield f"{sort} {name!r} was added"
        elif old[name] != new[name]:
            yield f"{sort} {name!r} was changed"
