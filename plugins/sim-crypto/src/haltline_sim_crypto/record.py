"""What a client asked for, kept for tests."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from haltline_sim_crypto.account import Account

type Json = dict[str, Any]
type Handler = Callable[[Account, Json], Any]


@dataclass(frozen=True, slots=True)
class Code:
    """A refusal as a venue says it; `{}` in the words is the parameter or symbol."""

    number: int
    words: str
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One call that a venue offers. `known` are its parameters; `weight` is what it costs against the rate limit,
    `weight_of_all` where it names no symbol.
    """

    handler: Handler
    known: frozenset[str] = frozenset()
    is_signed: bool = False
    weight: int = 1
    weight_of_all: int = 0

    def cost(self, parameters: Json) -> int:
        """The weight of one call."""
        return self.weight if "symbol" in parameters else max(self.weight, self.weight_of_all)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call of the client. `call` is what faults and `sim.calls` match; `parameters` are decoded."""

    call: str
    parameters: Json
    headers: dict[str, str]
    raw: str
    at_ms: int
    route: Route | None = None
    violations: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One text that a client sent over a stream."""

    stream: str
    message: Any
    at_ms: int


def words(text: str) -> frozenset[str]:
    """The names in a text."""
    return frozenset(text.split())
