"""The channel `webhook`: one signed POST a message, to a receiver of one's own."""

import ssl
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path

import aiohttp
from yarl import URL

from haltline.api import Message, NotifierSetup
from haltline.clock import NS_PER_S, SystemClock
from haltline.errors import ConfigError, Problem, Refused, Transient
from haltline_notify_apprise.network import GuardedResolver, as_address, is_allowed
from haltline_notify_apprise.parcel import body_of, headers_of

TIMEOUT_S = 10.0
_LONGEST_PAUSE_S = 3600.0
_PASSING = frozenset({408, 421, 425, 429})


class WebhookNotifier:
    """A connection for each message; the answer's status counts, its body is not read.

    `private` says on which side the receiver stands; `now` reads the time that is signed.
    """

    def __init__(
        self, *, url: URL, secret: str, private: bool = False, trust: ssl.SSLContext | None = None,
        timeout_s: float = TIMEOUT_S, now: Callable[[], int] | None = None,
    ) -> None:  # fmt: skip
        self._url = url
        self._secret = secret
        self._private = private
        self._trust = trust
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._now = now or SystemClock().now

    def __repr__(self) -> str:
        return "<WebhookNotifier>"

    async def send(self, message: Message) -> None:
        """Deliver one message; raises Transient, with the pause that the receiver asked for, or Refused."""
        body = body_of(message)
        headers = headers_of(message, body, self._secret, self._now())
        try:
            status, retry_after = await self._post(body, headers)
        except TimeoutError:
            raise Transient(f"the receiver did not answer within {self._timeout.total:g}s") from None
        except aiohttp.InvalidURL:
            raise Refused("the address of the receiver cannot be used") from None
        except aiohttp.ClientConnectorCertificateError:
            raise Transient("the certificate of the receiver is not one that is trusted") from None
        except (aiohttp.ClientError, OSError):
            raise Transient("the receiver cannot be reached, or cut the connection") from None
        failure = _failure(status, retry_after, self._now())
        if failure is not None:
            raise failure

    async def _post(self, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
        connector = aiohttp.TCPConnector(
            resolver=GuardedResolver(private=self._private), ssl=self._trust or True, force_close=True
        )
        async with (
            aiohttp.ClientSession(connector=connector, timeout=self._timeout, trust_env=False) as session,
            session.post(self._url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            return answer.status, answer.headers.get("Retry-After", "")


def make_webhook(setup: NotifierSetup) -> WebhookNotifier:
    """The channel from its `config`; raises ConfigError with everything that is wrong with it."""
    config, problems = setup.config, list[Problem]()
    private = config.get("private") is True
    url = _url(str(config["url"]), private=private, problems=problems)
    trust = _trust(setup, problems)
    if problems:
        where = f"channel {setup.name!r}"
        raise ConfigError([Problem(code="E508", where=where, what=each.what, cure=each.cure) for each in problems])
    return WebhookNotifier(
        url=url, secret=str(config["secret"]), private=private, trust=trust,
        timeout_s=float(str(config.get("timeout_s", TIMEOUT_S))),
    )  # fmt: skip


def _url(text: str, *, private: bool, problems: list[Problem]) -> URL:
    """The address; never repeated, for what stands in it may be a token."""
    try:
        url = URL(text.strip())
        host = url.host or ""
    except ValueError:
        url, host = URL(), ""
    if not host or url.scheme not in ("http", "https"):
        problems.append(Problem(code="E508", what="its url is no web address", cure="write https://host/path"))
        return url
    if url.scheme == "http" and not private:
        cure = "write https://, or `private: true` for one in your own network"
        problems.append(Problem(code="E508", what="its url is not encrypted", cure=cure))
    address = as_address(host)
    if address is not None and not is_allowed(address, private=private):
        wrong, cure = ("public", "remove `private: true`") if private else ("private", "add `private: true`")
        problems.append(Problem(code="E508", what=f"its url has a {wrong} address", cure=f"correct it, or {cure}"))
    return url


def _trust(setup: NotifierSetup, problems: list[Problem]) -> ssl.SSLContext | None:
    """Whose certificates count besides the usual ones."""
    name = setup.config.get("ca")
    if name is None:
        return None
    path = (setup.directory or Path()) / Path(str(name)).expanduser()
    try:
        context = ssl.create_default_context()
        context.load_verify_locations(cafile=path)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or "it holds no certificate"
        what = f"the certificates in {path.name} cannot be read: {reason}"
        problems.append(Problem(code="E508", what=what, cure="name a file of certificates in PEM format"))
        return None
    return context


def _failure(status: int, retry_after: str, now: int) -> Transient | Refused | None:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    phrase = HTTPStatus(status).phrase if status in HTTPStatus else ""
    reason = f"the receiver answered {status} {phrase}".rstrip()
    if status < HTTPStatus.BAD_REQUEST:
        return Refused(f"{reason}: redirects are not followed, for the message is signed for one receiver")
    if status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _PASSING:
        return Refused(reason)
    return Transient(reason, retry_after_s=_pause(retry_after, now))


def _pause(text: str, now: int) -> float:
    """What `Retry-After` asks for, in seconds or as a date: at most an hour, 0 for what cannot be read."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST_PAUSE_S)
    try:
        until = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(until - now / NS_PER_S, 0.0), _LONGEST_PAUSE_S)
