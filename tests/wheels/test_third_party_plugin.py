"""A plugin as a stranger would ship it: built as a wheel, installed in a clean environment, discovered, used."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/third-party-plugin"
MEMBERS = (ROOT / "schemas", ROOT / "rules/starter", ROOT / "engine", EXAMPLE)
OFFLINE_SIGNS = ("dns error", "failed to fetch", "error sending request", "network", "connection refused")


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=500)


def require(done: subprocess.CompletedProcess[str]) -> str:
    """Its output; skips where the failure is that this machine is offline."""
    if done.returncode and any(sign in done.stderr.lower() for sign in OFFLINE_SIGNS):
        pytest.skip("offline: the package index cannot be reached")
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def uv() -> str:
    found = shutil.which("uv")
    if found is None:
        pytest.skip("uv is not on PATH")
    return found


@pytest.fixture(scope="module")
def clean_python(uv: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment that holds nothing but the four wheels and what they declare to need."""
    folder = tmp_path_factory.mktemp("clean")
    wheels = folder / "wheels"
    for member in MEMBERS:
        require(run(uv, "build", "--python", sys.executable, "--wheel", "--out-dir", wheels, member, cwd=folder))
    require(run(uv, "venv", "--python", sys.executable, folder / "venv", cwd=folder))
    python = folder / "venv/bin/python"
    require(run(uv, "pip", "install", "--python", python, *sorted(wheels.glob("*.whl")), cwd=folder))
    return python


def clean_env() -> dict[str, str]:
    return {key: text for key, text in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}


@pytest.mark.long
def test_the_examples_own_tests_pass() -> None:
    env = clean_env() | {"PYTHONPATH": str(EXAMPLE / "src")}
    done = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", EXAMPLE / "tests", cwd=ROOT, env=env)
    assert done.returncode == 0, done.stdout + done.stderr


def readme_blocks() -> dict[str, str]:
    """The YAML files that the example's README shows, by name."""
    blocks = re.findall(r"```yaml\n# (\S+)\n(.*?)```", (EXAMPLE / "README.md").read_text(), re.DOTALL)
    return dict(blocks)


@pytest.mark.long
def test_an_installed_plugin_is_discovered_and_its_rules_load(clean_python: Path, tmp_path: Path) -> None:
    for name, text in readme_blocks().items():
        (tmp_path / name).write_text(text)
    haltline = clean_python.parent / "haltline"
    shown = json.loads(require(run(haltline, "plugins", "--json", cwd=tmp_path, env=clean_env())))
    acme = next(plugin for plugin in shown["plugins"] if plugin["name"] == "acme")
    assert (acme["status"], acme["distribution"], acme["version"]) == ("ok", "acme-haltline", "1.0.0")
    assert acme["provides"] == ["action derisk", "function fx_rate", "channel kind outbox", "observer acme_tally"]
    assert next(plugin for plugin in shown["plugins"] if plugin["name"] == "starter")["status"] == "ok"
    checked = run(haltline, "check", cwd=tmp_path, env=clean_env())
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.long
def test_a_plugin_that_is_not_named_is_not_enabled(clean_python: Path, tmp_path: Path) -> None:
    for name, text in readme_blocks().items():
        (tmp_path / name).write_text(text.replace("plugins: [acme]\n", ""))
    haltline = clean_python.parent / "haltline"
    shown = json.loads(require(run(haltline, "plugins", "--json", cwd=tmp_path, env=clean_env())))
    assert next(plugin for plugin in shown["plugins"] if plugin["name"] == "acme")["status"] == "not enabled"
    checked = run(haltline, "check", cwd=tmp_path, env=clean_env())
    assert checked.returncode == 1
    assert "fx_rate" in checked.stdout + checked.stderr
