"""What became of one plugin, for `haltline plugins` and every other face."""

from enum import StrEnum

import msgspec

from haltline.errors import Problem


class PluginStatus(StrEnum):
    """Whether a plugin is in use."""

    OK = "ok"
    FAILED = "failed"
    NOT_ENABLED = "not enabled"


class PluginReport(msgspec.Struct, frozen=True, kw_only=True):
    """One plugin or rule pack. `provides` lists what it registered (``action flatten``), `error` why it failed."""

    name: str
    status: PluginStatus
    distribution: str = ""
    version: str = ""
    required: bool = False
    provides: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    error: Problem | None = None
