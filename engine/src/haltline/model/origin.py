"""Who sent an order: told by the client id that came back with it."""

from enum import StrEnum

OWN_PREFIX = "hl-"
"""How every client id of this engine begins."""

_BY_HAND = ("web_", "ios_", "android_", "electron_")
_BY_VENUE = ("autoclose-", "adl_autoclose", "settlement_autoclose-")


class Origin(StrEnum):
    """`haltline` is this engine, `manual` a person at the venue's own screen, `tool` another program with ids of its
    own, `venue` the exchange itself (a liquidation)."""

    HALTLINE = "haltline"
    MANUAL = "manual"
    TOOL = "tool"
    VENUE = "venue"


def origin_of(client_id: str) -> Origin:
    """Who sends orders under such an id; screens of venues give none, or one of their own kind."""
    if client_id.startswith(OWN_PREFIX):
        return Origin.HALTLINE
    if not client_id or client_id.startswith(_BY_HAND):
        return Origin.MANUAL
    return Origin.VENUE if client_id.startswith(_BY_VENUE) else Origin.TOOL
