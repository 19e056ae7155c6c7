"""What an explanation tells."""

import math
from typing import Any

import msgspec
import pytest

from haltline.expr.explain import MAX_ITEMS, Explanation, explain


def _find(tree: Explanation, text: str) -> Explanation:
    queue = [tree]
    while queue:
        node = queue.pop(0)
        if node.text == text:
            return node
        queue.extend(node.children)
    raise AssertionError(f"{text!r} is not in the explanation")


def test_every_sub_expression_is_there_with_its_value(world: Any) -> None:
    tree = world.explain("account.day.loss / account.equity >= 0.1 and account.open_positions > 5")
    assert tree.value is False
    assert _find(tree, "account.day.loss / account.equity").value == 0.1
    assert _find(tree, "account.day.loss / account.equity >= 0.1").value is True
    assert _find(tree, "account.open_positions").value == 2.0


def test_a_field_tells_its_source_age_and_meaning(world: Any) -> None:
    field = _find(world.explain("account.equity > 5"), "account.equity")
    assert (field.source, field.age_s, field.meaning) == ("broker equity", 60.0, "the account.equity")


def test_an_unknown_field_tells_why_and_so_does_everything_above_it(world: Any) -> None:
    world.account.equity = math.nan
    tree = world.explain("account.equity + 1 > 5")
    assert tree.value is None
    assert tree.unknown == "equity is stale"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("5 / (account.open_positions - 2)", "division by zero"),
        ("(account.equity * 1e17) ** 10 * (account.equity * 1e17) ** 10", "not a finite number"),
        ("sqrt(0 - account.equity)", "sqrt is not defined"),
        ("atr('FAIL')", "atr failed: RuntimeError"),
        ("atr('NONE')", "atr has no answer"),
        ("max_over(account.equity, '5m')", "the history is not there"),
        ("age(account.day.loss)", "not known"),
    ],
)  # fmt: skip
def test_what_cannot_be_computed_tells_why(world: Any, text: str, reason: str) -> None:
    assert reason in world.explain(text).unknown


def test_an_object_that_is_not_there_is_named(world: Any) -> None:
    world.account.positions[0].instrument = None
    assert "instrument.bid cannot be read" in world.explain("instrument.bid > 5", "position").unknown


def test_a_collection_that_cannot_be_read_is_named(world: Any) -> None:
    world.account.positions = None
    tree = explain(world.check("count(account.positions) > 1"), world.account, world.bindings)
    assert "account.positions cannot be read" in tree.unknown


def test_an_empty_minimum_tells_that_there_are_no_items(world: Any) -> None:
    world.account.positions = []
    assert world.explain("min(p.notional for p in account.positions)").unknown == "no items"


def test_items_are_listed_by_key(world: Any) -> None:
    tree = world.explain("any(p.side == 'short' for p in account.positions)")
    assert [child.text for child in tree.children] == ["eval/MNQ", "eval/ES"]
    assert _find(tree.children[1], "p.side").value == "short"


def test_a_long_list_is_cut_but_counted_whole(world: Any) -> None:
    world.account.positions = world.account.positions * 20
    tree = world.explain("sum(p.notional for p in account.positions)")
    assert tree.value == 600.0
    assert len(tree.children) == MAX_ITEMS


def test_both_sides_of_and_are_shown_even_where_one_decides(world: Any) -> None:
    tree = world.explain("account.locked and account.equity > 5")
    assert [child.value for child in tree.children] == [False, True]


def test_an_explanation_renders_to_json(world: Any) -> None:
    world.account.equity = math.nan
    tree = world.explain("account.equity > 5 or account.id == 'x'")
    assert msgspec.json.decode(msgspec.json.encode(tree), type=Explanation) == tree


def test_an_entity_that_cannot_tell_provenance_is_explained_all_the_same(world: Any) -> None:
    assert _find(world.explain("position.mark > 5", "position"), "position.mark").age_s is None


def test_a_text_of_a_number_is_unknown_where_a_number_is_declared(world: Any) -> None:
    world.account.equity = "1000"
    assert world.explain("account.equity").value is None
    assert math.isnan(world.value("account.equity + 1"))
    assert world.value("account.equity > 1") is None
