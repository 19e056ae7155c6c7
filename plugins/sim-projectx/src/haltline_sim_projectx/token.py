"""Session tokens: JSON Web Tokens, signed (HS256) and checked, with an expiry that counts."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable


class Tokens:
    """Issues and checks tokens. `lifetime_s` is how long a new one is good; `now` gives the time in seconds."""

    def __init__(self, *, now: Callable[[], float], lifetime_s: float = 86_400.0) -> None:
        self.lifetime_s = lifetime_s
        self._now = now
        self._key = secrets.token_bytes(32)
        self._revoked_before = 0
        self._count = 0

    def issue(self, user: str) -> str:
        """A new token; older ones stay good."""
        self._count += 1
        claims = {"sub": user, "jti": self._count, "exp": int(self._now() + self.lifetime_s)}
        body = f"{_packed({'alg': 'HS256', 'typ': 'JWT'})}.{_packed(claims)}"
        return f"{body}.{self._signature(body)}"

    def is_good(self, token: str) -> bool:
        """Whether it is ours, not revoked and not expired."""
        body, _, signature = token.rpartition(".")
        if not body or not hmac.compare_digest(signature.encode(), self._signature(body).encode()):
            return False
        claims = json.loads(base64.urlsafe_b64decode(body.partition(".")[2] + "=="))
        return int(claims["jti"]) > self._revoked_before and self._now() < claims["exp"]

    def revoke(self) -> None:
        """Let every token so far be good no more, although its expiry is far."""
        self._revoked_before = self._count

    def _signature(self, body: str) -> str:
        return _encoded(hmac.new(self._key, body.encode(), hashlib.sha256).digest())


def _packed(content: dict[str, object]) -> str:
    return _encoded(json.dumps(content, separators=(",", ":")).encode())


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
