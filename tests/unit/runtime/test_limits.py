"""How long a text may be for a channel: what it says itself comes before what its kind says."""

from dataclasses import replace
from pathlib import Path

import pytest

from haltline.api import Message, Notifier, NotifierKind, NotifierSetup, Registry
from haltline.config.settings import ChannelEntry
from haltline.runtime.compose import Parts, limits_of, make_channels
from haltline.runtime.embed import load_parts


class Pager:
    async def send(self, message: Message) -> None:
        """Nothing."""


class SizedPager(Pager):
    def __init__(self, setup: NotifierSetup) -> None:
        self.max_chars = {"short": 140, "endless": None}[setup.name]


def make(setup: NotifierSetup) -> Notifier:
    return Pager() if setup.name == "plain" else SizedPager(setup)


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    (tmp_path / "rules.yaml").write_text("version: 1\nrules: []\n")
    (tmp_path / "haltline.yaml").write_text(
        "version: 1\naccounts: {eval: {broker: paper, balance: 50000}}\nrules: [rules.yaml]\n"
    )
    found = load_parts(tmp_path / "haltline.yaml", environ={})
    registry = Registry()
    registry.owner = "odd"
    registry.add_notifier(NotifierKind(name="pager", make=make, meaning="m", schema={}, max_chars=1000))
    channels = tuple(ChannelEntry(name=name, kind="pager") for name in ("plain", "short", "endless"))
    return replace(found, setup=replace(found.setup, channels=channels), registry=registry)


def test_a_channel_that_knows_its_own_limit_has_that_one(parts: Parts) -> None:
    channels, _ = make_channels(parts)
    found = {name: limit.max_chars for name, limit in limits_of(parts, channels).items()}
    assert found == {"plain": 1000, "short": 140, "endless": None}
