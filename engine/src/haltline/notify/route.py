"""Which channels hear a message, and who is next when one is dead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from haltline.api import Message
from haltline.model.rule import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """`severities` tells for each channel, in the order of the set-up, what it hears."""

    severities: Mapping[str, Sequence[Severity]]

    def channels_for(self, message: Message, named: str = "") -> tuple[str, ...]:
        """The channels named (separated by commas) that exist, otherwise all that hear this severity."""
        wanted = [name.strip() for name in named.split(",") if name.strip()]
        chosen = tuple(name for name in wanted if name in self.severities)
        return chosen or tuple(name for name, heard in self.severities.items() if message.severity in heard)

    def fallback(self, channel: str, tried: Sequence[str] = ()) -> str | None:
        """The next channel in the set-up that has not been tried, or None."""
        names = [name for name in self.severities if name != channel and name not in tried]
        return names[0] if names else None
