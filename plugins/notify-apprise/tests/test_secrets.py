"""What is secret is in no log, no error and no repr, whatever goes wrong; logs of others are as they were."""

import logging
import threading
from typing import Any

import pytest
import requests

from haltline.api import Message, NotifierSetup
from haltline.errors import EngineError, Refused, Transient
from haltline.model.rule import Severity
from haltline_notify_apprise.hear import Heard, hearing
from haltline_notify_apprise.service import AppriseNotifier, make_apprise
from haltline_notify_apprise.verdict import failure_of, redacted, secrets_of

MESSAGE = Message(id="m1", at=0, severity=Severity.CRITICAL, title="eval", text="a loss")


def channel(url: str, **config: Any) -> AppriseNotifier:
    return make_apprise(NotifierSetup(name="phone", config={"url": url, **config}))


@pytest.mark.parametrize("status", [200, 302, 401, 404, 429, 500])
@pytest.mark.parametrize(
    "url",
    [
        "json://usercanary:passcanary@127.0.0.1:{port}/pathcanary?-keycanary=valuecanary&+x-canary=canaryhead",
        "ntfy://usercanary:passcanary@127.0.0.1:{port}/topiccanary",
        "ntfy://tk_canarycanary@127.0.0.1:{port}/topiccanary?auth=token",
        "mmost://botcanary@127.0.0.1:{port}/canaryabcdefghijklmnopqrstuvwxyz",
        "gotify://127.0.0.1:{port}/Acanarytoken12",
        "rocket://usercanary:passcanary@127.0.0.1:{port}/#canary",
        "matrix://usercanary:passcanary@127.0.0.1:{port}/#canary:host",
        "form://usercanary:passcanary@127.0.0.1:{port}/pathcanary",
        "hassio://127.0.0.1:{port}/canarytokencanarytoken",
        "nctalk://usercanary:passcanary@127.0.0.1:{port}/roomcanary",
    ],
)
async def test_no_service_tells_what_its_url_holds(
    http: Any, url: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Apprise writes addresses and tokens to its log; servers may send back what they were sent."""
    caplog.set_level(1)
    http.status, http.text = status, '{"error": "passcanary", "message": "tk_canarycanary pathcanary"}'
    phone = channel(url.format(port=http.port))
    told = repr(phone)
    try:
        await phone.send(MESSAGE)
    except EngineError as failure:
        told += repr(failure) + repr(failure.__cause__) + repr(failure.__context__)
    ours = [record for record in caplog.records if record.name.partition(".")[0] not in ("aiohttp", "asyncio")]
    assert ours == []
    assert "canary" not in told.lower()
    assert http.sent or status == 0


async def test_no_mail_server_makes_us_tell_the_password(mail: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    mail.replies = {"AUTH": "535 usercanary/pass%canary: PASSCANARY pass canary is wrong https://help/canary"}
    url = f"mailto://usercanary:pass%25canary@127.0.0.1:{mail.port}?from=f@example.org&to=deskcanary@example.org"
    with pytest.raises(EngineError) as caught:
        await channel(url + "&mode=insecure").send(MESSAGE)
    assert "pass%canary" not in str(caught.value)
    assert "usercanary" not in str(caught.value)
    assert "https://" not in str(caught.value)
    assert [record.name for record in caplog.records if record.name != "asyncio"] == []


def test_all_parts_of_a_url_are_taken_out_of_a_reason_in_any_case() -> None:
    secrets = secrets_of("slack://bot@xoxb-AbC%2Fdef/room?token=s3cr3t+x&to=%23desk")
    text = "bad XOXB-ABC/DEF for room (s3cr3t x, S3CR3T+X), see https://x.example/xoxb-AbC%2Fdef?y"
    found = redacted(text, secrets).lower()
    assert all(word not in found for word in ("xoxb", "def", "room", "s3cr3t", "https"))


def test_a_reason_is_one_short_line_that_no_terminal_obeys() -> None:
    found = redacted("a\x1b[2J\nb" + " long" * 1000, ())
    assert len(found) == 160
    assert found.startswith("a�[2J b long")


def test_what_a_service_says_itself_is_told_only_where_no_status_says_it() -> None:
    heard = Heard(begun=1, statuses=[200], said=[(logging.WARNING, "Slack said: channel_not_found, token tok-1")])
    assert (
        str(failure_of("Slack", heard, ("tok-1",))) == "Slack did not take it: Slack said: channel_not_found, token ***"
    )
    heard.statuses = [404]
    assert str(failure_of("Slack", heard, ())) == "Slack answered 404 Not Found"


@pytest.mark.parametrize(
    ("begun", "statuses", "kind"),
    [
        (1, [404], Refused), (2, [401, 200], Transient), (2, [404], Transient), (2, [200, 429], Transient),
        (2, [500, 403], Refused), (1, [], Transient), (0, [], Transient),
    ],
)  # fmt: skip
def test_the_last_request_decides(begun: int, statuses: list[int], kind: type[EngineError]) -> None:
    assert type(failure_of("Slack", Heard(begun=begun, statuses=statuses), ())) is kind


def test_a_certificate_that_is_not_trusted_is_told_as_that() -> None:
    heard = Heard(begun=1, said=[(logging.DEBUG, "Socket Exception: … CERTIFICATE_VERIFY_FAILED …")])
    assert "certificate" in str(failure_of("ntfy", heard, ()))


# -- the ear -----------------------------------------------------------------------------------------------------------


def test_records_of_others_pass_as_before(caplog: pytest.LogCaptureFixture) -> None:
    with hearing():
        pass
    for name, level in (("apprise", logging.WARNING), ("urllib3.connectionpool", logging.WARNING)):
        logging.getLogger(name).log(level, "theirs")
        logging.getLogger(name).debug("not wanted by anybody")
    assert [record.getMessage() for record in caplog.records] == ["theirs", "theirs"]


def test_whoever_wants_to_see_debug_still_does(caplog: pytest.LogCaptureFixture) -> None:
    with hearing():
        pass
    caplog.set_level(logging.DEBUG)
    logging.getLogger("apprise").debug("theirs")
    assert caplog.messages == ["theirs"]


def test_two_calls_at_once_hear_their_own() -> None:
    found: dict[str, list[str]] = {}
    together = threading.Barrier(2)

    def call(name: str) -> None:
        with hearing() as heard:
            together.wait(5)
            logging.getLogger("apprise").debug("for %s", name)
            together.wait(5)
        found[name] = [text for _, text in heard.said]

    threads = [threading.Thread(target=call, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert found == {"a": ["for a"], "b": ["for b"]}


def test_what_is_heard_is_bounded() -> None:
    with hearing() as heard:
        for number in range(2000):
            logging.getLogger("apprise").debug("%d", number)
    assert len(heard.said) == 500


async def test_statuses_are_those_of_the_requests(http: Any) -> None:
    import asyncio

    def ask() -> Heard:
        with hearing() as heard:
            requests.get(f"http://127.0.0.1:{http.port}/", timeout=5)
        return heard

    http.status = 418
    heard = await asyncio.to_thread(ask)
    assert (heard.begun, heard.statuses) == (1, [418])
