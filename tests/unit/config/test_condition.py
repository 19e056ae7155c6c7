"""The comparisons that templates may make of their inputs."""

import pytest

from haltline.config.condition import holds
from haltline.model.rule import ConstantValue

INPUTS: dict[str, ConstantValue] = {
    "inputs.low": 1.0, "inputs.high": 5.0, "inputs.mode": "close", "inputs.on": True, "inputs.list": ("a", "b"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("inputs.low < inputs.high", True), ("inputs.low < inputs.high < 4", False), ("inputs.mode == 'close'", True),
        ("not inputs.on", False), ("inputs.on or inputs.low > 9", True), ("'a' in inputs.list", True),
        ("inputs.mode not in ('close', 'reduce')", False), ("inputs.low * 2 + 3 - 1 >= 8 / 2", True),
        ("inputs.on == true", True), ("-inputs.low == -1", True), ("inputs.on and false", False),
    ],
)  # fmt: skip
def test_comparisons_of_inputs_are_decided(text: str, value: bool) -> None:
    assert holds(text, INPUTS) is value


@pytest.mark.parametrize(
    "text",
    [
        "inputs.none > 1", "inputs.low", "().__class__", "inputs.low.real > 1", "open('x')", "9**9**9 > 1",
        "inputs.low <",
        "inputs.low > inputs.mode", "inputs.low / 0 > 1", "inputs.low is None", "(" * 5000, "[x for x in inputs.list]",
        "inputs.low + 1 if inputs.on else 2", "other > 1",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        holds(text, INPUTS)
