"""`haltline demo`: the story is the engine's own, not the script's."""

import asyncio
import json

import pytest
from typer.testing import CliRunner

from haltline.cli.demo.history import calibrate, read_days
from haltline.cli.demo.market import STRESSED_DAY, make_market
from haltline.cli.demo.stage import Moment, Stage
from haltline.cli.demo.story import Voice
from haltline.cli.main import app
from haltline.model.plan import TradingMode
from haltline.model.verdict import Verdict


def play(seed: int = 7) -> tuple[Stage, list[Moment]]:
    async def watch() -> tuple[Stage, list[Moment]]:
        stage = Stage(seed=seed)
        return stage, [moment async for moment in stage.play()]

    return asyncio.run(watch())


@pytest.fixture(scope="module")
def played() -> tuple[Stage, list[Moment]]:
    return play()


def lines(moments):
    return [moment.line for moment in moments if moment.line is not None]


def test_the_history_is_that_of_the_package(played):
    days = read_days("nasdaq")
    assert (days[0].date.year, days[-1].date.year) == (1999, 2018)
    assert len(days) > 5000


def test_the_session_begins_and_ends_at_the_real_prices_of_the_day():
    market = make_market(calibrate(STRESSED_DAY), seed=3)
    day = next(day for day in read_days("nasdaq") if day.date == STRESSED_DAY)
    assert market.prices[0][0] == pytest.approx(day.open, abs=0.25)
    assert market.prices[0][-1] == pytest.approx(day.close, abs=0.25)


def test_prices_are_labelled_as_generated(played):
    label = played[0].market.label
    assert "generated" in label
    assert "seed 7" in label
    assert "NASDAQ daily returns 1999-2018 (arch)" in label


def test_the_same_seed_tells_the_same_story(played):
    again = play()[1]
    assert [line.plain for line in lines(again)] == [line.plain for line in lines(played[1])]


def test_another_seed_tells_another_story(played):
    other = play(seed=11)[1]
    assert [line.plain for line in lines(other)] != [line.plain for line in lines(played[1])]


def test_a_warning_comes_before_the_breach(played):
    voices = [line.voice for line in lines(played[1])]
    assert voices.index(Voice.WARNING) < voices.index(Voice.BREACH)


def test_the_flatten_closes_at_the_broker(played):
    stage, moments = played
    breach = next(index for index, moment in enumerate(moments) if moment.line and moment.line.voice is Voice.BREACH)
    before = moments[breach].scene.status.accounts[0]
    assert before.positions
    assert before.working_orders
    texts = [line.text for line in lines(moments[breach:])]
    assert any(text.startswith("sold 6 MNQ") for text in texts)
    assert any(text.startswith("flatten done") and text.endswith("the broker confirms, flat") for text in texts)
    assert asyncio.run(stage._floor.counter.snapshot("eval")).positions == ()


def test_the_account_is_locked_and_stays_so(played):
    stage, _ = played
    account = stage.ending.status.accounts[0]
    assert account.mode is TradingMode.HALTED
    assert account.positions == ()
    assert account.working_orders == 0


def test_the_message_says_what_is_done(played):
    message = played[1][-1].scene.message
    assert "Stop for the day at $1,000" in message.text
    assert "locked" in message.text


def test_asking_for_a_new_entry_is_refused_by_the_engine(played):
    answer = next(line for line in lines(played[1]) if line.voice is Voice.ANSWER)
    assert answer.text.startswith("NO: eval is locked")


def test_what_is_bought_past_the_engine_is_closed_on_sight(played):
    texts = [line.text for line in lines(played[1])]
    bought = next(index for index, text in enumerate(texts) if text.startswith("bought 4 MNQ"))
    sold = next(index for index, text in enumerate(texts) if text.startswith("sold 4 MNQ"))
    assert bought < sold
    assert "MNQ was opened in spite of the lock: closes it on sight" in texts[bought:sold]


def test_the_ending_explains_and_proves(played):
    ending = played[0].ending
    assert ending.reasoning.verdict is Verdict.BREACH
    assert ending.reasoning.condition.children
    assert ending.journal.ok
    assert ending.journal.records > 1000


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_any_seed_ends_flat(seed):
    account = play(seed)[0].ending.status.accounts[0]
    assert account.positions == ()


def run(*words: str):
    result = CliRunner().invoke(app, ["demo", *words], prog_name="haltline")
    assert result.exit_code == 0, result.output
    return result.stdout


def test_plain_tells_the_story_in_timed_lines():
    out = run("--plain", "--fast")
    assert out.isprintable() is False
    assert "\x1b[" not in out
    for words in ("09:32:00  trader", "warning", "LIMIT REACHED", "receipt", "NO: eval is locked", "haltline init"):
        assert words in out


def test_json_is_lines_and_ends_with_why_and_the_journal():
    *story, ending = [json.loads(line) for line in run("--json").splitlines()]
    assert {line["voice"] for line in story} >= {"trader", "breach", "receipt", "phone", "answer"}
    assert ending["ok"] is True
    assert "generated" in ending["prices"]
    assert ending["why"]["verdict"] == "breach"
    assert ending["journal"]["broken_seq"] is None
