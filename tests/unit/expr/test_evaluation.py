"""What expressions mean: each value is asked of the compiled code and of the explaining evaluator."""

import math
from typing import Any

import pytest

NAN = math.nan


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("account.equity + 1", 1001.0),
        ("account.equity - 2 * 3", 994.0),
        ("account.equity / 8", 125.0),
        ("account.equity // 7", 142.0),
        ("account.equity % 7", 6.0),
        ("account.equity ** 2", 1e6),
        ("account.equity ** 0.5", math.sqrt(1000.0)),
        ("account.equity ** -1", 0.001),
        ("-account.equity", -1000.0),
        ("+account.equity", 1000.0),
        ("abs(0 - account.equity)", 1000.0),
        ("min(account.equity, 5)", 5.0),
        ("max(account.equity, 5, 2000)", 2000.0),
        ("round(account.equity / 3, 2)", 333.33),
        ("floor(account.equity / 3)", 333.0),
        ("ceil(account.equity / 3)", 334.0),
        ("clamp(account.equity, 0, 10)", 10.0),
        ("sign(account.equity)", 1.0),
        ("exp(account.open_positions - 2)", 1.0),
        ("log(account.open_positions - 1)", 0.0),
        ("account.equity if account.locked else 7", 7.0),
        ("account.risk_used", 0.1),
        ("account.long", 50.0),
        ("sum(p.notional for p in account.positions)", 30.0),
        ("sum(p.notional for p in account.positions if p.side == 'short')", -20.0),
        ("sum(p.notional for p in account.positions if p.quantity > 99)", 0.0),
        ("min(p.notional for p in account.positions)", -20.0),
        ("max(p.notional for p in account.positions)", 50.0),
        ("count(p for p in account.positions if p.side == 'long')", 1.0),
        ("count(p.side == 'long' for p in account.positions)", 1.0),
        ("count(account.positions)", 2.0),
        ("sum(p.instrument.bid for p in account.positions)", 20.0),
        ("sum(p.account.equity for p in account.positions)", 2000.0),
        ("sum(sum(p.notional for p in a.positions) for a in portfolio.accounts)", 30.0),
        ("max(a.risk_used for a in portfolio.accounts)", 0.1),
        ("sum(a.long for a in portfolio.accounts)", 50.0),
        ("age(account.equity)", 60.0),
        ("coalesce(account.equity, 5)", 1000.0),
    ],
)  # fmt: skip
def test_numbers(world: Any, text: str, value: float) -> None:
    assert world.value(text) == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    [
        "account.equity / (account.open_positions - 2)",
        "account.equity % (account.open_positions - 2)",
        "account.equity // (account.open_positions - 2)",
        "(account.open_positions - 2) ** -1",
        "(0 - account.equity) ** 0.5",
        "(account.equity * 1e17) ** 10 * (account.equity * 1e17) ** 10",
        "5 / ((account.equity * 1e17) ** 10 * (account.equity * 1e17) ** 10)",
        "min(5, (account.equity * 1e17) ** 10 * (account.equity * 1e17) ** 10)",
        "sqrt(0 - account.equity)",
        "log(0 * account.equity)",
        "exp(account.equity * 1000)",
        "min(p.notional for p in account.positions if p.quantity > 99)",
        "age(account.day.loss)",
        "max_over(account.equity, '5m')",
    ],
)
def test_what_has_no_finite_value_is_unknown(world: Any, text: str) -> None:
    assert math.isnan(world.value(text))


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("account.equity > 999 and account.equity < 1001", True),
        ("999 < account.equity <= 1000 < 1001", True),
        ("account.equity in (1, 1000)", True),
        ("account.equity not in [1, 1000]", False),
        ("account.id in {'eval', 'x'}", True),
        ("account.id not in ('x',)", True),
        ("'va' in account.id", True),
        ("'zz' not in account.id", True),
        ("account.id == 'eval'", True),
        ("account.id != 'eval'", False),
        ("account.locked == False", True),
        ("account.locked != (account.equity > 1)", True),
        ("not account.locked", True),
        ("account.locked or account.equity == 1000", True),
        ("account.locked if account.equity > 5 else True", False),
        ("any(p.side == 'short' for p in account.positions)", True),
        ("all(p.side == 'short' for p in account.positions)", False),
        ("all(p.notional > 0 for p in account.positions if p.side == 'long')", True),
        ("any(p.notional > 0 for p in account.positions if p.side == 'short')", False),
        ("clock.time >= '15:30'", True),
        ("'15:31' <= clock.time", False),
        ("clock.now < '2025-05-06T09:30:00-04:00'", True),
        ("any(p.age >= '1m40s' for p in account.positions)", True),
        ("all(p.opened_at == '2025-05-06T09:30:00-04:00' for p in account.positions)", True),
        ("known(account.equity) and known(account.id) and known(account.locked)", True),
    ],
)
def test_truths(world: Any, text: str, answer: bool) -> None:
    assert world.value(text) is answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("account.equity > 5", None),
        ("account.equity != account.equity", None),
        ("account.equity in (1, 2)", None),
        ("not account.equity > 5", None),
        ("account.equity > 5 or account.open_positions == 2", True),
        ("account.equity > 5 or account.open_positions == 3", None),
        ("account.equity > 5 and account.open_positions == 3", False),
        ("account.equity > 5 and account.open_positions == 2", None),
        ("account.locked", None),
        ("account.locked == account.locked", None),
        ("account.locked and account.open_positions == 3", False),
        ("account.id == 'eval'", None),
        ("account.id != 'eval'", None),
        ("account.id in ('eval',)", None),
        ("'e' in account.id", None),
        ("(True if account.locked else True)", None),
        ("(1 if account.locked else 1) == 1", None),
        ("known(account.equity)", False),
        ("known(account.locked)", False),
        ("known(account.id)", False),
        ("known(account.equity > 5)", False),
        ("known(account.equity > 5 or account.open_positions == 2)", True),
        ("coalesce(account.equity, 7) == 7", True),
        ("coalesce(account.id, 'none') == 'none'", True),
        ("coalesce(account.locked, True)", True),
        ("coalesce(account.equity > 5, account.open_positions == 2)", True),
        ("min(account.equity, 1) == 1", None),
        ("abs(account.equity) > 5", None),
        ("atr(account.id) > 1", None),
        ("all(p.notional + account.equity > 1 for p in account.positions)", None),
    ],
)
def test_unknown_is_never_zero_false_or_equal(world: Any, text: str, answer: bool | None) -> None:
    world.account.equity, world.account.locked, world.account.id = NAN, None, None
    assert world.value(text) is answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("any(p.protected for p in account.positions)", True),
        ("all(p.protected for p in account.positions)", None),
        ("any(not p.protected for p in account.positions)", None),
        ("all(p.protected or p.side == 'short' for p in account.positions)", True),
        ("any(p.side == 'long' for p in account.positions if not p.protected)", False),
        ("all(p.side == 'long' for p in account.positions if p.protected)", None),
        ("count(p for p in account.positions if p.protected) >= 0", None),
        ("sum(p.notional for p in account.positions if p.protected) > 0", None),
        ("min(p.notional for p in account.positions if p.protected) > 0", None),
        ("count(p for p in account.positions) == 2", True),
    ],
)
def test_an_unknown_item_is_weighed_by_kleene(world: Any, text: str, answer: bool | None) -> None:
    world.account.positions[1].protected = None
    assert world.value(text) is answer


@pytest.mark.parametrize("fold", ["sum", "min", "max"])
def test_an_unknown_item_makes_the_aggregate_unknown(world: Any, fold: str) -> None:
    world.account.positions[0].notional = NAN
    assert math.isnan(world.value(f"{fold}(p.notional for p in account.positions)"))


def test_aggregates_over_nothing(world: Any) -> None:
    world.account.positions = []
    assert world.value("sum(p.notional for p in account.positions)") == 0.0
    assert world.value("count(account.positions)") == 0.0
    assert math.isnan(world.value("max(p.notional for p in account.positions)"))
    assert world.value("any(p.protected for p in account.positions)") is False
    assert world.value("all(p.protected for p in account.positions)") is True


def test_a_missing_object_is_unknown_not_an_error(world: Any) -> None:
    world.account.positions[0].instrument = None
    assert math.isnan(world.value("instrument.bid", "position"))
    assert world.value("instrument.bid > 5 or position.quantity == 2", "position") is True
    assert world.value("known(instrument.bid)", "position") is False
    assert world.value("coalesce(instrument.bid, 3)", "position") == 3.0


@pytest.mark.parametrize(
    ("symbol", "value"), [("MNQ", 14.0), ("FAIL", NAN), ("NONE", NAN), ("INF", NAN), (None, NAN)]
)  # fmt: skip
def test_a_function_that_fails_or_has_no_finite_answer_is_unknown(world: Any, symbol: str, value: float) -> None:
    world.account.positions[0].symbol = symbol
    assert world.value("atr(position.symbol)", "position") == pytest.approx(value, nan_ok=True)


def test_arguments_by_name_position_and_default(world: Any) -> None:
    assert world.value("atr('x', 3)") == 3.0
    assert world.value("atr('x', mode='simple')") == 1014.0
    assert world.value("atr(periods=2, symbol='x', over='1m')") == 62.0


@pytest.mark.parametrize("centre", [1000.0, -1000.0, 1.0, 0.0, 123456.789, 1e15, -0.37])
@pytest.mark.parametrize("relation", ["<", "<=", ">", ">=", "==", "!="])
def test_both_evaluators_agree_at_every_edge_of_equality(world: Any, centre: float, relation: str) -> None:
    width = max(abs(centre) * 1e-9, 1e-9)
    for edge in (centre - width, centre, centre + width):
        for toward in (-math.inf, edge, math.inf):
            world.account.equity = math.nextafter(edge, toward)
            world.value(f"account.equity {relation} {centre!r}")
            world.value(f"{centre!r} {relation} account.equity")


def test_a_loss_made_of_cents_reaches_its_limit(world: Any) -> None:
    world.account.day.loss = 0.0
    for _ in range(10_000):
        world.account.day.loss += 0.1
    assert world.account.day.loss != 1000.0
    assert world.value("account.day.loss >= 1000") is True
    assert world.value("account.day.loss > 1000") is False
    assert world.value("account.day.loss == 1000") is True
    assert world.value("account.day.loss < 1000") is False


def test_two_fields_are_compared_with_the_same_tolerance(world: Any) -> None:
    world.account.day.loss = world.account.equity * (1 + 1e-10)
    for text, answer in {"==": True, "!=": False, ">": False, ">=": True, "<": False, "<=": True}.items():
        assert world.value(f"account.day.loss {text} account.equity") is answer


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("regime('MNQ')", "calm"),
        ("regime('ES')", None),
        ("regime('NUL')", None),
        ("regime('gone')", None),
        ("regime(account.id)", None),
        ("halted('MNQ', True)", True),
        ("halted('MNQ', account.locked)", False),
        ("halted('ES', True)", None),
        ("halted('MNQ', known(account.equity))", True),
        ("regime('MNQ') == 'calm' and halted('MNQ', True)", True),
        ("regime('ES') != 'calm'", None),
        ("regime('MNQ') if halted('MNQ', True) else 'x'", "calm"),
        ("coalesce(regime('ES'), account.id)", "eval"),
        ("account.id == regime('MNQ')", False),
        ("regime('MNQ') != regime('ES')", None),
        ("(regime('MNQ') if account.locked else account.id) in ('eval', 'x')", True),
        ("coalesce(halted('ES', True), account.locked) == False", True),
    ],
)
def test_texts_and_truths_from_functions(world: Any, text: str, value: object) -> None:
    assert world.value(text) == value
