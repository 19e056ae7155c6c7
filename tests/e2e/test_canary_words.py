"""One engine that really acts, with a canary in every secret: nothing that it says, keeps or hands out tells one.

The broker repeats its key in every refusal, the channels and platforms do not answer, the venues refuse the login.
"""

import asyncio
import json
import logging
import secrets
import sys
import zipfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parent))

from test_canaries import KINDS, told_by

from haltline import Haltline
from haltline.api import BrokerSetup
from haltline.api.registry import Owned
from haltline.builtins.paper.broker import PaperBroker
from haltline.builtins.paper.setting import SCHEMA
from haltline.cli.main import app
from haltline.clock import SystemClock
from haltline.config.secret import _KEY
from haltline.errors import OutcomeUnknown, Refused, Transient
from haltline.journal.receipt import Receipt
from haltline.journal.store import Journal
from haltline.model.event import Quote
from haltline.model.id import AccountId, Symbol
from haltline.model.order import OrderRequest, Side
from haltline.runtime.embed import load_parts
from haltline_sim_crypto.binance import BinanceSim
from haltline_sim_crypto.bybit import BybitSim
from haltline_sim_crypto.hyperliquid import HyperliquidSim
from haltline_sim_projectx.server import ProjectXSim

pytestmark = pytest.mark.long
EVAL, MNQ = AccountId("eval"), Symbol("MNQ")
SECRETS = {
    "KEY": "kanarie-key-of-the-broker", "SIGNS": "kanarie-signs-all-messages", "PATH": "kanarie-path-of-a-hook",
    "MAIL": "json://kanarieuser:kanariepass@127.0.0.1:9/kanarieplace", "TOTP_ANN": "KANARIEJBSWY3DPEHPK3PXPJBSWY3DPE",
    "TELEGRAM": "1234567:kanarie-telegram-deadbeef-deadbeef-dead", "DISCORD": "kanarie.discord.deadbeef-deadbeef",
}  # fmt: skip
SETUP = """version: 1
mode: live
plugins: [sim_paper, notify_apprise, bot_telegram, bot_discord]
accounts: {eval: {broker: venue, balance: 50000, calendar: 24/7}}
instruments: {MNQ: {tick_size: 0.25, tick_value: 0.5, asset_class: future, currency: USD}}
brokers: {venue: {kind: paper_remote, config: {port: 9, key: "${KEY}"}}}
channels:
  hook: {kind: webhook, config: {url: "http://127.0.0.1:9/${PATH}", secret: "${SIGNS}", private: true}}
  mail: {kind: apprise, config: {url: "${MAIL}"}}
  file: {kind: jsonl, config: {path: messages.jsonl}}
surfaces:
  phone: {kind: telegram, config: {token: "${TELEGRAM}", server: "http://127.0.0.1:9", chat: 7}}
  desk: {kind: discord, config: {token: "${DISCORD}", server: "http://127.0.0.1:9", channel: "5"}}
operators: {ann: {role: admin, identities: {local: nobody}, totp: "${TOTP_ANN}"}}
rules: [rules.yaml]
store: {path: haltline.db}
"""
RULES = """version: 1
rules:
  - id: daily-loss
    each: account
    limit: {value: account.day.loss, at: 500}
    then: [block_entries, flatten, notify]
    severity: critical
"""
WORDS = (
    "capsule make --last",
    "capsule make --last -o again --json",
    "capsule show CAPSULE",
    "capsule show CAPSULE --json",
    "capsule replay CAPSULE",
    "capsule to-test CAPSULE -o now.test.yaml",
    "diff rules.yaml edited.yaml --json",
    "diff rules.yaml edited.yaml --at haltline.db",
    "diff haltline.yaml other.yaml",
    "explain daily-loss",
    "explain E207",
    "explain E508 --json",
    "doctor --connect 1 --quotes 1",
    "doctor --connect 1 --quotes 1 --send --json",
    "check",
    "check --json",
    "plugins --json",
    "arming eval",
    "notify test --json",
    "status --json",
    "journal export",
    "journal verify --json",
    "nonsense",
    "run --nonsense",
)


def leaks(text: str, environ: Mapping[str, str] = SECRETS) -> list[str]:
    """Every place where a secret, or a part of one, is told."""
    lowered = text.lower()
    words = {"kanarie", *(value.lower() for value in environ.values())}
    return [text[max(0, lowered.find(word) - 80) : lowered.find(word) + 40] for word in words if word in lowered]


class Repeats(PaperBroker):
    """A broker that repeats its key in whatever it says, and refuses for a while."""

    def __init__(self, setup: BrokerSetup) -> None:
        key = str(setup.config["key"])
        self.failures = [
            Refused(f"the key {key} may not trade"), Transient(f"{key}: too many requests"),
            OutcomeUnknown(f"no answer to the order signed with {key}"), KeyError(key),
        ]  # fmt: skip
        self.is_armed = False

        def fails(verb: str, stage: str) -> None:
            if self.is_armed and verb == "submit" and stage == "before" and self.failures:
                raise self.failures.pop(0)

        super().__init__(replace(setup, config={}), faults=fails)

    def on_quote(self, quote: Quote) -> None:
        super().on_quote(quote)
        if quote.last == 20_945.0:
            raise ValueError(f"no rights on the stream of {self.failures}")


def parts_of(folder: Path, environ: Mapping[str, str]) -> tuple[Any, list[Repeats]]:
    (folder / "haltline.yaml").write_text(SETUP)
    (folder / "other.yaml").write_text(SETUP.replace("24/7", "CMES"))
    (folder / "rules.yaml").write_text(RULES)
    (folder / "edited.yaml").write_text(RULES.replace("500", "400"))
    parts = load_parts(folder / "haltline.yaml", environ=environ)
    made: list[Repeats] = []
    kind = parts.registry.brokers.get("paper_remote")
    assert kind is not None and SCHEMA

    def make(setup: BrokerSetup) -> Repeats:
        made.append(Repeats(setup))
        return made[-1]

    parts.registry.brokers._items["paper_remote"] = Owned(replace(kind, make=make, paired=False), "test")
    return parts, made


async def act(folder: Path) -> str:
    """Break the limit at a broker that refuses for a while; all that the engine says of it."""
    parts, made = parts_of(folder, SECRETS)
    clock = SystemClock()
    async with asyncio.timeout(120), Haltline.from_parts(parts, in_memory=False) as engine:
        receipts: list[Receipt] = []
        engine.watch_actions(lambda each: receipts.append(each.receipt) if each.receipt else None)

        def quote(price: float) -> None:
            now = clock.now()
            engine.put(Quote(at=now, received_at=now, symbol=MNQ, bid=price, ask=price + 0.25, last=price, mark=price))

        quote(21_000.0)
        await made[0].submit(OrderRequest(account=EVAL, symbol=MNQ, side=Side.BUY, quantity=Decimal(5), client_id="h"))
        made[0].is_armed = True
        for number in range(12):
            quote(20_995.0 - 5 * number)
            await asyncio.sleep(0)
        while made[0].failures or not any(each.status == "done" for each in receipts):
            quote(20_940.0)
            await asyncio.sleep(0.05)  # sleeps: the venue refuses four times, and is asked again later
        said = [*await told_by(engine), *map(str, receipts), repr(receipts), repr(engine), repr(engine.engine.health)]
        assert any("***" in each for each in said), "the broker's words are there, without the key"
        return "\n".join(said)


def files_of(folder: Path) -> str:
    """Everything that was written, but the set-up's own files."""
    found = []
    for file in folder.rglob("*"):
        if file.is_file() and file.suffix not in (".yaml", ".capsule"):
            found.append(file.read_bytes().decode("latin-1"))
        if file.is_file() and zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as capsule:
                found += [name + capsule.read(name).decode("latin-1") for name in capsule.namelist()]
    return "\n".join(found)


def test_no_canary_comes_out_of_an_engine_that_acts_nor_of_any_word_said_about_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    said = asyncio.run(act(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value) if name != "PATH" else None
    (tmp_path / "haltline.yaml").write_text(SETUP.replace("${PATH}", "hook"))  # PATH is what the shell goes by
    with Journal.read(tmp_path / "haltline.db") as journal:
        said += "".join(str(record) for record in journal.iterate())
    ended: dict[str, int] = {}
    for words in WORDS:
        capsule = next((str(file) for file in tmp_path.glob("*.capsule")), "none.capsule")
        line = [capsule if word == "CAPSULE" else word for word in words.split()]
        result = CliRunner().invoke(app, line, prog_name="haltline")
        ended[words] = result.exit_code
        said += f"{words}\n{result.stdout}{result.stderr}{result.exception!r}\n"
    assert {ended[words] for words in WORDS if words.startswith("capsule")} == {0}, ended
    captured = capfd.readouterr()
    assert leaks(said + files_of(tmp_path) + caplog.text + captured.out + captured.err) == []


def test_the_canaries_are_in_every_field_that_is_secret_by_its_name() -> None:
    named = {
        f"{section}.{kind}.{name}"
        for section, kind, schema in KINDS
        for name in schema.get("properties", {})
        if _KEY.search(name) or name == "url"
    }
    assert named >= {
        "brokers.bybit.api_key", "brokers.bybit.api_secret", "brokers.binance.api_secret", "brokers.ccxt.password",
        "brokers.hyperliquid.private_key", "brokers.projectx.key", "brokers.paper_remote.key",
        "channels.apprise.url", "channels.webhook.secret", "channels.webhook.url", "surfaces.telegram.token",
        "surfaces.discord.token",
    }  # fmt: skip


@asynccontextmanager
async def venue(kind: str) -> AsyncIterator[tuple[dict[str, object], dict[str, str]]]:
    """A venue that does not know the keys: the config, and the secrets in it."""
    quick = {"timeout_s": 2.0, "silence_s": 2.0}
    if kind == "projectx":
        async with ProjectXSim() as sim:
            urls = {"api_url": f"{sim.url}/api", "hub_url": f"{sim.url}/hubs", "accounts": {"eval": "PRACTICE77"}}
            yield {"user": "nobody", "key": "${PX}", **urls, **quick}, {"PX": "kanarie-projectx-key-0123456789"}
        return
    sims: dict[str, Any] = {"bybit": BybitSim, "binance": BinanceSim, "hyperliquid": HyperliquidSim}
    async with sims[kind](limits=False) as sim:
        host = {"host": f"127.0.0.1:{sim.port}", **quick}
        if kind == "hyperliquid":
            key = "0x" + secrets.token_hex(32)
            yield {"wallet": sim.credentials["walletAddress"], "private_key": "${HL}", **host}, {"HL": key}
        else:
            both = {"KEY_ID": "kanarie-api-key-0123", "KEY_SECRET": "kanarie-api-secret-4567"}
            yield {"api_key": "${KEY_ID}", "api_secret": "${KEY_SECRET}", **host}, both


@pytest.mark.parametrize("kind", ["bybit", "binance", "hyperliquid", "projectx"])
async def test_no_key_comes_out_where_a_venue_refuses_the_login(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    async with venue(kind) as (config, keys):
        setup = {
            "version": 1, "mode": "live", "plugins": ["broker_ccxt", "broker_projectx"], "rules": ["rules.yaml"],
            "accounts": {"eval": {"broker": "venue"}}, "brokers": {"venue": {"kind": kind, "config": config}},
            "operators": {"ann": {"role": "admin", "identities": {"local": "nobody"}}},
        }  # fmt: skip
        (tmp_path / "haltline.yaml").write_text(json.dumps(setup))
        (tmp_path / "rules.yaml").write_text(RULES)
        said = await tried(tmp_path, keys)
        monkeypatch.chdir(tmp_path)
        for name, value in keys.items():
            monkeypatch.setenv(name, value)
        for words in ("doctor --connect 3 --quotes 1", "doctor --connect 3 --quotes 1 --json", "status", "check"):
            ended = await asyncio.to_thread(CliRunner().invoke, app, words.split(), prog_name="haltline")
            said += f"{ended.stdout}{ended.stderr}{ended.exception!r}"
    captured = capfd.readouterr()
    ours = "\n".join(f"{each.name} {each.getMessage()} {each.exc_text}" for each in caplog.records)
    assert leaks(said + ours + captured.out + captured.err, keys) == []


async def tried(folder: Path, keys: Mapping[str, str]) -> str:
    """What an engine says whose broker does not let it in."""
    haltline = Haltline.from_parts(load_parts(folder / "haltline.yaml", environ=keys))

    async def start() -> None:
        async with haltline:
            await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(start())
        async with asyncio.timeout(60):
            while not _has_tried(haltline):  # noqa: ASYNC110 - nobody is told that a login was refused
                await asyncio.sleep(0.02)
        said = [*await told_by(haltline), repr(haltline.status())]
        task.cancel()
    return "\n".join(said)


def _has_tried(haltline: Haltline) -> bool:
    """Hyperliquid lets everybody look: its keys are asked for with an order."""
    if haltline._engine is None:
        return False
    return any(each.name == "broker venue" and each.status != "starting" for each in haltline.status().services)
