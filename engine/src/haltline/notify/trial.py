"""One real message through one real channel: how long it took, or what is wrong, sorted by what to do about it."""

import asyncio
from enum import StrEnum

import msgspec

from haltline.api import Message, Notifier
from haltline.clock import Clock
from haltline.errors import Refused, Transient
from haltline.model.rule import Severity

_LONGEST_S = 15.0


class TrialResult(StrEnum):
    """How it ended. `delivered` · `transient` it may work later · `refused` the receiver said no · `silent` no answer
    in time · `broken` the channel's own code failed."""

    DELIVERED = "delivered"
    TRANSIENT = "transient"
    REFUSED = "refused"
    SILENT = "silent"
    BROKEN = "broken"


_CURES = {
    TrialResult.DELIVERED: "",
    TrialResult.TRANSIENT: "try again; if it stays so, look at the network and the service",
    TrialResult.REFUSED: "correct the address, token or rights of the channel",
    TrialResult.SILENT: "look at the network and the service",
    TrialResult.BROKEN: "report it to the author of the channel",
}


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt. `elapsed_ns` until the answer; `reason` in words where there is something wrong."""

    channel: str
    result: TrialResult
    elapsed_ns: int
    reason: str = ""

    @property
    def cure(self) -> str:
        """What to do about it."""
        return _CURES[self.result]


def trial_message(channel: str, now: int) -> Message:
    """The message of a test."""
    title = "Haltline test message"
    text = f"{title}: the channel {channel} works. Nothing happened to any account."
    return Message(id=f"test:{channel}:{now}", at=now, severity=Severity.INFO, title=title, text=text,
                   labels={"kind": "test", "severity": "info"})  # fmt: skip


async def try_channel(name: str, channel: Notifier, message: Message, clock: Clock) -> Trial:
    """Send it, and say how that went; raises nothing that the channel raises."""
    begun = clock.now()
    result, reason = await _attempt(channel, message)
    return Trial(channel=name, result=result, elapsed_ns=clock.now() - begun, reason=reason)


async def _attempt(channel: Notifier, message: Message) -> tuple[TrialResult, str]:
    try:
        async with asyncio.timeout(_LONGEST_S):
            await channel.send(message)
    except TimeoutError:
        return TrialResult.SILENT, f"no answer within {_LONGEST_S:g}s"
    except Transient as failure:
        return TrialResult.TRANSIENT, str(failure)
    except Refused as refusal:
        return TrialResult.REFUSED, str(refusal)
    except Exception as error:  # noqa: BLE001 - the wall around plugin code: a channel may raise anything
        return TrialResult.BROKEN, f"{type(error).__name__}: {error}"
    return TrialResult.DELIVERED, ""
