"""What happened, one line each, in the order in which it happened."""

from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

import msgspec

from haltline.clock import to_datetime

NEW_YORK = ZoneInfo("America/New_York")


class Voice(StrEnum):
    """Who does or says it."""

    TRADER = "trader"
    BROKER = "broker"
    ENGINE = "engine"
    WARNING = "warning"
    BREACH = "breach"
    RECEIPT = "receipt"
    PHONE = "phone"
    ANSWER = "answer"


COLOURS = {
    Voice.TRADER: "bright_blue",
    Voice.BROKER: "white",
    Voice.ENGINE: "cyan",
    Voice.WARNING: "yellow",
    Voice.BREACH: "bold red",
    Voice.RECEIPT: "bold green",
    Voice.PHONE: "magenta",
    Voice.ANSWER: "bold red",
}
HOLDS_S = {
    Voice.TRADER: 0.4,
    Voice.BROKER: 0.25,
    Voice.ENGINE: 0.5,
    Voice.WARNING: 1.0,
    Voice.BREACH: 1.5,
    Voice.RECEIPT: 0.8,
    Voice.PHONE: 2.2,
    Voice.ANSWER: 2.0,
}
"""How many seconds the picture stands still after such a line, so that it can be read."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened. `at` is in UTC nanoseconds of the story's own time."""

    at: int
    voice: Voice
    text: str

    @property
    def clock(self) -> str:
        """The time of day in New York, HH:MM:SS."""
        return local(self.at).strftime("%H:%M:%S")

    @property
    def plain(self) -> str:
        """The line as it is printed without a picture."""
        return f"{self.clock}  {self.voice.value:<8}{self.text}"


def local(instant_ns: int) -> datetime:
    """The instant in New York."""
    return to_datetime(instant_ns).astimezone(NEW_YORK)
