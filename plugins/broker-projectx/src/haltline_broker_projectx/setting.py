"""The `config` section of a broker of kind `projectx`."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

_URL = {"type": "string", "pattern": "^https?://"}
_NAMES = {"type": "object", "additionalProperties": {"type": "string"}}
_SECONDS = {"type": "number", "exclusiveMinimum": 0}

SCHEMA: Mapping[str, object] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["user", "key"],
    "properties": {
        "user": {"type": "string", "minLength": 1, "description": "the user name of the platform"},
        "key": {"type": "string", "minLength": 1, "description": "its API key; write ${PROJECT_X_API_KEY}"},
        "api_url": {**_URL, "description": "where REST is; TopstepX by default"},
        "hub_url": {**_URL, "description": "where the hubs are, without /user or /market; TopstepX by default"},
        "accounts": {**_NAMES, "description": "the platform's account name or number, by our account"},
        "contracts": {
            "type": "array",
            "items": {"type": "string"},
            "description": "whose prices to follow from the start: MNQ, MNQZ5 or CON.F.US.MNQ.Z25; what is held is "
            "followed by itself",
        },
        "symbols": {**_NAMES, "description": "a contract by the symbol it is to have; its platform name if left out"},
        "live": {"type": "boolean", "description": "search contracts of the live data subscription"},
        "timeout_s": {**_SECONDS, "description": "how long one request may take"},
        "poll_s": {**_SECONDS, "description": "how often everything is read again although nothing was pushed"},
        "silence_s": {**_SECONDS, "description": "a hub without a message or ping for so long is connected anew"},
        "blind_s": {**_SECONDS, "description": "the platform is lost once nothing could be read for so long"},
    },
}  # fmt: skip


class Setting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands in the section, with its defaults."""

    user: str
    key: str
    api_url: str = "https://api.topstepx.com/api"
    hub_url: str = "https://rtc.topstepx.com/hubs"
    accounts: dict[str, str] = {}
    contracts: tuple[str, ...] = ()
    symbols: dict[str, str] = {}
    live: bool = False
    timeout_s: float = 8.0
    poll_s: float = 15.0
    silence_s: float = 40.0
    blind_s: float = 15.0

    def __repr__(self) -> str:
        """Without the key."""
        return f"Setting(user={self.user!r}, api_url={self.api_url!r})"


def read_setting(config: Mapping[str, object]) -> Setting:
    """The section as a record; raises ValueError for an address that would send the key in clear over a network."""
    setting = msgspec.convert(dict(config), Setting, strict=False)
    for url in (setting.api_url, setting.hub_url):
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise ValueError(f"{url}: http would send the API key in clear; write https")
    return setting
