"""What an optional plugin cannot make is shown red and left out; what a required one cannot make refuses start."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from haltline import Haltline
from haltline.api import FeedKind, NotifierKind, Registry
from haltline.clock import NS_PER_S, ManualClock
from haltline.config.settings import ChannelEntry, FeedEntry, PluginEntry
from haltline.errors import ConfigError, Problem
from haltline.model.rule import Severity
from haltline.plugins.load import load_plugins
from haltline.runtime.compose import Parts, make_channels, make_feeds
from haltline.runtime.embed import load_parts

START = 1_746_500_000 * NS_PER_S


def boom(setup: object) -> Any:
    raise ZeroDivisionError("oops")


def a_users_mistake(setup: object) -> Any:
    raise ConfigError([Problem(code="E205", what="the number is no number", cure="correct it")])


@pytest.fixture
def parts(tmp_path: Path) -> Callable[..., Parts]:
    """A set-up with a feed and a channel of plugin `odd`, whose `make` raises."""

    def make(*, required: bool = False, feed_required: bool = False, maker: Callable[[object], Any] = boom) -> Parts:
        text = Path(__file__).with_name("world.yaml").read_text()
        (tmp_path / "haltline.yaml").write_text(text.replace("out.jsonl", str(tmp_path / "out.jsonl")))
        (tmp_path / "rules.yaml").write_text("version: 1\nrules: []\n")
        found = load_parts(tmp_path / "haltline.yaml", environ={})
        registry = Registry()
        for shelf, source in zip(registry.shelves(), load_plugins().registry.shelves(), strict=True):
            for name, value, owner in source.items():
                registry.owner = owner
                shelf.add(name, value)  # type: ignore[arg-type] # shelves of one sort
        registry.owner = "odd"
        registry.add_notifier(NotifierKind(name="phone", make=maker, meaning="m", schema={}))
        registry.add_feed(FeedKind(name="wire", make=maker, meaning="m", schema={}))
        everything = tuple(Severity)
        channels = (ChannelEntry(name="phone", kind="phone", config={}, severities=everything), *found.setup.channels)
        setup = replace(
            found.setup, channels=channels, feeds=(FeedEntry(name="wire", kind="wire", required=feed_required),),
            plugins=(PluginEntry(name="odd", required=required),),
        )  # fmt: skip
        return replace(found, setup=setup, registry=registry)

    return make


async def test_the_engine_starts_without_it_shows_it_down_and_tells_the_other_channels(
    parts: Callable[..., Parts], tmp_path: Path
) -> None:
    async with Haltline.from_parts(parts(), clock=ManualClock(START)) as engine:
        await engine.until_idle()
        services = {each.name: (each.status, each.reason) for each in engine.status().services}
    reason = "could not be made: ZeroDivisionError: oops"
    assert services["feed wire"] == ("down", f"feed 'wire' {reason}")
    assert services["channel phone"] == ("down", f"channel 'phone' {reason}")
    told = (tmp_path / "out.jsonl").read_text()
    assert "Left out: feed wire" in told
    assert f"feed 'wire' {reason}" in told
    assert f"channel 'phone' {reason}" in told


async def test_what_a_required_plugin_cannot_make_refuses_start(parts: Callable[..., Parts]) -> None:
    with pytest.raises(ConfigError, match="E508"):
        async with Haltline.from_parts(parts(required=True), clock=ManualClock(START)):
            pass


async def test_a_feed_that_the_set_up_requires_refuses_start(parts: Callable[..., Parts]) -> None:
    with pytest.raises(ConfigError, match="feed 'wire'"):
        async with Haltline.from_parts(parts(feed_required=True), clock=ManualClock(START)):
            pass


@pytest.mark.parametrize("make", [make_channels, lambda parts, _, faults: make_feeds(parts, ManualClock(), faults)])
def test_a_users_mistake_refuses_start_whoever_finds_it(parts: Callable[..., Parts], make: Callable[..., Any]) -> None:
    faults: dict[str, str] = {}
    with pytest.raises(ConfigError, match="the number is no number"):
        make(parts(maker=a_users_mistake), None, faults)
    assert faults == {}


def test_whoever_does_not_isolate_hears_of_it(parts: Callable[..., Parts]) -> None:
    """The guardian and the commands: they have nothing to go on with."""
    with pytest.raises(ConfigError, match="E508"):
        make_channels(parts())
