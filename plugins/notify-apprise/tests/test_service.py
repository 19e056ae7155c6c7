"""The channel `apprise` against servers that check what is on the wire; every failure named for what it is."""

import asyncio
from email.message import EmailMessage
from functools import partial
from typing import Any

import pytest
from apprise import NotifyBase
from apprise.exception import AppriseException

from haltline.api import Message, NotifierSetup
from haltline.errors import PluginFailed, Refused, Transient
from haltline.model.rule import Severity
from haltline_notify_apprise.client import connect
from haltline_notify_apprise.service import AppriseNotifier, make_apprise

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\x40\0\0\0\xc8"


def message(text: str = "eval has lost 1,040 of 1,000.", **more: Any) -> Message:
    given = {"id": "m1", "at": 1_746_547_200_000_000_000, "severity": Severity.CRITICAL, "title": "eval: daily loss"}
    return Message(text=text, **{**given, **more})


def channel(url: str, **config: Any) -> AppriseNotifier:
    return make_apprise(NotifierSetup(name="phone", config={"url": url, **config}))


def to_mail(mail: Any, more: str = "") -> str:
    return f"mailto://anna:s3cr3t-pass@127.0.0.1:{mail.port}?from=haltline@example.org&to=desk@example.org&mode=insecure{more}"


def plain_text(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


async def slack(http: Any) -> AppriseNotifier:
    """The genuine client, with another host in the place of hooks.slack.com."""

    def made() -> NotifyBase:
        client = connect("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#desk", channel="chat")
        client.webhook_url = f"http://127.0.0.1:{http.port}/services"  # type: ignore[attr-defined] # Slack's own
        return client

    return AppriseNotifier("chat", made)


# -- what arrives ------------------------------------------------------------------------------------------------------


async def test_a_mail_arrives_with_subject_text_and_facts(mail: Any) -> None:
    await channel(to_mail(mail)).send(message(facts=(("Account", "eval"), ("Limit", "1,000"))))
    [found] = mail.mails
    assert found["subject"] == "CRITICAL eval: daily loss"
    assert plain_text(found).splitlines() == ["eval has lost 1,040 of 1,000.", "", "Account: eval", "Limit: 1,000"]
    assert (mail.logins, found["to"]) == ([("anna", "s3cr3t-pass")], "desk@example.org")
    assert "haltline@example.org" in found["from"]


async def test_a_mail_carries_the_picture(mail: Any) -> None:
    await channel(to_mail(mail)).send(message(image=PNG))
    [picture] = list(mail.mails[0].iter_attachments())
    assert (picture.get_filename(), picture.get_content_type(), picture.get_content()) == (
        "chart.png",
        "image/png",
        PNG,
    )


async def test_without_formatting_there_is_no_picture_either(mail: Any) -> None:
    await channel(to_mail(mail, "&format=html")).send(message(image=PNG, plain=True))
    assert mail.mails[0].get_content_type() == "text/plain"


async def test_ntfy_is_posted_as_its_interface_has_it(http: Any) -> None:
    await channel(f"ntfy://127.0.0.1:{http.port}/desk").send(message())
    [found] = http.sent
    assert found.json == {
        "topic": "desk", "title": "CRITICAL eval: daily loss", "message": "eval has lost 1,040 of 1,000.",
    }  # fmt: skip
    assert "X-Icon" not in found.headers  # no picture from elsewhere


async def test_slack_is_posted_as_its_webhooks_have_it(http: Any) -> None:
    http.text = "ok"
    await (await slack(http)).send(message())
    [found] = http.sent
    assert found.path == "/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    [attachment] = found.json["attachments"]
    assert (attachment["title"], attachment["text"]) == ("CRITICAL eval: daily loss", "eval has lost 1,040 of 1,000.")
    assert (found.json["mrkdwn"], found.json["channel"]) == (False, "#desk")


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"severity": Severity.INFO}, "info"),
        ({"severity": Severity.WARNING}, "warning"),
        ({"severity": Severity.CRITICAL}, "failure"),
        ({"severity": Severity.CRITICAL, "phase": "resolved"}, "success"),
    ],
)
async def test_the_severity_is_one_of_apprises_types(http: Any, more: dict[str, Any], kind: str) -> None:
    await channel(f"json://127.0.0.1:{http.port}/").send(message(**more))
    assert http.sent[0].json["type"] == kind


async def test_a_service_without_titles_gets_it_in_the_text(http: Any) -> None:
    await channel(f"mmost://127.0.0.1:{http.port}/abcdefghijklmnopqrstuvwxyz").send(message())
    assert http.sent[0].json["text"].splitlines() == ["CRITICAL eval: daily loss", "eval has lost 1,040 of 1,000."]


def test_the_length_that_a_service_takes_is_apprises() -> None:
    found = {
        url: channel(f"{url}").max_chars
        for url in ("mmost://h/abcdefghijklmnopqrstuvwxyz", "ntfy://h/desk", f"discord://{'1' * 18}/{'a' * 68}")
    }
    assert list(found.values()) == [4000, 7800, 2000]


async def test_no_line_is_cut_off(http: Any) -> None:
    await channel(f"kodi://127.0.0.1:{http.port}/").send(message("one\ntwo\nthree\nfour"))
    assert http.sent[0].json["params"]["message"] == "one · two · three · four"


async def test_messages_do_not_wait_for_each_other(http: Any) -> None:
    """Apprise would wait seconds between two messages; what is critical waits for nothing."""
    phone = channel(f"ntfy://127.0.0.1:{http.port}/desk")
    async with asyncio.timeout(2):
        for _ in range(3):
            await phone.send(message())
    assert len(http.sent) == 3


# -- what others wrote is not obeyed -----------------------------------------------------------------------------------


async def test_a_title_cannot_add_headers_to_a_mail(mail: Any) -> None:
    await channel(to_mail(mail)).send(message(title="x\r\nBcc: evil@example.org\r\n\r\nbody\x0bCc: evil@example.org"))
    [found] = mail.mails
    assert (found["bcc"], found["cc"]) == (None, None)
    assert found["subject"] == "CRITICAL x Bcc: evil@example.org body�Cc: evil@example.org"
    assert mail.recipients == ["rcpt to:<desk@example.org>"]


async def test_a_lone_dot_does_not_end_a_mail(mail: Any) -> None:
    await channel(to_mail(mail)).send(message("one\n.\r\nRCPT TO:<evil@example.org>\ntwo"))
    assert plain_text(mail.mails[0]).splitlines() == ["one", ".", "RCPT TO:<evil@example.org>", "two"]
    assert mail.recipients == ["rcpt to:<desk@example.org>"]


async def test_html_in_a_mail_stays_text(mail: Any) -> None:
    await channel(to_mail(mail, "&format=html")).send(message("<script>alert(1)</script> <b>x</b> & <img src=//evil>"))
    html = mail.mails[0].get_body(("html",))
    assert html is not None
    assert "<script" not in html.get_content()
    assert "<img" not in html.get_content()
    assert "&lt;script&gt;" in html.get_content()


async def test_mentions_and_links_stay_text_in_slack(http: Any) -> None:
    http.text = "ok"
    await (await slack(http)).send(message("<!channel> <@U123> <https://evil|bank> *b* & @here", title="<!here>"))
    [attachment] = http.sent[0].json["attachments"]
    for text in (attachment["title"], attachment["text"]):
        assert "<" not in text
        assert "@here" not in text
    assert "*b* &amp;" in attachment["text"]  # and `mrkdwn` is off


@pytest.mark.parametrize("text", ["@everyone", "hey @here", "@all:", "<@12345>", "<users/all>", "@**all**"])
async def test_nobody_else_is_notified_by_what_a_symbol_is_called(http: Any, text: str) -> None:
    await channel(f"mmost://127.0.0.1:{http.port}/abcdefghijklmnopqrstuvwxyz").send(message(text, title=text))
    sent = http.sent[0].json["text"]
    assert text not in sent
    assert "＠" in sent or "‹" in sent


async def test_an_address_of_mail_stays_what_it_is(http: Any) -> None:
    await channel(f"json://127.0.0.1:{http.port}/").send(message("write to desk@example.org"))
    assert http.sent[0].json["message"] == "write to desk@example.org"


async def test_control_characters_and_half_characters_are_visible_signs(http: Any) -> None:
    await channel(f"json://127.0.0.1:{http.port}/").send(message("a\x1b[2Jb\x00c\ud800d"))
    assert http.sent[0].json["message"].replace("?", "�") == "a�[2Jb�c�d"


# -- what fails --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "kind"), [
    (400, Refused), (401, Refused), (403, Refused), (404, Refused), (413, Refused), (302, Refused),
    (408, Transient), (429, Transient), (500, Transient), (502, Transient), (503, Transient), (599, Transient),
])  # fmt: skip
async def test_the_status_of_the_answer_says_whether_to_try_again(
    http: Any, status: int, kind: type[Exception]
) -> None:
    http.status, http.headers = status, {"Location": f"http://127.0.0.1:{http.port}/elsewhere"}
    with pytest.raises(kind, match=f"ntfy answered {status}"):
        await channel(f"ntfy://127.0.0.1:{http.port}/desk").send(message())
    assert [each.path for each in http.sent] == ["/"]  # asked once, and not led elsewhere


async def test_a_service_that_is_down_is_transient() -> None:
    with pytest.raises(Transient, match="ntfy cannot be reached"):
        await channel("ntfy://127.0.0.1:9/desk").send(message())


async def test_a_connection_that_is_cut_is_transient(http: Any) -> None:
    http.cuts = True
    with pytest.raises(Transient, match="cut the connection"):
        await channel(f"json://127.0.0.1:{http.port}/").send(message())


async def test_what_a_mail_server_answers_says_whether_to_try_again(mail: Any) -> None:
    cases: list[tuple[str, str, type[Exception], str]] = [
        ("AUTH", "535 5.7.8 anna: s3cr3t-pass is wrong", Refused, r"answered 535: 5.7.8 \*\*\*: \*\*\* is wrong"),
        ("RCPT", "550 5.1.1 nobody here", Refused, "answered 550: 5.1.1 nobody here"),
        ("RCPT", "451 4.7.1 greylisted", Transient, "answered 451"),
        ("MAIL", "552 too much", Refused, "answered 552"),
        ("END", "554 looks like spam", Refused, "answered 554: looks like spam"),
        ("END", "452 disk full", Transient, "answered 452"),
        ("CONNECT", "421 come back later", Transient, "answered 421"),
    ]
    for verb, reply, kind, words in cases:
        mail.replies = {verb: reply}
        with pytest.raises(kind, match=words):
            await channel(to_mail(mail)).send(message())
    assert mail.mails == []


async def test_a_mail_server_that_is_down_is_transient(mail: Any) -> None:
    mail.port = 9
    with pytest.raises(Transient, match="E-Mail cannot be reached"):
        await channel(to_mail(mail)).send(message())


async def test_a_service_that_hangs_is_given_up_and_the_next_message_goes_through(http: Any) -> None:
    http.hangs = True
    phone = channel(f"json://127.0.0.1:{http.port}/", timeout_s=0.1)
    with pytest.raises(Transient, match=r"JSON did not answer within 0.1s"):
        await phone.send(message())
    http.hangs = False
    await phone.send(message("second"))
    assert [each.json["message"] for each in http.sent] == ["eval has lost 1,040 of 1,000.", "second"]


async def test_threads_that_hang_do_not_pile_up(http: Any) -> None:
    http.hangs = True
    phone = channel(f"json://127.0.0.1:{http.port}/", timeout_s=0.05)
    for _ in range(4):
        with pytest.raises(Transient, match="did not answer"):
            await phone.send(message())
    with pytest.raises(Transient, match="4 messages before it hang"):
        await phone.send(message())


class Odd:
    """A client that answers what a test wants."""

    service_name, body_maxlen, title_maxlen, body_max_line_count = "Odd", 100, 10, 0
    attachment_support = overflow_amalgamate_title = False

    def __init__(self, *, raises: Exception | None = None) -> None:
        self._raises = raises

    def notify(self, **given: object) -> bool:
        if self._raises is not None:
            raise self._raises
        return False


def odd(**given: Any) -> AppriseNotifier:
    return AppriseNotifier("odd", partial(Odd, **given))  # type: ignore[arg-type] # what is used of a client


async def test_what_apprise_does_not_explain_is_transient_and_says_so() -> None:
    with pytest.raises(Transient, match="Odd did not take it: Apprise does not say why"):
        await odd().send(message())


async def test_what_apprise_finds_wrong_with_a_message_is_refused() -> None:
    with pytest.raises(Refused, match="Apprise cannot send this message"):
        await odd(raises=AppriseException("token")).send(message())  # type: ignore[no-untyped-call] # theirs


async def test_a_fault_inside_apprise_is_the_plugins_and_shows_nothing_of_it() -> None:
    with pytest.raises(PluginFailed) as caught:
        await odd(raises=ValueError("https://token@host")).send(message())
    assert str(caught.value) == "Odd: Apprise failed with ValueError"


async def test_a_service_that_answers_well_and_is_not_content_is_asked_again(http: Any) -> None:
    http.text = "invalid_token TIiajkdnlazkcOXrIdevi7FQ"
    http.status = 200
    with pytest.raises(Transient, match="Slack did not take it"):
        await (await slack(http)).send(message())
