"""Every member stands on its own: what it imports, it declares."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MEMBERS = sorted(
    source for folder in ("plugins", "bots", "rules") for source in (ROOT / folder).glob("*/src/haltline_*")
)
OFFLINE_SIGNS = ("dns error", "failed to fetch", "error sending request", "network", "connection refused")
IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


@pytest.mark.long
@pytest.mark.parametrize("source", MEMBERS, ids=lambda source: source.name)
def test_a_member_declares_everything_that_it_imports(source: Path) -> None:
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not on PATH")
    name = source.name.replace("_", "-")
    command = [
        uv,
        "run",
        "--isolated",
        "--exact",
        "--no-dev",
        "--package",
        name,
        "python",
        "-c",
        IMPORT_ALL,
        source.name,
    ]
    env = {key: text for key, text in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=500)
    if done.returncode and any(sign in done.stderr.lower() for sign in OFFLINE_SIGNS):
        pytest.skip("offline: the package index cannot be reached")
    assert done.returncode == 0, done.stderr[-3000:]
