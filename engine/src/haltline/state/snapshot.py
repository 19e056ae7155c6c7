"""The whole state as plain values that msgpack can carry, and back, exactly."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from haltline.state.state import State


def take(state: "State") -> dict[str, object]:
    """Everything that cannot be derived from the settings."""
    raise NotImplementedError


def put_back(state: "State", data: dict[str, object]) -> None:
    """Make a state what it was."""
    raise NotImplementedError
