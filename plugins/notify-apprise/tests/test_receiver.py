"""The receiver that the documentation shows believes what is ours, and nothing else."""

import re
from pathlib import Path
from types import ModuleType

import pytest

from haltline.api import Message
from haltline.clock import NS_PER_S
from haltline.model.rule import Severity
from haltline_notify_apprise.parcel import body_of, headers_of

PAGE = Path(__file__).parents[3] / "docs" / "notifications.md"
SECRET, NOW = "a-secret-of-enough-signs", 1_746_547_260
BODY = body_of(Message(id="m1", at=0, severity=Severity.CRITICAL, title="ä", text="b"))


@pytest.fixture
def receiver() -> ModuleType:
    """The module on the page."""
    found = re.search(r"```python\n# receiver\.py\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert found is not None
    module = ModuleType("receiver")
    exec(found[1], module.__dict__)
    return module


@pytest.fixture
def headers() -> dict[str, str]:
    return headers_of(
        Message(id="m1", at=0, severity=Severity.CRITICAL, title="", text=""), BODY, SECRET, NOW * NS_PER_S
    )


def test_what_is_ours_is_believed_within_the_window(receiver: ModuleType, headers: dict[str, str]) -> None:
    believed = [receiver.is_genuine(headers, BODY, SECRET, NOW + late) for late in (-301, -300, 0, 300, 301)]
    assert believed == [False, True, True, True, False]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Haltline-Timestamp", str(NOW + 1)), ("Haltline-Timestamp", ""), ("Haltline-Timestamp", "9" * 5000),
        ("Haltline-Timestamp", "-5"), ("Haltline-Timestamp", "٣"), ("Haltline-Signature", ""),
        ("Haltline-Signature", "sha256="), ("Haltline-Signature", "sha256=" + "0" * 64), ("Haltline-Signature", "ä"),
    ],
)  # fmt: skip
def test_what_was_changed_is_not_believed(receiver: ModuleType, headers: dict[str, str], name: str, text: str) -> None:
    assert not receiver.is_genuine({**headers, name: text}, BODY, SECRET, NOW)
    del headers[name]
    assert not receiver.is_genuine(headers, BODY, SECRET, NOW)


def test_another_body_or_secret_is_not_believed(receiver: ModuleType, headers: dict[str, str]) -> None:
    assert not receiver.is_genuine(headers, BODY + b" ", SECRET, NOW)
    assert not receiver.is_genuine(headers, BODY, SECRET + "x", NOW)


def test_what_is_sent_again_is_not_new(receiver: ModuleType) -> None:
    assert [receiver.is_new(BODY, NOW + late) for late in (0, 1, 86_000, 90_000)] == [True, False, False, True]
