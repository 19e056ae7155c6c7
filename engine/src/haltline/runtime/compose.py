"""Brokers, feeds and channels of a set-up, made from what plugins registered."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from haltline.api import (
    Broker,
    BrokerRole,
    BrokerSetup,
    Feed,
    FeedSetup,
    Message,
    Notifier,
    NotifierKind,
    NotifierSetup,
    Recording,
    Share,
    SizedNotifier,
    SurfaceKind,
)
from haltline.api.registry import Registry
from haltline.clock import Clock
from haltline.config.secret import hidden, secrets_in
from haltline.config.settings import RuleBook, Setup
from haltline.errors import ConfigError, EngineError, PluginFailed, Problem
from haltline.model.id import AccountId
from haltline.notify.lane import ChannelLimit
from haltline.notify.route import Routes
from haltline.plugins.load import BUILTINS

type Faults = dict[str, str]
"""What optional plugins could not make (``channel phone``), and why."""


class CannotMake(ConfigError):
    """A plugin raised something that nobody expected while it made what the set-up asks for."""


class Silent:
    """Stands in for a channel that could not be made: every message goes on to the next one."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def send(self, message: Message) -> str | None:
        """Pass it on; raises PluginFailed."""
        raise PluginFailed(self._reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What an engine is made from.

    `origin` is the set-up as its file has it, where `setup` was changed for one run; `environ` is what references in
    the files read (None: the process's environment).
    """

    setup: Setup
    book: RuleBook
    registry: Registry
    origin: Setup | None = None
    environ: Mapping[str, str] | None = field(default=None, repr=False)


def make_brokers(
    parts: Parts, clock: Clock, directory: Path | None, *, role: BrokerRole = BrokerRole.BOTH,
    shares: Mapping[str, Share] | None = None,
) -> dict[str, Broker]:  # fmt: skip
    """One broker per entry that an account names; raises ConfigError for a kind that no plugin brings.

    As ACTUATOR only those of paired kinds are made; a kind that is not paired is made as BOTH instead of READER.
    `shares` are what brokers that poll by themselves await before a call, by name.
    """
    setup, registry = parts.setup, parts.registry
    brokers: dict[str, Broker] = {}
    for entry in setup.brokers:
        accounts = [account for account in setup.accounts if account.broker == entry.name]
        kind = registry.brokers.get(entry.kind)
        if kind is None:
            raise ConfigError([_unknown("broker", entry.name, entry.kind)])
        if accounts and (kind.paired or role is not BrokerRole.ACTUATOR):
            given = BrokerSetup(
                name=entry.name, config=entry.config, accounts=accounts, instruments=setup.instruments, clock=clock,
                directory=directory, role=role if kind.paired else BrokerRole.BOTH,
            )  # fmt: skip
            if shares and entry.name in shares:
                given = replace(given, share=shares[entry.name])
            with making("broker", entry.name, entry.config):
                brokers[entry.name] = kind.make(given)
    return brokers


def make_feeds(parts: Parts, clock: Clock, faults: Faults | None = None) -> dict[str, Feed | Recording]:
    """One feed or recording per entry; raises ConfigError for a kind that no plugin brings.

    With `faults`, what an optional plugin cannot make is noted there and left out.
    """
    feeds: dict[str, Feed | Recording] = {}
    for entry in parts.setup.feeds:
        kind = parts.registry.feeds.get(entry.kind)
        if kind is None:
            raise ConfigError([_unknown("feed", entry.name, entry.kind)])
        given = FeedSetup(
            name=entry.name, config=entry.config, instruments=parts.setup.instruments, clock=clock,
            directory=parts.setup.directory,
        )  # fmt: skip
        needed = entry.required or _is_required(parts.setup, parts.registry.feeds.owner_of(entry.kind))
        noted = None if needed else faults
        with isolated("feed", entry.name, entry.config, noted):
            feeds[entry.name] = kind.make(given)
    return feeds


def make_channels(
    parts: Parts, speaking: Mapping[str, Notifier] | None = None, faults: Faults | None = None
) -> tuple[dict[str, Notifier], Routes]:
    """One channel per entry, with the front ends that are channels too, and the routes to them.

    Raises ConfigError for a kind that no plugin brings. With `faults`, what an optional plugin cannot make is noted
    there, and its messages go to the next channel.
    """
    channels: dict[str, Notifier] = dict(speaking or {})
    for entry in parts.setup.channels:
        kind = parts.registry.notifiers.get(entry.kind)
        if kind is None:
            raise ConfigError([_unknown("channel", entry.name, entry.kind)])
        given = NotifierSetup(name=entry.name, config=entry.config, directory=parts.setup.directory)
        noted = None if _is_required(parts.setup, parts.registry.notifiers.owner_of(entry.kind)) else faults
        with isolated("channel", entry.name, entry.config, noted):
            channels[entry.name] = kind.make(given)
        if entry.name not in channels and noted is not None:
            channels[entry.name] = Silent(noted[f"channel {entry.name}"])
    return channels, routes_of(parts.setup, tuple(speaking or ()))


def routes_of(setup: Setup, speaking: Sequence[str] = ()) -> Routes:
    """The routes of a set-up: its section `notify:`, or what its channels, and front ends that are some, say."""
    heard = {entry.name: entry.severities for entry in setup.channels}
    heard |= {entry.name: entry.severities for entry in setup.surfaces if entry.name in speaking}
    return Routes(severities=heard, policy=setup.notify)


def limits_of(parts: Parts, channels: Mapping[str, Notifier]) -> dict[str, ChannelLimit]:
    """What each channel takes: what it or its kind says, or the set-up where that says less."""
    policy = parts.setup.notify
    limits = {}
    kinds: list[tuple[str, NotifierKind | SurfaceKind | None]] = [
        *((entry.name, parts.registry.notifiers.get(entry.kind)) for entry in parts.setup.channels),
        *((entry.name, parts.registry.surfaces.get(entry.kind)) for entry in parts.setup.surfaces),
    ]
    for name, kind in kinds:
        own = [each for each in (kind.per_minute if kind else None, policy.per_minute if policy else None) if each]
        channel = channels.get(name)
        sized = channel if isinstance(channel, SizedNotifier) else kind
        limits[name] = ChannelLimit(
            max_chars=sized.max_chars if sized else None, per_minute=min(own, default=None),
            reserved=policy.reserved if policy else ChannelLimit().reserved,
        )  # fmt: skip
    return limits


@contextmanager
def making(sort: str, name: str, config: Mapping[str, object]) -> Iterator[None]:
    """What a plugin raises while it makes something is told by the name that the set-up gave the thing, without the
    secrets of its config."""
    secrets = secrets_in(config)
    try:
        yield
    except ConfigError as error:
        raise ConfigError([_without(problem, secrets) for problem in error.problems]) from None
    except EngineError:
        raise
    except Exception as error:
        said = hidden(f"{type(error).__name__}: {error}", secrets)
        what = f"{sort} {name!r} could not be made: {said}"
        raise CannotMake([Problem(code="E508", what=what, cure="correct its config, or ask its author")]) from error


@contextmanager
def isolated(sort: str, name: str, config: Mapping[str, object], faults: Faults | None) -> Iterator[None]:
    """Like `making`; with `faults`, what a plugin raises is noted there and goes no further."""
    try:
        with making(sort, name, config):
            yield
    except CannotMake as failure:
        if faults is None:
            raise
        faults[f"{sort} {name}"] = failure.problems[0].what


def _without(problem: Problem, secrets: Sequence[str]) -> Problem:
    place = problem.place
    if place is not None:
        place = msgspec.structs.replace(place, file=hidden(place.file, secrets))
    return msgspec.structs.replace(
        problem, what=hidden(problem.what, secrets), where=hidden(problem.where, secrets),
        cure=hidden(problem.cure, secrets), excerpt=hidden(problem.excerpt, secrets), place=place,
    )  # fmt: skip


def _is_required(setup: Setup, plugin: str) -> bool:
    """Whether the set-up cannot do without a plugin: what is built in, and what it says is required."""
    return plugin == BUILTINS or any(entry.name == plugin and entry.required for entry in setup.plugins)


def brokers_by_account(setup: Setup, brokers: Mapping[str, Broker]) -> dict[AccountId, Broker]:
    """The broker that keeps each account."""
    return {account.id: brokers[account.broker] for account in setup.accounts if account.broker in brokers}


def _unknown(sort: str, name: str, kind: str) -> Problem:
    return Problem(
        code="E420",
        where=f"{sort} {name!r}",
        what=f"no plugin brings the kind {kind!r}",
        cure="list it under 'plugins'",
    )
