"""A drill sends orders only where no account can hold real money: without that there is nothing to call it with."""

from pathlib import Path

import pytest

from haltline.api.broker import BrokerKind
from haltline.api.registry import Registry
from haltline.config.settings import BrokerEntry, Setup, StoreEntry
from haltline.control.practice import PracticeAccount
from haltline.errors import Refused
from haltline.model.account import AccountSpec
from haltline.model.id import AccountId

HERE = Path()
SETUP = Setup(
    path=HERE, directory=HERE, store=StoreEntry(path=HERE),
    accounts=tuple(AccountSpec(id=AccountId(name), broker=name) for name in ("play", "real", "gone", "lost")),
    brokers=(
        BrokerEntry(name="play", kind="toy"),
        BrokerEntry(name="real", kind="venue", config={"practice": True, "testnet": True, "paper": "yes"}),
        BrokerEntry(name="gone", kind="of a plugin that is not there"),
    ),
)  # fmt: skip


def registry() -> Registry:
    made = Registry()
    for name, practice in (("toy", True), ("venue", False)):
        kind = BrokerKind(
            name=name, make=lambda _: None, meaning="", capabilities=frozenset(), schema={}, practice=practice
        )
        made.brokers.add(name, kind)
    return made


def test_an_account_at_a_kind_without_real_money_is_one() -> None:
    assert PracticeAccount(SETUP, registry(), "play").id == "play"


@pytest.mark.parametrize("account", ["real", "gone", "lost", "nobody", "", "PLAY", "play "])
def test_every_other_account_is_refused_whatever_its_config_says(account: str) -> None:
    with pytest.raises(Refused, match=r"no drill sends orders for .*\[E864\]"):
        PracticeAccount(SETUP, registry(), account)


def test_none_can_be_turned_into_another() -> None:
    made = PracticeAccount(SETUP, registry(), "play")
    with pytest.raises(AttributeError):
        made.id = AccountId("real")
    with pytest.raises(AttributeError):
        made.account = AccountId("real")
