"""From a URL to Apprise's client of one service, or what is wrong with the URL, without repeating it."""

import re
from collections.abc import Iterable

from apprise import Apprise, AppriseAsset, NotificationManager, NotifyBase

from haltline.errors import ConfigError, Problem
from haltline_notify_apprise.hear import hearing

_SCHEMA = re.compile(r"\s*(?P<schema>[a-z][a-z0-9+.-]{0,30})://", re.IGNORECASE)
_LIST = "https://appriseit.com/services/"


def connect(url: str, *, channel: str) -> NotifyBase:
    """The client of a service; raises ConfigError with the cure.

    Nothing of it is on disk, it fetches no pictures from elsewhere, follows no redirects, and neither retries nor waits
    between messages: the engine does.
    """
    asset = AppriseAsset(
        app_id="Haltline", app_desc="Haltline", app_url="", image_url_mask="", image_url_logo="", http_redirects=False,
        interpret_emojis=False, storage_mode="memory", pgp_autogen=False, pem_autogen=False, default_service_retry=0,
    )  # fmt: skip
    client = _instantiate(url.strip(), asset)
    if client is None:
        raise _wrong(channel, *_diagnosis(url))
    if len(client) == 0:
        raise _wrong(channel, "its url names nobody to tell", f"see {client.setup_url}")
    client.request_rate_per_sec = 0
    client.retry = 0
    return client


def _instantiate(url: str, asset: AppriseAsset) -> NotifyBase | None:
    """The client, or None: some services raise for what they cannot read, with it in the message."""
    if _SCHEMA.match(url) is None or url.encode("utf-8", "replace").decode() != url:
        return None
    with hearing():
        try:
            return Apprise.instantiate(url, asset=asset)
        except Exception:  # noqa: BLE001 - the wall around Apprise: each service is code of its own
            return None


def _wrong(channel: str, what: str, cure: str) -> ConfigError:
    return ConfigError([Problem(code="E508", where=f"channel {channel!r}", what=what, cure=cure)])


def _diagnosis(url: str) -> tuple[str, str]:
    """What is wrong and what to do; of the URL only the name of a service that Apprise knows is ever shown."""
    found = _SCHEMA.match(url)
    if found is None:
        return "its url is no URL", f"write one as in {_LIST}"
    services = NotificationManager()  # type: ignore[no-untyped-call] # theirs
    schema = found["schema"].lower()
    if schema in ("http", "https"):
        return "its url is a web address of no service that Apprise knows", "for one of your own use `kind: webhook`"
    if schema not in services:
        return "Apprise knows no service of the name before ://", f"take one of {_LIST}"
    service = services[schema]
    if not service.enabled:
        needed = ", ".join(_listed(service.requirements.get("packages_required")))
        return f"{schema}:// cannot be used here", f"install {needed}" if needed else f"see {service.setup_url}"
    return f"its url lacks something that {schema}:// needs, or has it in the wrong place", f"see {service.setup_url}"


def _listed(names: str | Iterable[str] | None) -> list[str]:
    return [names] if isinstance(names, str) else list(names or ())
