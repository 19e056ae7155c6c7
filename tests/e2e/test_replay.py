"""`haltline replay`, on real data where it is there and on small files everywhere."""

import json

import pytest
from typer.testing import CliRunner

from haltline.cli.main import app
from haltline.cli.recording import guess_symbol, parse_holding

BARS = """\
time,open,high,low,close
2025-05-06T13:30:00Z,100,101,99,100
2025-05-06T13:31:00Z,100,100,80,82
2025-05-06T13:32:00Z,82,83,60,61
2025-05-06T13:33:00Z,61,62,60,61
"""
FILLS = """\
time,account,symbol,side,quantity,price,id
2025-05-06T13:30:10Z,replay,ACME,buy,10,100,1
"""


@pytest.fixture
def bars(tmp_path):
    path = tmp_path / "ACME_1m.csv"
    path.write_text(BARS)
    return str(path)


def run(*words: str):
    return CliRunner().invoke(app, ["replay", *words], prog_name="haltline")


def ran(*words: str):
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.long
def test_the_drawdown_rule_fires_on_the_real_crash(shared_data):
    file = shared_data / "bars" / "binance_um_LAYERUSDT_1m_2025-05.feather"
    found = ran(str(file), "--position", "LAYERUSDT:+1000", "--balance", "1000", "--leverage", "5")
    breach = next(moved for moved in found["incidents"] if moved["phase"] == "breached")
    assert breach["rule"] == "drawdown"
    assert breach["measured"] >= 0.25
    (receipt,) = found["receipts"]
    assert receipt["name"] == "flatten"
    assert receipt["remaining"]["positions"] == {}
    assert found["events"] > 200_000


def test_a_position_without_a_price_is_opened_at_the_first_one(bars):
    found = ran(bars, "-p", "ACME:+10", "--balance", "1000")
    assert found["equity"][0][1] == pytest.approx(1000, abs=10)
    assert found["end_equity"] < 900


def test_a_position_with_a_price_has_its_loss_from_the_start(bars):
    found = ran(bars, "-p", "ACME:+10@110", "--balance", "1000")
    assert next(equity for _, equity in found["equity"] if equity != 1000) == 900


def test_a_short_profits_from_the_fall(bars):
    found = ran(bars, "-p", "ACME:-10", "--balance", "1000")
    assert found["end_equity"] > 1300
    assert found["receipts"] == []


def test_fills_of_a_log_are_booked_so_that_they_can_be_closed(bars, tmp_path):
    fills = tmp_path / "fills.csv"
    fills.write_text(FILLS)
    found = ran(str(fills), bars, "--balance", "1000")
    assert [receipt["name"] for receipt in found["receipts"]] == ["flatten"]
    assert found["receipts"][0]["legs"][0]["status"] == "accepted"


def test_named_rules_are_used_instead(bars, tmp_path):
    rules = tmp_path / "r.yaml"
    rules.write_text(
        "version: 1\nrules:\n  - id: small\n    each: account\n"
        "    limit: {value: account.day.loss, at: 50}\n    then: [notify]\n"
    )
    found = ran(bars, "-p", "ACME:+10", "--balance", "1000", "--rules", str(rules))
    assert {moved["rule"] for moved in found["incidents"]} == {"small"}


def test_the_set_up_that_init_writes_can_be_replayed(bars, tmp_path):
    CliRunner().invoke(app, ["init", str(tmp_path)])
    found = ran(bars, "-p", "ACME:+100", "--config", str(tmp_path / "haltline.yaml"))
    assert "size" in {moved["rule"] for moved in found["incidents"]}
    assert found["receipts"][0]["name"] == "reduce_to"


def test_a_journal_can_be_kept_and_verified(bars, tmp_path):
    journal = str(tmp_path / "j.db")
    ran(bars, "-p", "ACME:+10", "--balance", "1000", "--journal", journal)
    verified = CliRunner().invoke(app, ["journal", "verify", "-f", journal])
    assert verified.stdout.startswith("intact")


def test_people_see_a_chart_the_incidents_and_the_sums(bars):
    out = run(bars, "-p", "ACME:+10", "--balance", "1000", "--plain").stdout
    for words in ("equity from", "drawdown", "breached", "worst fall", "rules fired"):
        assert words in out
    assert "\x1b[" not in out


def test_the_same_recording_gives_the_same_decisions(bars):
    first, second = (ran(bars, "-p", "ACME:+10", "--balance", "1000") for _ in range(2))
    assert first["incidents"] == second["incidents"]
    assert first["receipts"] == second["receipts"]


@pytest.mark.parametrize("text", ["", "ACME", "ACME:", "ACME:0", "ACME:+", "ACME:1@", ":5", "ACME:1e9", "ACME:nan"])
def test_a_position_that_cannot_be_read_is_a_usage_error(bars, text):
    result = run(bars, "--position", text)
    assert result.exit_code == 2
    assert "E905" in result.stderr


def test_a_position_that_the_margin_does_not_cover_is_refused(bars):
    result = run(bars, "-p", "ACME:+10", "--balance", "100", "--leverage", "5")
    assert result.exit_code == 1
    assert "margin 200.00 is needed and 100.00 is free" in result.stderr
    assert "[E905]" in result.stderr


@pytest.mark.parametrize(
    ("file", "symbol"),
    [
        ("binance_um_LAYERUSDT_1m_2025-05.feather", "LAYERUSDT"),
        ("cme_6EH4_1m_2024-01.csv.gz", "6EH4"),
        ("lean_ES_1m_quote.parquet", "ES"),
        ("prices.csv", ""),
    ],
)
def test_the_symbol_is_guessed_from_the_name(file, symbol):
    assert guess_symbol(file, []) == symbol


def test_the_symbol_of_a_position_wins():
    assert guess_symbol("xyz_bars_ABCDEF.csv", [parse_holding("xyz:+1")]) == "xyz"


def test_an_unusable_file_is_a_problem_with_its_name(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("hello\nworld\n")
    result = run(str(path))
    assert result.exit_code == 1
    assert "x.csv" in result.stderr
    assert "E999" not in result.stderr


def test_an_unknown_account_names_the_known_ones(bars, tmp_path):
    CliRunner().invoke(app, ["init", str(tmp_path)])
    result = run(bars, "--config", str(tmp_path / "haltline.yaml"), "--account", "nobody")
    assert result.exit_code == 1
    assert "accounts of the set-up: eval" in result.stderr
