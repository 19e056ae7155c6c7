"""Points a ccxt exchange at a simulator, whatever its version names the URLs."""

from typing import Any
from urllib.parse import urlsplit, urlunsplit


def redirect[T](exchange: T, host: str) -> T:
    """Replace scheme and host of every URL of `exchange.urls["api"]`, keep the paths; gives the exchange back."""
    urls: Any = getattr(exchange, "urls", None)
    if not isinstance(urls, dict) or "api" not in urls:
        raise TypeError(f"a ccxt exchange was expected, found {type(exchange).__name__}")
    urls["api"] = _turned(urls["api"], host)
    return exchange


def _turned(found: Any, host: str) -> Any:
    if isinstance(found, dict):
        return {name: _turned(each, host) for name, each in found.items()}
    if isinstance(found, str) and "://" in found:
        parts = urlsplit(found)
        return urlunsplit(("ws" if parts.scheme.startswith("ws") else "http", host, parts.path, parts.query, ""))
    return found
