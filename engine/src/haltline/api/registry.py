"""Where plugins put what they bring. It knows who registered what, refuses duplicates, and freezes before start."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haltline.api.action import Action
from haltline.api.broker import BrokerKind
from haltline.api.calendar import CalendarKind
from haltline.api.control import Command, SurfaceKind
from haltline.api.feed import FeedKind
from haltline.api.field import Field
from haltline.api.function import Function
from haltline.api.notifier import NotifierKind
from haltline.errors import InvariantBroken, PluginFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePack:
    """A folder of rule templates: ``use: name/template`` reads `folder` / ``template.yaml``."""

    name: str
    folder: Path
    version: str = ""
    meaning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """Told of every `model.plan.Result` that says something, after it is journalled; one that raises is removed and
    reported. It runs on the event loop and must be quick.
    """

    name: str
    on_result: Callable[..., None]


@dataclass(frozen=True, slots=True)
class Owned[T]:
    """A registered thing and the plugin that registered it."""

    value: T
    owner: str


class Shelf[T]:
    """The registered things of one sort, by name."""

    def __init__(self, sort: str, registry: "Registry") -> None:
        self.sort = sort
        self._registry = registry
        self._items: dict[str, Owned[T]] = {}

    def add(self, name: str, value: T) -> None:
        """Register under a name; raises PluginFailed naming both owners when it is taken."""
        self._registry.require_open()
        taken = self._items.get(name)
        owner = self._registry.owner
        if taken is not None:
            raise PluginFailed(
                f"{self.sort} {name!r} was registered by {taken.owner!r} and again by {owner!r}; rename one [E503]"
            )
        self._items[name] = Owned(value, owner)

    def drop_owner(self, owner: str) -> None:
        """Take back everything one plugin registered (after it failed half-way)."""
        self._items = {name: item for name, item in self._items.items() if item.owner != owner}

    def get(self, name: str) -> T | None:
        """The thing of that name, or None."""
        item = self._items.get(name)
        return item.value if item else None

    def owner_of(self, name: str) -> str:
        """Who registered the name; raises KeyError for an unknown one."""
        return self._items[name].owner

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._items)

    def items(self) -> Iterator[tuple[str, T, str]]:
        """Name, thing, owner; sorted by name."""
        for name in self.names():
            yield name, self._items[name].value, self._items[name].owner


class Registry:
    """Everything that plugins registered, one shelf a sort."""

    def __init__(self) -> None:
        self.owner = "?"
        self._frozen = False
        self.brokers: Shelf[BrokerKind] = Shelf("broker", self)
        self.feeds: Shelf[FeedKind] = Shelf("feed", self)
        self.calendars: Shelf[CalendarKind] = Shelf("calendar source", self)
        self.actions: Shelf[Action] = Shelf("action", self)
        self.functions: Shelf[Function] = Shelf("function", self)
        self.fields: Shelf[Field] = Shelf("field", self)
        self.notifiers: Shelf[NotifierKind] = Shelf("channel kind", self)
        self.surfaces: Shelf[SurfaceKind] = Shelf("surface", self)
        self.rule_packs: Shelf[RulePack] = Shelf("rule pack", self)
        self.commands: Shelf[Command] = Shelf("command", self)
        self.observers: Shelf[Observer] = Shelf("observer", self)

    def shelves(self) -> tuple[Shelf[Any], ...]:
        """All shelves, in the order of the hooks."""
        return (
            self.brokers, self.feeds, self.calendars, self.actions, self.functions, self.fields, self.notifiers,
            self.surfaces, self.rule_packs, self.commands, self.observers,
        )  # fmt: skip

    def require_open(self) -> None:
        """Raise InvariantBroken once the registry is frozen."""
        if self._frozen:
            raise InvariantBroken("the registry is frozen: register in a hook, before start")

    def freeze(self) -> None:
        """Refuse every later registration."""
        self._frozen = True

    def forget(self, owner: str) -> None:
        """Take back everything a failed plugin registered."""
        for shelf in self.shelves():
            shelf.drop_owner(owner)

    def add_broker(self, kind: BrokerKind) -> None:
        """Offer a kind of broker."""
        self.brokers.add(kind.name, kind)

    def add_feed(self, kind: FeedKind) -> None:
        """Offer a kind of feed or recording."""
        self.feeds.add(kind.name, kind)

    def add_calendar(self, kind: CalendarKind) -> None:
        """Offer a source of trading calendars."""
        self.calendars.add(kind.name, kind)

    def add_action(self, action: Action) -> None:
        """Offer an action."""
        self.actions.add(action.name, action)

    def add_function(self, function: Function) -> None:
        """Offer a function that rules may call."""
        self.functions.add(function.name, function)

    def add_field(self, field: Field) -> None:
        """Declare a field of the state that this plugin fills in."""
        self.fields.add(field.name, field)

    def add_notifier(self, kind: NotifierKind) -> None:
        """Offer a kind of channel."""
        self.notifiers.add(kind.name, kind)

    def add_surface(self, kind: SurfaceKind) -> None:
        """Offer a kind of front end."""
        self.surfaces.add(kind.name, kind)

    def add_rule_pack(self, pack: RulePack) -> None:
        """Offer a pack of rule templates."""
        self.rule_packs.add(pack.name, pack)

    def add_command(self, command: Command) -> None:
        """Offer an operator command."""
        self.commands.add(command.name, command)

    def add_observer(self, observer: Observer) -> None:
        """Ask to be told of every result."""
        self.observers.add(observer.name, observer)
