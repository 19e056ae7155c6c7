"""What the checker accepts, refuses and says."""

from typing import Any

import pytest

from haltline.api.field import Change, Kind
from haltline.errors import CODES, Place


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "E300"),
        ("   ", "E300"),
        ("account.equity >", "E301"),
        ("account.equity > 80%", "E301"),
        ("account.equity > 80% and account.locked", "E301"),
        ("account.equity = 5", "E301"),
        ("account.locked && account.locked", "E301"),
        ("1;2", "E301"),
        ("account.equity > 5 " + " " * 5000, "E302"),
        ("(" * 50 + "1" + ")" * 50, "E303"),
        ("-" * 2000 + "1", "E303"),
        ("not " * 900 + "account.locked", "E303"),
        (" + ".join(["account.equity"] * 60), "E303"),
        ("1 if account.locked else " * 60 + "1", "E303"),
        ("lambda: 1", "E304"),
        ("f'{account.equity}'", "E304"),
        ("account.positions[0]", "E304"),
        ("account.id.upper()", "E304"),
        ("account.id.upper", "E305"),
        ("account.__class__", "E304"),
        ("__import__('os')", "E306"),
        ("_x", "E304"),
        ("(x := 3)", "E304"),
        ("[p for p in account.positions]", "E304"),
        ("{1: 2}", "E304"),
        ("(p.mark for p in account.positions)", "E304"),
        ("(1, 2)", "E304"),
        ("max(*account.positions)", "E304"),
        ("account.equity is 5", "E304"),
        ("account.open_positions & 1", "E304"),
        ("~account.open_positions", "E304"),
        ("None", "E304"),
        ("...", "E304"),
        ("b'x'", "E304"),
        ("1j", "E304"),
        ("sum(p.mark for p in account.positions for q in account.positions)", "E304"),
        ("sum(_p.mark for _p in account.positions)", "E304"),
        ("acount.equity", "E305"),
        ("account", "E305"),
        ("equity", "E305"),
        ("True.x", "E304"),
        ("sqroot(2)", "E306"),
        ("position.mark", "E307"),
        ("account.equity > account.open_positions", "E308"),
        ("account.equity + account.id", "E308"),
        ("account.equity == 'x'", "E308"),
        ("account.id > 'x'", "E308"),
        ("account.locked + 1", "E308"),
        ("clock.now + clock.now", "E308"),
        ("account.id in account.equity", "E308"),
        ("account.id in ()", "E308"),
        ("account.id in (account.id, 'x')", "E308"),
        ("account.locked in (True, False)", "E308"),
        ("1 if account.locked else 'x'", "E308"),
        ("max(account.equity, account.open_positions)", "E308"),
        ("coalesce(account.equity, 'x')", "E308"),
        ("-account.id", "E308"),
        ("not account.equity", "E309"),
        ("account.equity and account.locked", "E309"),
        ("1 if account.equity else 2", "E309"),
        ("any(p.mark for p in account.positions)", "E309"),
        ("any(p.side == 'lang' for p in account.positions)", "E310"),
        ("any(p.side in ('long', 'flat') for p in account.positions)", "E310"),
        ("atr('MNQ', mode='wild')", "E310"),
        ("clock.time > 'noon'", "E311"),
        ("clock.now > '2025-05-06'", "E311"),
        ("any(p.age > '90 seconds' for p in account.positions)", "E311"),
        ("change(account.equity, 'soon')", "E311"),
        ("change(account.equity, 300)", "E311"),
        ("abs()", "E312"),
        ("abs(1, 2)", "E312"),
        ("abs(x=1)", "E312"),
        ("atr()", "E312"),
        ("any((p.protected for p in account.positions), 1)", "E312"),
        ("atr(account.equity)", "E308"),
        ("atr(acount.id)", "E305"),
        ("known(acount.id)", "E305"),
        ("count(p.mark for p in account.positions)", "E309"),
        ("sum(p.mark for p in account.positions if p.mark)", "E309"),
        ("sum(p.side for p in account.positions)", "E308"),
        ("sum(position.mark for p in account.positions)", "E307"),
        ("sum(p.mark for p in nowhere.positions)", "E316"),
        ("sum(p.mark for p in account.positions + account.positions)", "E316"),
        ("change(account.id, '5m')", "E308"),
        ("change(acount.equity, '5m')", "E305"),
        ("sum(account.fills.nothing, '5m')", "E305"),
        ("sum(account.fills.pnl < 0, '5m')", "E308"),
        ("streak(account.fills.pnl)", "E309"),
        ("sum(account.fills.pnl - change(account.equity, '5m'), '5m')", "E317"),
        ("count(account.fills.pnl, '5m')", "E317"),
        ("count(account.fills.pnl + 1, '5m')", "E317"),
        ("account.equity in ('x', 1)", "E308"),
        ("account.equity + nope.a * nope.b", "E305"),
        ("atr('a', 1, 'wilder', '5m', 5)", "E312"),
        ("atr('a', symbol='b')", "E312"),
        ("atr('a', period=3)", "E312"),
        ("age(account.equity + 1)", "E312"),
        ("change(account.equity)", "E312"),
        ("sum(account.fills.pnl)", "E312"),
        ("streak(account.fills.pnl < 0, '5m')", "E312"),
        ("account.equity ** account.open_positions", "E313"),
        ("account.equity ** 11", "E313"),
        ("9 ** 9 ** 9", "E313"),
        ("1" * 31, "E314"),
        ("1e400", "E314"),
        ("1e19", "E314"),
        ("account.one", "E315"),
        ("account.positions", "E316"),
        ("account.positions.mark", "E316"),
        ("sum(p for p in account.positions)", "E316"),
        ("sum(p.mark for p in account.equity)", "E316"),
        ("any(account.locked)", "E316"),
        ("change(clock.now, '5m')", "E317"),
        ("change(5, '5m')", "E317"),
        ("change(max_over(account.equity, '5m'), '5m')", "E317"),
        ("sum(account.equity, '5m')", "E317"),
        ("count(account.positions, '5m')", "E317"),
        ("any(change(p.mark + account.equity, '5m') > 1 for p in account.positions)", "E317"),
        ("sum(sum(sum(q.mark for q in account.positions) for p in account.positions) for a in portfolio.accounts)",
         "E318"),
        ("account.equity / 0", "E319"),
        ("1 / 0", "E319"),
        ("sqrt(-1)", "E319"),
        ("1e17 ** 10 * 1e17 ** 10", "E319"),
        ("account.equity > 5\x00", "E320"),
        ("account.equity > 5\ud800", "E320"),
        ("аccount.equity > 5", "E320"),
        ("ａccount.equity > 5", "E320"),
        ("account.equity\u200b > 5", "E320"),
    ],
)  # fmt: skip
def test_a_mistake_has_its_code(world: Any, text: str, code: str) -> None:
    assert code in world.codes(text)


def test_every_code_is_in_the_table_with_a_cure() -> None:
    assert all(CODES[f"E{number}"].cure for number in range(300, 321))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("acount.equity", "did you mean 'account.equity'?"),
        ("account.equty", "did you mean 'account.equity'?"),
        ("sqrtt(2)", "did you mean 'sqrt'?"),
        ("account.equity > 80%", "write 0.8 for 80 %"),
        ("any(p.side == 'lng' for p in account.positions)", "did you mean 'long'?"),
        ("any(p.side == 'x' for p in account.positions)", "long, short"),
        ("atr('a', period=3)", "did you mean 'periods'?"),
        ("account.equity = 5", "write '=='"),
        ("account.locked || account.locked", "write 'or'"),
        ("!account.locked", "write 'not'"),
        ("account.equity > $500", "plain number"),
        ("position.mark > 5", "in account.positions"),
        ("None", "known(x)"),
        ("account.equity > 5m", "in quotes"),
    ],
)
def test_a_mistake_comes_with_its_cure(world: Any, text: str, part: str) -> None:
    assert part in world.problems(text)[0].cure


def test_all_mistakes_of_one_expression_are_reported_at_once(world: Any) -> None:
    text = "acount.equity > 5 and account.nothing < 3 and account.equity > account.open_positions and frob(1)"
    assert world.codes(text) == ["E305", "E305", "E308", "E306"]


def test_a_problem_points_at_its_sub_expression(world: Any) -> None:
    place = Place(file="rules.yaml", line=7, column=11)
    problem = world.problems("account.locked and  acount.equity > 5", place=place, where="rule 'x'")[0]
    assert str(problem.place) == "rules.yaml:7:31"
    assert problem.where == "rule 'x'"


def test_leading_space_does_not_move_the_place(world: Any) -> None:
    place = Place(file="rules.yaml", line=7, column=11)
    assert world.problems("   acount.equity", place=place)[0].place == Place(file="rules.yaml", line=7, column=14)


def test_columns_count_characters_not_bytes(world: Any) -> None:
    place = Place(file="rules.yaml", line=1, column=1)
    assert world.problems("account.id == 'é€' and nope.x", place=place)[0].place.column == 24


def test_an_expression_may_span_lines(world: Any) -> None:
    assert world.value("account.equity > 5\n  and account.open_positions == 2\n") is True


def test_a_mistake_in_a_text_of_several_lines_is_placed_at_its_start(world: Any) -> None:
    place = Place(file="rules.yaml", line=7, column=11)
    assert world.problems("account.equity > 5 and\n acount.equity > 1", place=place)[0].place == place


def test_a_mistake_in_a_definition_is_told_with_the_name_of_the_definition(world: Any) -> None:
    assert world.problems("account.bad > 1 or account.bad > 2")[0].where == "define 'account.bad'"
    assert len(world.problems("account.bad > 1 or account.bad > 2")) == 1


@pytest.mark.parametrize(
    ("text", "scope", "kind"),
    [
        ("account.equity - account.day.loss", "account", Kind.MONEY),
        ("account.day.loss / account.equity", "account", Kind.FRACTION),
        ("account.equity * 0.5", "account", Kind.MONEY),
        ("2 * account.equity", "account", Kind.MONEY),
        ("account.equity * account.risk_used", "account", Kind.MONEY),
        ("account.equity / account.open_positions", "account", Kind.MONEY),
        ("account.equity // account.day.loss", "account", Kind.NUMBER),
        ("account.equity % 7", "account", Kind.MONEY),
        ("account.equity ** 2", "account", Kind.NUMBER),
        ("account.equity ** 1", "account", Kind.MONEY),
        ("position.quantity * position.mark", "position", Kind.MONEY),
        ("position.quantity * instrument.tick_value", "position", Kind.MONEY),
        ("position.notional / position.quantity", "position", Kind.PRICE),
        ("position.notional / position.mark", "position", Kind.QUANTITY),
        ("position.mark * position.mark", "position", Kind.NUMBER),
        ("clock.now - position.opened_at", "position", Kind.DURATION),
        ("clock.now - position.age", "position", Kind.TIME),
        ("position.age + clock.now", "position", Kind.TIME),
        ("clock.time + 60", "position", Kind.TIME_OF_DAY),
        ("-position.age", "position", Kind.DURATION),
        ("max(account.equity, 0)", "account", Kind.MONEY),
        ("clamp(account.equity, 0, 5)", "account", Kind.MONEY),
        ("round(account.equity, 2)", "account", Kind.MONEY),
        ("sqrt(account.equity)", "account", Kind.NUMBER),
        ("age(account.equity)", "account", Kind.DURATION),
        ("known(account.equity)", "account", Kind.BOOL),
        ("atr(position.symbol)", "position", Kind.PRICE),
        ("sum(p.notional for p in account.positions)", "account", Kind.MONEY),
        ("count(p for p in account.positions)", "account", Kind.COUNT),
        ("any(p.protected for p in account.positions)", "account", Kind.BOOL),
        ("change(account.equity, '5m')", "account", Kind.MONEY),
        ("account.equity if account.locked else 0", "account", Kind.MONEY),
        ("coalesce(account.equity, 0)", "account", Kind.MONEY),
        ("position.side", "position", Kind.ENUM),
        ("'x'", "account", Kind.TEXT),
        ("1 + 1", "account", Kind.NUMBER),
    ],
)
def test_units_follow_the_algebra(world: Any, text: str, scope: str, kind: Kind) -> None:
    assert world.check(text, scope).kind is kind


@pytest.mark.parametrize(
    ("text", "wants", "code"),
    [
        ("account.equity", "bool", "E309"),
        ("account.locked", "numeric", "E308"),
        ("account.equity", Kind.FRACTION, "E309"),
        ("account.id", Kind.BOOL, "E309"),
        ("'soon'", Kind.DURATION, "E311"),
    ],
)
def test_the_wanted_kind_is_required(world: Any, text: str, wants: Any, code: str) -> None:
    assert world.codes(text, wants=wants) == [code]


def test_a_text_becomes_the_duration_that_is_wanted(world: Any) -> None:
    assert world.check("'1h30m'", wants=Kind.DURATION).constant == 5400.0


def test_template_inputs_are_constants_typed_by_value(world: Any) -> None:
    inputs = {"inputs.limit": 500.0, "inputs.name": "eval", "inputs.strict": True}
    checked = world.check("inputs.limit * 2", constants=inputs)
    assert (checked.is_constant, checked.constant, checked.kind) == (True, 1000.0, Kind.NUMBER)
    assert world.value("account.id == inputs.name and inputs.strict", constants=inputs) is True
    assert "did you mean 'inputs.limit'?" in world.problems("inputs.limt", constants=inputs)[0].cure


def test_constant_parts_are_folded(world: Any) -> None:
    assert world.check("2 * 3 > 5 and not False").constant is True
    assert world.check("account.equity > 1").constant is None


def test_reads_and_changes_are_collected_by_root(world: Any) -> None:
    checked = world.check("position.mark > 5 and account.equity > 1", "position")
    assert checked.reads == {"position.mark", "account.equity"}
    assert checked.changes == {"position": Change.QUOTE, "account": Change.QUOTE}


def test_a_collection_counts_under_its_root_with_what_its_items_change_by(world: Any) -> None:
    checked = world.check("any(not p.protected for p in account.positions)")
    assert checked.changes == {"account": Change.FILL | Change.ORDER}
    assert "position.protected" in checked.reads


def test_an_age_changes_with_time(world: Any) -> None:
    assert world.check("age(account.equity) > '1m'").changes["clock"] == Change.TIME


def test_a_function_adds_what_it_changes_by(world: Any) -> None:
    assert world.check("atr(position.symbol) > 1", "position").changes == {"position": Change.QUOTE}


def test_choices_of_an_enumeration_are_known(world: Any) -> None:
    assert world.check("position.side", "position").choices == ("long", "short")
    assert world.check("account.id").choices == ()


def test_expressions_of_equal_meaning_are_equal(world: Any) -> None:
    one = world.check("sum(p.mark for p in account.positions) > 2 * 3")
    other = world.check("( sum(q.mark for q in account.positions) ) > 6.0")
    assert one == other
    assert hash(one) == hash(other)
    assert one != world.check("sum(p.mark for p in account.positions) > 7")


def test_yaml_spelling_of_truths_is_understood(world: Any) -> None:
    assert world.value("account.locked == false") is True


def test_what_time_alone_changes_counts_under_the_clock_too(world: Any) -> None:
    checked = world.check("position.age > '5m'", "position")
    assert checked.changes == {"position": Change.TIME, "clock": Change.TIME}


def test_a_list_input_stands_behind_in(world: Any) -> None:
    inputs = {"inputs.names": ("eval", "live")}
    assert world.value('account.id in inputs.names or account.id == "x"', constants=inputs) in (True, False)
    assert world.value("account.id in inputs.names", constants={"inputs.names": ("nobody",)}) is False


def test_a_list_input_stands_nowhere_else(world: Any) -> None:
    (problem,) = world.problems("account.id == inputs.names", constants={"inputs.names": ("eval",)})
    assert (problem.code, problem.cure) == ("E308", "write x in inputs.names")
