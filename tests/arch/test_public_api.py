"""The public names and their signatures. A change here must be meant: it changes `public_api.txt` in the same commit.

uv run python tests/arch/test_public_api.py      writes the file anew
"""

import enum
import importlib
import inspect
import re
import sys
from pathlib import Path

import pytest

SNAPSHOT = Path(__file__).with_name("public_api.txt")
MODULES = ("haltline.api", "haltline.testing")


def test_public_names_and_signatures_are_those_of_the_snapshot() -> None:
    assert described() == SNAPSHOT.read_text("utf-8"), "meant? then: uv run python tests/arch/test_public_api.py"


@pytest.mark.parametrize("name", MODULES)
def test_public_names_are_listed_in_order(name: str) -> None:
    names = getattr(importlib.import_module(name), "__all__", [])
    assert list(names) == sorted(names)


def test_the_package_itself_offers_the_engine() -> None:
    import haltline

    assert haltline.Haltline.__name__ == "Haltline"
    with pytest.raises(AttributeError):
        _ = haltline.Other


def described() -> str:
    """One line for each public name, and one indented line for each of its members."""
    lines: list[str] = []
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        lines.append(f"[{module_name}]")
        for name in getattr(module, "__all__", []):
            lines += described_name(name, getattr(module, name))
    lines.append("[haltline]")
    lines += described_name("Haltline", importlib.import_module("haltline").Haltline)
    return "\n".join(lines) + "\n"


def described_name(name: str, value: object) -> list[str]:
    if isinstance(value, type) and issubclass(value, enum.Enum):
        return [f"{name}: {', '.join(value.__members__)}"]
    if not isinstance(value, type):
        return [f"{name}{signature(value)}"]
    lines = [name if getattr(value, "_is_protocol", False) else f"{name}{signature(value)}"]
    for member, attribute in inspect.getmembers(value):
        own = member in vars(value) and not member.startswith("_")
        if own and isinstance(attribute, property):
            lines.append(f"    {member}")
        elif own and callable(attribute):
            lines.append(f"    {member}{signature(attribute)}")
    return lines


def signature(value: object) -> str:
    try:
        said = str(inspect.signature(value)).replace("pathlib._local.", "pathlib.")  # type: ignore[arg-type] # anything
        return re.sub(r" at 0x[0-9a-f]+", "", said)
    except (TypeError, ValueError):
        return ""


if __name__ == "__main__":
    SNAPSHOT.write_text(described(), encoding="utf-8")
    sys.stdout.write(f"wrote {SNAPSHOT.name}\n")
