"""The channel `webhook`: what is signed, where it may go, and what answers mean."""

import asyncio
import datetime
import hashlib
import hmac
import ipaddress
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from yarl import URL

from haltline.api import Button, Message, NotifierSetup
from haltline.clock import NS_PER_S
from haltline.errors import ConfigError, EngineError, Refused, Transient
from haltline.model.rule import Severity
from haltline_notify_apprise.network import GuardedResolver, is_allowed
from haltline_notify_apprise.webhook import WebhookNotifier, make_webhook

SECRET = "a-secret-of-enough-signs"
NOW = 1_746_547_260
PNG = b"\x89PNG\r\n\x1a\n"


def message(text: str = "eval has lost 1,040 of 1,000.", **more: Any) -> Message:
    given = {"id": "m1", "at": 1_746_547_200_000_000_000, "severity": Severity.CRITICAL, "title": "eval: daily loss"}
    return Message(text=text, **{**given, **more})


def webhook(http: Any, **more: Any) -> WebhookNotifier:
    url = URL(f"http://127.0.0.1:{http.port}/hook")
    return WebhookNotifier(**{"url": url, "secret": SECRET, "private": True, "now": lambda: NOW * NS_PER_S, **more})


def made(**config: Any) -> WebhookNotifier:
    return make_webhook(NotifierSetup(name="ops", config={"secret": SECRET, **config}, directory=Path()))


# -- what is sent ------------------------------------------------------------------------------------------------------


async def test_the_body_says_everything(http: Any) -> None:
    button = Button(label="Acknowledge", command="ack", arguments={"incident": "i#1"})
    labels = {"incident": "daily-loss/eval/1", "desk": "futures"}
    await webhook(http).send(
        message(
            account="eval", rule="daily-loss", phase="breached", thread="t1", facts=(("Loss", "1,040"),),
            labels=labels, buttons=(button,), image=PNG,
        )
    )  # fmt: skip
    assert http.sent[0].json == {
        "version": 1, "id": "m1", "at": "2025-05-06T16:00:00.000Z", "severity": "critical", "phase": "breached",
        "title": "eval: daily loss", "text": "eval has lost 1,040 of 1,000.", "account": "eval", "rule": "daily-loss",
        "incident": "daily-loss/eval/1", "thread": "t1", "update": False, "labels": labels,
        "facts": [{"label": "Loss", "value": "1,040"}],
        "buttons": [{"label": "Acknowledge", "command": "ack", "arguments": {"incident": "i#1"}}],
        "image_png": "iVBORw0KGgo=",
    }  # fmt: skip


async def test_without_formatting_there_are_no_buttons_and_no_picture(http: Any) -> None:
    await webhook(http).send(message(plain=True, image=PNG, buttons=(Button(label="x", command="ack", arguments={}),)))
    assert (http.sent[0].json["buttons"], http.sent[0].json["image_png"]) == ([], "")


async def test_time_and_body_are_signed(http: Any) -> None:
    await webhook(http).send(message())
    [found] = http.sent
    right = hmac.new(SECRET.encode(), f"{NOW}.".encode() + found.body, hashlib.sha256).hexdigest()
    assert found.headers["Haltline-Timestamp"] == str(NOW)
    assert found.headers["Haltline-Signature"] == f"sha256={right}"
    assert found.headers["Content-Type"] == "application/json"
    assert SECRET not in str(found)


async def test_a_repeat_has_the_same_id_and_a_new_time(http: Any) -> None:
    times = iter([NOW * NS_PER_S, NOW * NS_PER_S, (NOW + 9) * NS_PER_S, (NOW + 9) * NS_PER_S])
    channel = webhook(http, now=lambda: next(times))
    await channel.send(message())
    await channel.send(message())
    first, second = http.sent
    assert first.headers["Haltline-Message"] == second.headers["Haltline-Message"] == "m1"
    assert (first.body, first.headers["Haltline-Signature"]) == (second.body, first.headers["Haltline-Signature"])
    assert first.headers["Haltline-Signature"] != second.headers["Haltline-Signature"]


async def test_an_id_cannot_add_headers(http: Any) -> None:
    await webhook(http).send(message(id="a\r\nX-Evil: 1/ä#2"))
    [found] = http.sent
    assert "X-Evil" not in found.headers
    assert found.headers["Haltline-Message"] == "a%0D%0AX-Evil%3A%201%2F%C3%A4%232"
    assert found.json["id"] == "a\r\nX-Evil: 1/ä#2"


async def test_half_a_character_is_told_as_a_sign(http: Any) -> None:
    await webhook(http).send(message("a\ud800b", labels={"k\ud800": "v"}))
    assert http.sent[0].json["text"] == "a?b"


# -- what answers mean -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_success_is_delivered(http: Any, status: int) -> None:
    http.status, http.text = status, ""
    await webhook(http).send(message())


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422])
async def test_what_it_will_never_take_is_refused(http: Any, status: int) -> None:
    http.status = status
    with pytest.raises(Refused, match=f"the receiver answered {status}"):
        await webhook(http).send(message())


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
async def test_what_may_pass_is_transient(http: Any, status: int) -> None:
    http.status = status
    with pytest.raises(Transient, match=f"the receiver answered {status}"):
        await webhook(http).send(message())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_refused_and_not_followed(http: Any, status: int) -> None:
    http.status, http.headers = status, {"Location": f"http://127.0.0.1:{http.port}/elsewhere"}
    with pytest.raises(Refused, match="redirects are not followed"):
        await webhook(http).send(message())
    assert [each.path for each in http.sent] == ["/hook"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7), ("0", 0), ("", 0), ("-5", 0), ("soon", 0), ("1e9", 0), ("99999999999999999999", 3600), ("٣", 0),
        ("Tue, 06 May 2025 16:01:30 GMT", 30), ("Tue, 06 May 2025 15:00:00 GMT", 0),
        ("Tue, 06 May 2036 16:00:00 GMT", 3600), ("Tue, 99 May 2025", 0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [429, 503])
async def test_the_pause_that_it_asks_for_is_passed_on(http: Any, text: str, seconds: float, status: int) -> None:
    http.status, http.headers = status, {"Retry-After": text}
    with pytest.raises(Transient) as caught:
        await webhook(http).send(message())
    assert caught.value.retry_after_s == seconds


async def test_a_receiver_that_hangs_or_cuts_or_is_down_is_transient(http: Any) -> None:
    http.hangs = True
    with pytest.raises(Transient, match=r"did not answer within 0\.05s"):
        await webhook(http, timeout_s=0.05).send(message())
    http.hangs, http.cuts = False, True
    with pytest.raises(Transient, match="cut the connection"):
        await webhook(http).send(message())
    http.port = 9
    with pytest.raises(Transient, match="cannot be reached"):
        await webhook(http).send(message())


async def test_an_endless_answer_is_not_read(http: Any) -> None:
    http.text = "x" * 50_000_000
    await webhook(http).send(message())


async def test_an_answer_that_is_no_http_is_transient() -> None:
    async def talk(reader: Any, writer: Any) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"\0" * 100 + b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(Transient):
        await WebhookNotifier(url=URL(f"http://127.0.0.1:{port}/"), secret=SECRET, private=True).send(message())
    server.close()


# -- where it may go ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "private", "public"),
    [
        ("127.0.0.1", True, False), ("10.1.2.3", True, False), ("192.168.1.1", True, False), ("::1", True, False),
        ("fd00::1", True, False), ("::ffff:10.0.0.1", True, False), ("169.254.169.254", False, False),
        ("fe80::1%eth0", False, False), ("0.0.0.0", False, False), ("224.0.0.1", False, False),
        ("100.64.0.1", False, False), ("93.184.216.34", False, True), ("2606:4700::1", False, True),
        ("::ffff:93.184.216.34", False, True),
    ],
)  # fmt: skip
def test_an_address_is_on_one_side_only(address: str, private: bool, public: bool) -> None:
    assert (is_allowed(address, private=True), is_allowed(address, private=False)) == (private, public)


@pytest.mark.parametrize("host", ["localhost", "0x7f.1"])
async def test_a_name_that_leads_into_ones_own_network_is_refused(http: Any, host: str) -> None:
    url = URL(f"https://{host}:{http.port}/hook")
    with pytest.raises(Refused, match="leads to a private address"):
        await webhook(http, url=url, private=False).send(message())
    assert http.sent == []


async def test_a_private_name_that_leads_outside_is_refused() -> None:
    class Outside:
        async def resolve(self, host: str, port: int, family: socket.AddressFamily) -> list[dict[str, Any]]:
            return [{"host": "93.184.216.34"}]

    resolver = GuardedResolver(private=True)
    resolver._inner = Outside()  # type: ignore[assignment] # answers what a name server could
    with pytest.raises(Refused, match="leads to a public address"):
        await resolver.resolve("receiver.internal")


async def test_a_name_within_is_allowed_where_the_set_up_says_so(http: Any) -> None:
    await webhook(http, url=URL(f"http://localhost:{http.port}/hook")).send(message())
    assert len(http.sent) == 1


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"url": "receiver"}, ["its url is no web address"]),
        ({"url": "ftp://host/tok-canary"}, ["its url is no web address"]),
        ({"url": "https://[::1/tok-canary"}, ["its url is no web address"]),
        ({"url": "https:///tok-canary"}, ["its url is no web address"]),
        ({"url": "http://host.example/tok-canary"}, ["its url is not encrypted"]),
        ({"url": "https://10.0.0.1/tok-canary"}, ["its url has a private address"]),
        ({"url": "https://2130706433/tok-canary"}, ["its url has a private address"]),
        ({"url": "https://0x7f.1/tok-canary"}, ["its url has a private address"]),
        ({"url": "http://169.254.169.254/tok-canary"}, ["its url has a private address", "its url is not encrypted"]),
        ({"url": "https://93.184.216.34/tok-canary", "private": True}, ["its url has a public address"]),
        ({"url": "https://host.example/", "ca": "missing.pem"}, ["missing.pem cannot be read: No such file"]),
        ({"url": "https://host.example/", "ca": __file__}, ["cannot be read"]),
    ],
)
def test_what_is_wrong_is_told_at_start_all_at_once_without_the_address(
    config: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        made(**config)
    told = sorted(problem.what for problem in caught.value.problems)
    assert all(word in what for word, what in zip(words, told, strict=True))
    assert all(problem.cure and problem.where == "channel 'ops'" for problem in caught.value.problems)
    assert "canary" not in str(caught.value)


# -- TLS ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody has signed but itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver")])
    begin = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(begin).not_valid_after(begin + datetime.timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (tmp_path / "key.pem").write_bytes(key.private_bytes(pem, private, serialization.NoEncryption()))
    (tmp_path / "ca.pem").write_bytes(made.public_bytes(pem))
    return tmp_path / "ca.pem"


@pytest.fixture
def server_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return context


@pytest.fixture
def trusting(certificate: Path) -> Callable[[int], WebhookNotifier]:
    """Channels to a port, whose config names the certificate; made outside of the event loop, as it reads a file."""
    given = NotifierSetup(
        name="ops", config={"url": "https://127.0.0.1/", "secret": SECRET, "private": True, "ca": "ca.pem"},
        directory=certificate.parent,
    )  # fmt: skip
    channel = make_webhook(given)

    def at(port: int) -> WebhookNotifier:
        return WebhookNotifier(url=URL(f"https://127.0.0.1:{port}/"), secret=SECRET, private=True, trust=channel._trust)

    return at


@pytest.fixture
async def https(server_side: ssl.SSLContext) -> AsyncIterator[int]:
    async def answer(request: web.Request) -> web.Response:
        json.loads(await request.read())
        return web.Response()

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_side).start()
    yield int(runner.addresses[0][1])
    await runner.cleanup()


async def test_a_certificate_that_nobody_vouches_for_is_not_trusted(https: int) -> None:
    channel = WebhookNotifier(url=URL(f"https://127.0.0.1:{https}/"), secret=SECRET, private=True)
    with pytest.raises(Transient, match="certificate of the receiver is not one that is trusted"):
        await channel.send(message())


async def test_a_certificate_that_the_config_names_is_trusted(
    https: int, trusting: Callable[[int], WebhookNotifier]
) -> None:
    await trusting(https).send(message())


async def test_nothing_that_fails_shows_the_address_or_the_secret(http: Any) -> None:
    url = URL(f"http://user:pass-canary@127.0.0.1:{http.port}/hook/tok-canary?key=key-canary")
    for status in (302, 404, 503):
        http.status = status
        with pytest.raises(EngineError) as caught:
            await webhook(http, url=url, secret="secret-canary-secret").send(message())
        assert "canary" not in repr(caught.value) + repr(webhook(http, url=url))
    http.port = 9
    with pytest.raises(Transient) as lost:
        await webhook(http, url=url.with_port(9)).send(message())
    assert "canary" not in repr(lost.value)
    assert lost.value.__suppress_context__
