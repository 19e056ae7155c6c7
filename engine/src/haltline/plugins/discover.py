"""What is installed: entry points by name, with the distributions they come from. Nothing is imported."""

import os
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib import metadata

PLUGIN_GROUP = "haltline"
PACK_GROUP = "haltline.rule_packs"
SIMULATOR_GROUP = "haltline.simulators"
"""Entry points `name = module:main`; `main` takes the words of the command line and serves until interrupted."""


def installed(group: str) -> tuple[metadata.EntryPoint, ...]:
    """All entry points of a group in this environment."""
    return tuple(_entry_points(tuple((place, _changed_ns(place)) for place in sys.path)).select(group=group))


@lru_cache(maxsize=1)
def _entry_points(places: tuple[tuple[str, int], ...]) -> metadata.EntryPoints:
    """Read again only after something was installed or removed: it means reading one file for each distribution."""
    return metadata.entry_points()


def _changed_ns(place: str) -> int:
    try:
        return os.stat(place or ".").st_mtime_ns
    except OSError:
        return 0


def by_name(entry_points: Iterable[metadata.EntryPoint], group: str) -> Mapping[str, tuple[metadata.EntryPoint, ...]]:
    """Entry points of a group by name, sorted; more than one under a name means that distributions clash."""
    found: dict[str, tuple[metadata.EntryPoint, ...]] = {}
    for entry in sorted(entry_points, key=lambda entry: (entry.name, distribution_of(entry))):
        if entry.group == group:
            found[entry.name] = (*found.get(entry.name, ()), entry)
    return found


def distribution_of(entry: metadata.EntryPoint) -> str:
    """The name of the distribution that brings the entry point; empty if unknown."""
    return entry.dist.name if entry.dist is not None else ""


def version_of(entry: metadata.EntryPoint) -> str:
    """The version of that distribution; empty if unknown."""
    return entry.dist.version if entry.dist is not None else ""
