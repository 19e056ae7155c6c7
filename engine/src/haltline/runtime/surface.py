"""Front ends: made once from the set-up, run in a guard each, given the one control service."""

from collections.abc import Mapping
from functools import partial
from typing import cast

from haltline.api import Notifier, Surface, SurfaceSetup
from haltline.clock import Clock
from haltline.config.settings import Setup
from haltline.control.command.catalogue import Help, all_commands
from haltline.control.door import Door
from haltline.control.note import Notes, SurfaceNotes
from haltline.control.operator import OperatorBook
from haltline.control.service import ControlService
from haltline.errors import ConfigError, Problem
from haltline.runtime.compose import Parts, making
from haltline.runtime.health import HealthBook
from haltline.runtime.peer import user_name
from haltline.runtime.supervise import Supervisor


def make_operators(setup: Setup) -> OperatorBook:
    """The operators of a set-up; without any the user that runs the engine is an admin at its own machine."""
    accounts = [str(account.id) for account in setup.accounts]
    return OperatorBook(setup.operators, accounts, owner=user_name(), roles=setup.control.roles)


def make_surfaces(parts: Parts, *, clock: Clock, notes: Notes) -> dict[str, Surface]:
    """One front end per entry; raises ConfigError for a kind that no plugin brings."""
    people = make_operators(parts.setup).people()
    surfaces: dict[str, Surface] = {}
    for entry in parts.setup.surfaces:
        kind = parts.registry.surfaces.get(entry.kind)
        if kind is None:
            what, cure = f"no plugin brings the kind {entry.kind!r}", "list it under 'plugins'"
            raise ConfigError([Problem(code="E420", where=f"surface {entry.name!r}", what=what, cure=cure)])
        with making("surface", entry.name, entry.config):
            surfaces[entry.name] = kind.make(
                SurfaceSetup(
                    name=entry.name, config=entry.config, clock=clock, directory=parts.setup.directory,
                    memory=SurfaceNotes(notes, f"surface:{entry.name}", clock.now), people=people,
                )
            )  # fmt: skip
    return surfaces


def speaking(surfaces: Mapping[str, Surface]) -> dict[str, Notifier]:
    """The front ends that are channels too."""
    return {name: cast("Notifier", surface) for name, surface in surfaces.items() if hasattr(surface, "send")}


def make_control(parts: Parts, door: Door, notes: Notes) -> ControlService:
    """The control service of one engine; raises PluginFailed where a plugin's command has a name of ours."""
    about = Help()
    service = ControlService(
        door, all_commands(door, about, parts.registry), operators=make_operators(parts.setup), notes=notes,
        entry=parts.setup.control,
    )  # fmt: skip
    about.usable = service.commands
    return service


def serve_surfaces(
    surfaces: Mapping[str, Surface],
    control: ControlService,
    *,
    supervisor: Supervisor,
    health: HealthBook,
    clock: Clock,
) -> None:
    """Run every front end in a guard: whatever one raises, it is started again, and nobody else notices."""
    for name, surface in surfaces.items():
        service = f"surface {name}"
        health.set(service, "starting", at=clock.now())
        up = partial(health.set, service, "up")
        supervisor.guard(service, partial(surface.run, control, up))
