"""One login at the gateway, and REST calls under it: every failure in its class, no waiting inside the library.

The library's outer request method sleeps 60 s after HTTP 429 and repeats reads by itself, and its limiter queues a
close behind reads; so the inner one is called, once, with a limiter that never waits. The engine keeps the budget.
"""

import asyncio
import base64
import binascii
import json
import math
from contextvars import ContextVar
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from haltline.clock import NS_PER_S, Clock, from_datetime
from haltline.errors import OutcomeUnknown, Refused, Transient
from haltline_broker_projectx.failure import MUTATING, Answered, failure_of
from haltline_broker_projectx.library import ProjectX, ProjectXConfig, ProjectXError
from haltline_broker_projectx.setting import Setting

type Json = dict[str, Any]

_UNLIMITED = 10**9
_RENEW_NS = 3600 * NS_PER_S
"""A token is renewed this long before it ends, or when half of its life is over if that is later."""
_UNSAID_S = 5.0
"""How long to stay away after a 429 that does not say."""
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(slots=True)
class _Seen:
    """What came back over the wire, whatever the library makes of it."""

    status: int = 0
    retry_after: str = ""


_seen: ContextVar[_Seen] = ContextVar("projectx_seen")


class Session:
    """A client of its own with a token of its own. Raises Transient, Refused or OutcomeUnknown, and nothing else."""

    def __init__(self, setting: Setting, clock: Clock) -> None:
        self._setting = setting
        self._clock = clock
        self._client: Any = None
        self._logging_in = asyncio.Lock()
        self._renew_at = 0
        self._not_before = 0
        self.skew_ns = 0
        """How far the platform's clock is ahead of ours, to about a second, as its last answer had it."""

    async def call(self, name: str, body: Json) -> Json:
        """Make a call (``Order/place``). One that was answered 401 took no effect: it is made again after a login."""
        self._require_welcome()
        await self.log_in()
        used = self._client.session_token
        try:
            return await self._send(name, body)
        except _Unauthorized:
            await self._log_in_instead_of(used)
        try:
            return await self._send(name, body)
        except _Unauthorized as failure:
            raise Transient(f"{name}: the gateway does not accept its own token") from failure

    async def ping(self) -> None:
        """Keep the connection warm; raises Transient."""
        await self._exchange("GET", "Status/ping", None)

    async def token(self) -> str:
        """A token that is good for a while."""
        await self.log_in()
        return str(self._client.session_token)

    async def log_in(self) -> None:
        """Log in unless that was done and its end is far; raises Refused for wrong credentials, Transient otherwise."""
        if self._client is None or self._clock.now() >= self._renew_at:
            await self._log_in_instead_of(None if self._client is None else self._client.session_token)

    async def forget(self, token: str) -> None:
        """A token was not accepted somewhere: log in again, unless that has happened since."""
        if self._client is not None and self._client.session_token == token:
            self._renew_at = 0

    async def close(self) -> None:
        """End the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.__aexit__(None, None, None)

    async def _log_in_instead_of(self, used: str | None) -> None:
        async with self._logging_in:
            if self._client is None:
                self._client = await self._make_client()
            if self._client.session_token and self._client.session_token != used and self._clock.now() < self._renew_at:
                return
            said = {"userName": self._setting.user, "apiKey": self._setting.key}
            try:
                reply = await self._send("Auth/loginKey", said)
            except _Unauthorized as failure:
                raise Refused("the login was refused; check user and key of the broker") from failure
            except Answered as refusal:
                raise Refused(f"the login was refused: {refusal.name}; check user and key of the broker") from refusal
            token = reply.get("token")
            if not isinstance(token, str) or not token:
                raise Refused("the login gave no token; check user and key of the broker")
            self._client.session_token = token
            now = self._clock.now()
            end = _expiry_of(token, now)
            self._renew_at = max(end - _RENEW_NS, now + (end - now) // 2)

    async def _make_client(self) -> Any:
        config = ProjectXConfig(
            api_url=self._setting.api_url, user_hub_url=f"{self._setting.hub_url}/user",
            market_hub_url=f"{self._setting.hub_url}/market", requests_per_minute=_UNLIMITED,
            timeout_seconds=math.ceil(self._setting.timeout_s),
        )  # fmt: skip
        client: Any = ProjectX(username=self._setting.user, api_key=self._setting.key, config=config)
        await client.__aenter__()
        client._client.event_hooks["response"].append(self._note)
        return client

    async def _note(self, response: httpx.Response) -> None:
        """Remember what the library hides: the status, Retry-After, and the platform's time."""
        seen = _seen.get(None)
        if seen is not None:
            seen.status, seen.retry_after = response.status_code, response.headers.get("Retry-After", "")
        try:
            told = from_datetime(parsedate_to_datetime(response.headers["Date"]))
        except (KeyError, ValueError):
            return
        self.skew_ns = told - self._clock.now()

    async def _send(self, name: str, body: Json) -> Json:
        """One exchange; raises _Unauthorized for 401."""
        reply = await self._exchange("POST", name, body)
        if not isinstance(reply, dict) or not isinstance(reply.get("success"), bool):
            raise _doubt(name)(f"{name}: the answer is not one of a gateway")
        if not reply["success"]:
            raise failure_of(name, int(reply.get("errorCode") or 0), str(reply.get("errorMessage") or ""))
        return reply

    async def _exchange(self, verb: str, name: str, body: Json | None) -> object:
        seen = _Seen()
        _seen.set(seen)
        client = self._client
        if client is None:
            raise Transient("the connection was closed")
        try:
            async with asyncio.timeout(self._setting.timeout_s):
                return await client._execute_http_request(verb, f"/{name}", data=body, retry_count=1)
        except TimeoutError as failure:
            raise _doubt(name)(f"{name}: no answer within {self._setting.timeout_s:g} s") from failure
        except (ProjectXError, httpx.HTTPError, OSError, ValueError, RuntimeError) as failure:
            raise self._judged(name, seen, failure) from failure

    def _judged(self, name: str, seen: _Seen, failure: Exception) -> Exception:
        """What a failed exchange means, by what came over the wire."""
        if seen.status == 401:
            return _Unauthorized(name)
        if seen.status == 429:
            wait_s = _seconds(seen.retry_after)
            self._not_before = self._clock.now() + round(wait_s * NS_PER_S)
            return Transient(f"{name}: too many requests; again in {wait_s:g} s", retry_after_s=wait_s)
        if name in MUTATING and 400 <= seen.status < 500 and seen.status != 408:
            return Refused(f"{name}: HTTP {seen.status}")
        if isinstance(failure.__cause__ or failure, _NOT_SENT):
            return Transient(f"{name}: the gateway cannot be reached")
        what = f"HTTP {seen.status}" if seen.status and seen.status != 200 else "the answer was lost or cannot be read"
        return _doubt(name)(f"{name}: {what}")

    def _require_welcome(self) -> None:
        wait_ns = self._not_before - self._clock.now()
        if wait_ns > 0:
            wait_s = wait_ns / NS_PER_S
            raise Transient(f"the gateway wants no request for another {wait_s:.2f} s", retry_after_s=wait_s)


class _Unauthorized(Exception):
    """HTTP 401: the gateway did nothing."""


def _doubt(name: str) -> type[Transient] | type[OutcomeUnknown]:
    return OutcomeUnknown if name in MUTATING else Transient


def _seconds(text: str) -> float:
    try:
        return max(0.1, float(text))
    except ValueError:
        return _UNSAID_S


def _expiry_of(token: str, now: int) -> int:
    """When a token ends; an hour from now where it does not say."""
    try:
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        return int(claims["exp"]) * NS_PER_S
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return now + _RENEW_NS
