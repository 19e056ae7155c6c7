"""What a plugin can say of its own set-up when `haltline doctor` asks: login, permissions, clock, contracts."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol, runtime_checkable

import msgspec


class Level(StrEnum):
    """How bad a finding is: nothing to do, something to know, or a set-up that will not guard."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at.

    `about` names it in a word or two (``login``, ``clock``, ``account eval``, ``permissions``, ``contract MNQ``);
    `text` says what was found, `cure` what to do about it, empty for OK. Neither holds a secret.
    """

    level: Level
    about: str
    text: str
    cure: str = ""


@runtime_checkable
class Diagnosing(Protocol):
    """A broker, feed, channel or surface that can look at its own set-up. Nothing it does changes anything outside."""

    async def diagnose(self) -> Sequence[Finding]:
        """Log in and look. For a broker: is the key accepted, which accounts does it see and are they live or paper,
        may it trade, may it withdraw (which it should not), is the clock ours, are the instruments known there.

        Called on a fresh object whose `run` is not called. What cannot be reached or is refused may be raised as
        Transient or Refused, and is then told as a failure.
        """
