"""Short pauses of the interpreter."""

import gc
import sys
from collections.abc import Iterator

import pytest

from haltline.runtime.pace import SWITCH_S, calm, settle


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    interval = sys.getswitchinterval()
    yield
    sys.setswitchinterval(interval)
    gc.unfreeze()


def test_what_was_loaded_is_never_collected_again() -> None:
    gc.unfreeze()
    calm()
    assert gc.get_freeze_count() > 1000
    assert sys.getswitchinterval() == pytest.approx(SWITCH_S)


def test_what_the_start_made_is_left_out_too() -> None:
    calm()
    before = gc.get_freeze_count()
    made = [[number] for number in range(1000)]
    settle()
    assert gc.get_freeze_count() >= before + len(made)
