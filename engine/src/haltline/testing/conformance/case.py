"""Numbered cases: what each is called, and what a broker or its world must have promised before it counts."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from haltline.api import Capability
from haltline.testing.conformance.bench import Bench
from haltline.testing.conformance.world import BrokerWorld, VenueFault

type Check = Callable[[Bench], Awaitable[None]]

SECOND_ACCOUNT = "a second account"
"""What a case needs where `BrokerWorld.other` must be there."""

_ID = re.compile(r"[A-Z]{3}-\d{3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerCase:
    """One case. `needs` are flags of the kind, `faults` what the world must be able to do; `is_served` starts `run`."""

    id: str
    title: str
    check: Check
    needs: frozenset[Capability] = frozenset()
    faults: frozenset[VenueFault] = frozenset()
    is_served: bool = True
    needs_other: bool = False

    def __str__(self) -> str:
        """Its id: that is how pytest names it."""
        return self.id

    def missing(self, world: BrokerWorld | type[BrokerWorld]) -> tuple[str, ...]:
        """What the world or its kind does not promise; empty where the case counts."""
        flags = [flag.value for flag in self.needs - world.kind.capabilities]
        faults = [f"fault {fault.value}" for fault in self.faults - world.faults]
        other = [SECOND_ACCOUNT] if self.needs_other and world.other is None else []
        return (*sorted(flags), *sorted(faults), *other)


CASES: dict[str, BrokerCase] = {}
"""Every case by id, once the modules that hold them are imported; use `haltline.testing.broker.broker_cases`."""


def case(
    identity: str, *needs: Capability | VenueFault, is_served: bool = True, needs_other: bool = False
) -> Callable[[Check], Check]:  # fmt: skip
    """Make a case of a function; its docstring is the title."""

    def register(check: Check) -> Check:
        assert _ID.fullmatch(identity), identity
        assert identity not in CASES, identity
        CASES[identity] = BrokerCase(
            id=identity, title=(check.__doc__ or "").strip(), check=check, is_served=is_served,
            needs=frozenset(need for need in needs if isinstance(need, Capability)),
            faults=frozenset(need for need in needs if isinstance(need, VenueFault)), needs_other=needs_other,
        )  # fmt: skip
        return check

    return register
