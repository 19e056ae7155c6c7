"""Which values of a set-up are secret."""

from pathlib import Path

from haltline.config.secret import secret_values
from haltline.config.settings import BrokerEntry, ChannelEntry, Setup, StoreEntry

HERE = Path("/nowhere")


def setup(text: str = "", **more: object) -> Setup:
    return Setup(
        path=HERE, directory=HERE, store=StoreEntry(path=HERE), sources={"haltline.yaml": text},
        **more,  # type: ignore[arg-type]
    )  # fmt: skip


def test_what_a_set_up_reads_by_reference_is_secret() -> None:
    text = "channels: {a: {config: {url: 'https://x/${TOKEN}', other: '${NOT_SET:-by default}'}}}"
    assert secret_values(setup(text), {"TOKEN": "abc-123-def"}) == ("abc-123-def", "by default")


def test_a_value_whose_key_says_so_is_secret() -> None:
    broker = BrokerEntry(name="b", kind="b", config={"login": {"api_key": "key-written-out"}, "url": "wss://venue"})
    assert secret_values(setup(brokers=(broker,)), {}) == ("key-written-out",)


def test_numbers_and_short_words_are_not() -> None:
    channel = ChannelEntry(name="c", kind="c", config={"token": "abc"})
    assert (
        secret_values(setup("accounts: {a: {balance: '${BALANCE}'}}", channels=(channel,)), {"BALANCE": "50000"}) == ()
    )


def test_a_reference_that_is_missing_is_nobodys_secret() -> None:
    assert secret_values(setup("url: ${GONE}"), {}) == ()
