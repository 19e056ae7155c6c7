"""Canary secrets in every field of every config that there is: none of them comes out anywhere.

The fields are those of the schemas that plugins registered, so that a new kind is tried the day it is registered.
"""

import asyncio
import contextlib
import json
import logging
import re
import sys
import traceback
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parent))

from chat_world import opened

from haltline import Haltline
from haltline.api import Caller
from haltline.cli.main import app
from haltline.journal.store import Journal
from haltline.notify.trial import trial_message, try_channel
from haltline.plugins.load import PluginRequest, load_plugins
from haltline.runtime.embed import load_parts

pytestmark = pytest.mark.long
TOTP = "CANARYJBSWY3DPEHPK3PXPJBSWY3DPEH"
PLUGINS = sorted({entry.name for entry in metadata.entry_points(group="haltline")} - {"builtins"})
REGISTRY = load_plugins([PluginRequest(name=name) for name in PLUGINS]).registry
KINDS = [
    *(("brokers", name, kind.schema) for name, kind, _ in REGISTRY.brokers.items()),
    *(("feeds", name, kind.schema) for name, kind, _ in REGISTRY.feeds.items()),
    *(("channels", name, kind.schema) for name, kind, _ in REGISTRY.notifiers.items()),
    *(("surfaces", name, kind.schema) for name, kind, _ in REGISTRY.surfaces.items()),
]
SORTS = {"brokers": ("plain", "url"), "feeds": ("plain",), "channels": ("plain", "url", "apprise"),
         "surfaces": ("plain", "token")}  # fmt: skip
CASES = [(section, kind, schema, sort) for section, kind, schema in KINDS for sort in SORTS[section]]
WORDS = ("check --json", "plugins --json", "arming", "notify test", "notify test --json", "status", "journal export")


PATTERNS = {
    "^0x[0-9a-fA-F]{40}$": "0x" + "ab" * 20, "^[0-9]{1,20}$": "5", "^https?://": "http://127.0.0.1:9",
    "^[a-z0-9]+$": "bybit",
}  # fmt: skip
"""What no secret can stand in, so that the rest of its config is tried too."""


class Secrets:
    """Hands out canaries, and knows them again in any text."""

    def __init__(self) -> None:
        self.environ = {"CANARY_TOTP": TOTP}

    def reference(self, sort: str) -> str:
        name = f"CANARY_{len(self.environ)}"
        number = f"{len(self.environ):04d}"
        self.environ[name] = {
            "plain": f"canary-{number}-deadbeef", "token": f"1234{number}:canary-{number}-deadbeef-deadbeef-deadbee",
            "url": f"http://canary{number}:canary{number}@127.0.0.1:9/canary{number}",
            "apprise": f"json://canary{number}:canary{number}@127.0.0.1:9/canary{number}",
        }[sort]  # fmt: skip
        return f"${{{name}}}"

    def found_in(self, text: str) -> list[str]:
        return re.findall(r"(?i).{0,60}canary-?\d{4}.{0,20}|.{0,60}CANARYJBSWY.{0,5}", text)


def filled(schema: Any, secrets: Secrets, sort: str) -> Any:
    """A config with a canary in every text of a schema."""
    if not isinstance(schema, Mapping):
        return secrets.reference(sort)
    for several in ("oneOf", "anyOf", "allOf"):
        if several in schema:
            return filled(schema[several][0], secrets, sort)
    if schema.get("pattern") in PATTERNS:
        return PATTERNS[schema["pattern"]]
    if "enum" in schema or "const" in schema:
        return schema.get("const", next(iter(schema.get("enum", [""]))))
    kind = schema.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        more = schema.get("additionalProperties")
        given = {name: filled(each, secrets, sort) for name, each in schema.get("properties", {}).items()}
        return given | ({"extra": filled(more, secrets, sort)} if isinstance(more, Mapping) else {})
    if kind == "array":
        return [filled(schema.get("items", {}), secrets, sort)]
    if kind == "string" and "host:port" in str(schema.get("description", "")):
        return "http://127.0.0.1:9" if "http" in schema["description"] else "127.0.0.1:9"
    plain = {"integer": schema.get("minimum", 1), "number": schema.get("minimum", 1), "boolean": True}
    return plain[kind] if kind in plain else secrets.reference(sort)


def write(folder: Path, section: str, kind: str, config: Any) -> Path:
    setup = {
        "version": 1, "mode": "live", "plugins": PLUGINS, "rules": ["rules.yaml"],
        "accounts": {"eval": {"broker": "paper" if section != "brokers" else "odd", "balance": 1000}},
        "operators": {"ann": {"role": "admin", "identities": {"local": "nobody"}, "totp": "${CANARY_TOTP}"}},
        section: {"odd": {"kind": kind, "config": config}},
    }  # fmt: skip
    (folder / "rules.yaml").write_text(
        "version: 1\nrules: [{id: loss, each: account, limit: {value: account.day.loss, at: 5}, then: [notify]}]\n"
    )
    path = folder / "haltline.yaml"
    path.write_text(json.dumps(setup))
    return path


async def lived(path: Path, environ: Mapping[str, str]) -> list[str]:
    """Start it, let it try for a moment, and give everything it says of itself, or why it does not start."""
    said: list[str] = []
    try:
        parts = load_parts(path, environ=environ)
        said += [repr(parts), str(parts.setup), str(parts.setup.channels), f"{parts.setup.operators}"]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2), Haltline.from_parts(parts) as engine:
                await asyncio.sleep(0.2)  # sleeps: brokers and bots try to connect meanwhile
                said += await told_by(engine)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it must not say a secret
        said += traceback.format_exception_only(error)
        said += [str(each) for each in getattr(error, "exceptions", ())]
    return said


async def told_by(engine: Haltline) -> list[str]:
    """What people can ask of an engine, and what it writes down."""
    me = Caller(platform="local", user="nobody")
    lines = ("status", "health", "help", "whoami", "incidents", "report", "room", "rules", "reload why not", "drill")
    said = [str(await engine.engine.control.say(me, line)) for line in lines]
    said += [repr(engine.status()), repr(engine.engine.parts)]
    said += [str(record) for record in engine.engine.store.iterate()]
    for name, channel in engine.engine._channels.items():
        tried = await try_channel(name, channel, trial_message(name, 1), engine.engine.clock)
        said.append(engine.engine.health.inert(str(tried)))
        said.append(repr(channel))
    return said


@pytest.mark.parametrize(
    ("section", "kind", "schema", "sort"), CASES, ids=[f"{section}-{kind}-{sort}" for section, kind, _, sort in CASES]
)
async def test_no_canary_of_a_config_comes_out(
    section: str, kind: str, schema: Any, sort: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    secrets = Secrets()
    path = write(tmp_path, section, kind, filled(schema, secrets, sort))
    said = "\n".join(await lived(path, secrets.environ))
    monkeypatch.chdir(tmp_path)
    for name, text in secrets.environ.items():
        monkeypatch.setenv(name, text)
    for words in WORDS:
        ended = await asyncio.to_thread(CliRunner().invoke, app, words.split(), prog_name="haltline")
        said += ended.stdout + ended.stderr + repr(ended.exception)
    captured = capfd.readouterr()
    assert secrets.found_in(said + caplog.text + captured.out + captured.err) == []


@pytest.mark.parametrize("wrong", ["kind", "field", "type", "missing", "twice"])
def test_no_canary_comes_out_of_a_set_up_that_is_wrong(
    wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = Secrets()
    monkeypatch.chdir(tmp_path)
    said = ""
    for section, kind, schema in KINDS:
        config = filled(schema, secrets, "plain")
        if wrong == "field":
            config = {**config, secrets.reference("plain"): 1, "unknown": secrets.reference("plain")}
        elif wrong == "type":
            config = {name: [secrets.reference("plain")] for name in config}
        elif wrong == "missing":
            config = {"other": secrets.reference("plain")}
        path = write(tmp_path, section, secrets.reference("plain") if wrong == "kind" else kind, config)
        if wrong == "twice":
            path.write_text(path.read_text().replace('"version": 1', '"version": "${CANARY_1}", "mode": "${CANARY_1}"'))
        for name, text in secrets.environ.items():
            monkeypatch.setenv(name, text)
        for words in (["check"], ["check", "--json"], ["run"], ["notify", "test"], ["status"]):
            if wrong == "missing" and words == ["run"]:
                continue
            ended = CliRunner().invoke(app, words, prog_name="haltline")
            said += ended.stdout + ended.stderr + repr(ended.exception)
    assert secrets.found_in(said) == []


@pytest.mark.parametrize("platform", ["telegram", "discord"])
@pytest.mark.parametrize("fault", ["none", "401", "400", "403", "409", "429", "500", "down", "malformed", "drop"])
async def test_a_bots_token_stays_where_it_is_whatever_the_platform_does(
    platform: str, fault: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with opened(platform, tmp_path) as world:
        token = world.chat.sim.token
        if fault.isdecimal():
            world.chat.sim.arm("status", "*", status=int(fault), count=6)
        elif fault == "down":
            await world.chat.sim.down()
        elif fault in ("malformed", "drop"):
            world.chat.sim.arm("garbage" if fault == "malformed" else "drop", "*", count=6)
        async with world.running(listens=fault == "none"):
            await asyncio.sleep(0.3)  # sleeps: the bot tries to log in meanwhile
            await world.breach()
            said = "\n".join([*await told_by(world.engine), repr(world.engine)])
            journal = tmp_path / "haltline.db"
        with Journal.read(journal) as read:
            said += "".join(str(record) for record in read.iterate())
    ours = "\n".join(record.getMessage() + str(record.exc_text) for record in caplog.records if not _is_sims(record))
    captured = capfd.readouterr()
    secret = token.partition(":")[2] or token
    text = said + ours + captured.out + captured.err
    assert [text[max(0, at.start() - 90) : at.end()] for at in re.finditer(re.escape(secret), text)] == []


def _is_sims(record: logging.LogRecord) -> bool:
    """What the simulator's own server logs of its requests."""
    return record.name in ("aiohttp.access", "aiohttp.server") or record.name.startswith("haltline_sim")
