"""Which values of a set-up are secret."""

from pathlib import Path

from haltline.config.secret import hidden, secret_values
from haltline.config.settings import BrokerEntry, ChannelEntry, Setup, StoreEntry

HERE = Path("/nowhere")


def setup(text: str = "", **more: object) -> Setup:
    return Setup(
        path=HERE, directory=HERE, store=StoreEntry(path=HERE), sources={"haltline.yaml": text},
        **more,  # type: ignore[arg-type]
    )  # fmt: skip


def test_what_a_set_up_reads_by_reference_is_secret() -> None:
    text = "channels: {a: {config: {url: 'https://x/${TOKEN}', other: '${NOT_SET:-by default}'}}}"
    assert secret_values(setup(text), {"TOKEN": "abc-123-def"}) == (
        "by%20default", "abc-123-def", "by default",
    )  # fmt: skip


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


def test_a_secret_is_known_as_addresses_spell_it() -> None:
    found = secret_values(setup("url: ${URL}"), {"URL": "https://me:p%40ss-word@mail.example/x"})
    assert hidden("for p@ss-word and p%40ss-word", found) == "for *** and ***"
