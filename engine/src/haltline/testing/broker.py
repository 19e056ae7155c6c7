"""The conformance suite of brokers: what a plugin's tests run.

```python
@pytest.mark.parametrize("case", broker_cases(MyWorld), ids=str)
async def test_the_broker_keeps_its_promises(case: BrokerCase, tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        await check_broker(case, world)
```
"""

from collections.abc import Sequence
from pathlib import Path

from haltline.testing.conformance import ending, failure, order, push, reduce, stream, truth
from haltline.testing.conformance.case import CASES, BrokerCase
from haltline.testing.conformance.record import check_record, run_case
from haltline.testing.conformance.world import BrokerWorld, VenueFault

__all__ = [
    "BrokerCase",
    "BrokerWorld",
    "VenueFault",
    "all_broker_cases",
    "broker_cases",
    "check_broker",
    "check_broker_record",
]

_PARTS = (truth, push, order, reduce, failure, stream, ending)


def all_broker_cases() -> tuple[BrokerCase, ...]:
    """Every case, by id."""
    assert _PARTS
    return tuple(CASES[identity] for identity in sorted(CASES))


def broker_cases(world: BrokerWorld | type[BrokerWorld]) -> Sequence[BrokerCase]:
    """The cases that a world promises: by the flags of its kind, the faults it can arm, and a second account.

    A class will do, where `kind`, `faults` and `other` are attributes of it.
    """
    return [each for each in all_broker_cases() if not each.missing(world)]


async def check_broker(case: BrokerCase, world: BrokerWorld) -> None:
    """Run one case on a fresh world; raises AssertionError in words where the broker does not keep its promise."""
    await run_case(case, world)


def check_broker_record(file: Path, world: type[BrokerWorld]) -> None:
    """Raises AssertionError where the record for the docs is not of the present cases and flags."""
    check_record(file, world, all_broker_cases())
