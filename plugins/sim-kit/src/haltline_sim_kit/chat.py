"""What simulators of chat platforms share: the bot's token, what was said, and the check against a description."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from haltline_sim_kit.fault import FaultBox
from haltline_sim_kit.simulator import Simulator
from haltline_sim_kit.transcript import Transcript
from haltline_sim_kit.watch import Watch

_VARIABLE = "HALTLINE_CONFORMANCE"


def find_description(name: str) -> Path | None:
    """A published description: in the folder that HALTLINE_CONFORMANCE names, else beside the repository, or None."""
    named = os.environ.get(_VARIABLE)
    places = [Path(named)] if named else [above / "shared/data/conformance" for above in Path(__file__).parents]
    return next((place / name for place in places if (place / name).is_file()), None)


class ChatWorld(Protocol):
    """What a chat platform knows."""

    token: str
    transcript: Transcript
    watch: Watch

    @property
    def said(self) -> Sequence[object]:
        """Each appearance of a message of the bot, new or edited, in order."""


class Described(Protocol):
    """A published description of a platform."""

    version: str


class Checked(Protocol):
    """A request of the client."""

    @property
    def violations(self) -> tuple[str, ...]:
        """What in it departs from the description."""


class ChatSimulator[W: ChatWorld, S: Described, R: Checked](Simulator):
    """A chat platform for one bot. Without a `schema` requests are not checked."""

    def __init__(
        self, world: W, *, port: int, schema: S | None, checks_answers: bool, faults: FaultBox | None = None
    ) -> None:  # fmt: skip
        super().__init__(port=port, watch=world.watch, faults=faults)
        self.world = world
        self.requests: list[R] = []
        self.own_violations: list[str] = []
        """Where the simulator's answers depart from the description, with `checks_answers`."""
        self._schema = schema
        self._checks_answers = checks_answers

    @property
    def token(self) -> str:
        """The only token that is accepted."""
        return self.world.token

    @property
    def validation(self) -> str:
        """Whether requests are checked against the published description, and against which."""
        return f"on: {self._schema.version}" if self._schema else "off: no published description was found"

    @property
    def violations(self) -> list[str]:
        """What the client sent against the published description, and what the simulator does not have."""
        return [line for request in self.requests for line in request.violations]

    @property
    def transcript(self) -> str:
        """Everything that was said, to be printed."""
        return str(self.world.transcript)

    def mark(self) -> int:
        """The number of the next appearance of a message of the bot."""
        return len(self.world.said)

    async def _until[T](self, look: Callable[[], T | None], otherwise: str, timeout_s: float) -> T:
        try:
            return await self.watch.until(look, timeout_s=timeout_s)
        except TimeoutError:
            raise TimeoutError(f"{otherwise} within {timeout_s} s; so far:\n{self.transcript}") from None


type AnyChat = ChatSimulator[Any, Any, Any]
