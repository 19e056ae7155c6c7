"""Menus: questions first, names as platforms want them."""

from typing import Any

from haltline.api import Call, Command, Reply, Role
from haltline_bot_kit.menu import menu_of


async def nothing(call: Call) -> Reply:
    return Reply(title=call.operator)


def command(name: str, **more: Any) -> Command:
    return Command(name=name, meaning=f"does {name}", run=nothing, **more)


def test_questions_come_before_what_changes_something() -> None:
    entries = menu_of([command("flatten", mutates=True, role=Role.TRADER), command("status")])
    assert [(entry.name, entry.meaning) for entry in entries] == [
        ("status", "does status"), ("flatten", "does flatten (trader)"),
    ]  # fmt: skip


def test_names_that_a_platform_refuses_can_still_be_typed() -> None:
    assert [entry.name for entry in menu_of([command("close-all"), command("Ünknown"), command("x" * 33)])] == [
        "close_all"
    ]


def test_a_menu_is_no_longer_than_allowed() -> None:
    entries = menu_of([command(f"c{number}") for number in range(200)], most=3, letters=4)
    assert [entry.meaning for entry in entries] == ["doe…"] * 3
