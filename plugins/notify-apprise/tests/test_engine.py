"""Both kinds in a whole set-up: read from files with references, tried by the command line, run by an engine."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from haltline import Haltline
from haltline.cli.main import app
from haltline.clock import NS_PER_S, ManualClock
from haltline.model.event import Quote
from haltline.model.id import Symbol
from haltline.runtime.embed import load_parts

SETUP = """version: 1
plugins: [notify_apprise]
store: {path: data/journal.db}
accounts: {eval: {broker: paper, balance: 50000}}
instruments: {MNQ: {tick_size: 0.25, tick_value: 0.50, asset_class: future, stale_after: 1h}}
channels:
  chat: {kind: apprise, config: {url: "${CHAT_URL}"}}
  ops: {kind: webhook, config: {url: "${OPS_URL}", secret: "${OPS_SECRET}", private: true}}
  log: {kind: jsonl, config: {path: out.jsonl}}
rules: [rules.yaml]
"""
RULES = """version: 1
rules:
  - id: price
    each: instrument
    when: instrument.mark > 100
    then: [notify]
    severity: critical
"""
TOKEN = "canarytokenabcdefghijklmnop"


@pytest.fixture
def folder(tmp_path: Path, http: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("CHAT_URL", f"mmost://127.0.0.1:{http.port}/{TOKEN}")
    monkeypatch.setenv("OPS_URL", f"http://127.0.0.1:{http.port}/ops/canary-path")
    monkeypatch.setenv("OPS_SECRET", "canary-secret-canary")
    (tmp_path / "haltline.yaml").write_text(SETUP)
    (tmp_path / "rules.yaml").write_text(RULES)
    return tmp_path


async def run(*words: str) -> tuple[int, str]:
    """A command, which has an event loop of its own and so a thread of its own."""
    ran = await asyncio.to_thread(CliRunner().invoke, app, list(words), prog_name="haltline")
    return ran.exit_code, ran.output


async def test_notify_test_delivers_through_both(folder: Path, http: Any) -> None:
    code, said = await run("notify", "test")
    assert code == 0, said
    assert [line.partition(" in ")[0] for line in said.splitlines()] == [
        "chat: delivered", "ops: delivered", "log: delivered",
    ]  # fmt: skip
    chat, ops = http.sent
    assert chat.path == f"/hooks/{TOKEN}"
    assert "INFO Haltline test message" in chat.json["text"]
    assert ops.json["title"] == "Haltline test message"


async def test_notify_test_says_what_is_wrong_without_the_secrets(folder: Path, http: Any) -> None:
    http.status = 403
    code, said = await run("notify", "test", "chat", "ops")
    assert code == 1
    assert "Mattermost answered 403 Forbidden; correct the address, token or rights of the channel" in said
    assert "the receiver answered 403 Forbidden" in said
    assert "canary" not in said


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("CHAT_URL", "slack://canary", "its url lacks something that slack:// needs"),
        ("CHAT_URL", "canary", "its url is no URL"),
        ("OPS_URL", "http://93.184.216.34/canary", "its url has a public address"),
        ("OPS_SECRET", "canary-short", "secret: found text that is too short; the limit is 16"),
    ],
)
async def test_a_wrong_url_or_secret_is_a_problem_with_a_cure(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    code, said = await run("notify", "test")
    assert code == 1
    assert words in " ".join(said.split())
    assert "canary" not in said
    assert "Traceback" not in said


def everything_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_an_engine_hands_on_what_is_refused_and_never_writes_down_a_secret(
    folder: Path, http: Any, caplog: pytest.LogCaptureFixture
) -> None:
    http.status = 404
    clock = ManualClock(1_746_500_000 * NS_PER_S)
    parts = load_parts(folder / "haltline.yaml", environ=dict(os.environ))
    said = repr(parts.setup)
    async with Haltline.from_parts(parts, clock=clock) as engine:
        now = clock.now()
        engine.put(Quote(at=now, received_at=now, symbol=Symbol("MNQ"), bid=200, ask=200.25, last=200, mark=200))
        await engine.until_idle()
        async with asyncio.timeout(10):
            while not engine.engine._outbox.is_idle:  # noqa: ASYNC110 - other channels' requests are on the wire
                await asyncio.sleep(0.01)
        said += repr(engine.status())
    told = [json.loads(line)["rule"] for line in (folder / "out.jsonl").read_text().splitlines()]
    assert "price" in told
    assert len(http.sent) > 2
    assert b"canary" not in everything_below(folder)
    assert "canary" not in said + caplog.text
