"""Wrong URLs: told at start, with the cure, and without the secret that they may hold."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haltline.api import NotifierSetup
from haltline.errors import ConfigError, Problem
from haltline_notify_apprise.service import make_apprise


def problem(url: str) -> Problem:
    with pytest.raises(ConfigError) as caught:
        make_apprise(NotifierSetup(name="phone", config={"url": url}))
    [found] = caught.value.problems
    assert caught.value.__context__ is None
    return found


@pytest.mark.parametrize(
    ("url", "what", "cure"),
    [
        ("", "its url is no URL", "https://appriseit.com/services/"),
        ("xoxb-canary-1234", "its url is no URL", "https://appriseit.com/services/"),
        ("https://example.org/hook/canary", "a web address of no service", "`kind: webhook`"),
        ("canary://canary", "no service of the name before ://", "https://appriseit.com/services/"),
        ("slack://canary", "lacks something that slack:// needs", "https://appriseit.com/services/slack/"),
        ("pover://canary", "lacks something that pover:// needs", "https://appriseit.com/services/pushover/"),
        ("line://canary", "its url names nobody to tell", "https://appriseit.com/services/line/"),
        ("mqtt://user:canary@host/x", "mqtt:// cannot be used here", "install paho-mqtt"),
        ("mailto://user:canary@\x00host\r\n", "lacks something that mailto:// needs", "/services/email/"),
        ("dbus://canary", "dbus:// cannot be used here", "/services/dbus/"),
        ("json://[::canary", "lacks something that json:// needs", "/services/json/"),
        ("x" * 100_000 + "canary", "its url is no URL", "https://appriseit.com/services/"),
    ],
)
def test_a_wrong_url_is_told_with_its_cure_and_not_repeated(
    url: str, what: str, cure: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(1)
    found = problem(url)
    assert (found.code, found.where) == ("E508", "channel 'phone'")
    assert what in found.what
    assert cure in found.cure
    assert "canary" not in str(found) + caplog.text


@given(st.sampled_from(["json", "mailto", "slack", "matrix", "dbus", "webex", "smpp", "tgram"]), st.text(max_size=30))
def test_whatever_stands_in_a_url_it_is_taken_or_told(schema: str, rest: str) -> None:
    url = f"{schema}://{rest}"
    with contextlib.suppress(ConfigError):
        make_apprise(NotifierSetup(name="phone", config={"url": url}))


def test_a_url_with_spaces_around_it_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    assert make_apprise(NotifierSetup(name="phone", config={"url": " json://host/canary \n"})).service == "JSON"
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("url", "service"),
    [
        ("https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "Slack"),
        (f"https://discord.com/api/webhooks/{'1' * 18}/{'a' * 68}", "Discord"),
        ("matrixs://user:pass@matrix.example.org/#desk", "Matrix"),
        ("pover://" + "u" * 30 + "@" + "a" * 30, "Pushover"),
    ],
)
def test_an_address_as_the_service_itself_gives_it_is_taken(url: str, service: str) -> None:
    assert make_apprise(NotifierSetup(name="phone", config={"url": url})).service == service
