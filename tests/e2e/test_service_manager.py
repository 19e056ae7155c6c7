"""What systemd hears of `haltline run` and `haltline guardian`."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no such protocol on Windows")

PROGRAM = (sys.executable, "-c", "from haltline.cli.main import main; main()")
SETUP = """version: 1
accounts: {eval: {broker: paper, balance: 50000}}
rules: [rules.yaml]
"""
RULES = """version: 1
rules:
  - {id: quiet, each: account, when: account.equity < 1, then: [notify]}
"""


@pytest.mark.parametrize("command", ["run", "guardian"])
def test_the_service_manager_hears_ready_then_alive_then_stopping(tmp_path: Path, command: str) -> None:
    (tmp_path / "haltline.yaml").write_text(SETUP)
    (tmp_path / "rules.yaml").write_text(RULES)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(40)
        with subprocess.Popen(
            [*PROGRAM, command, "--plain"],
            cwd=tmp_path,
            env=os.environ | {"NOTIFY_SOCKET": str(tmp_path / "notify")},
            stdout=subprocess.DEVNULL,
        ) as process:
            heard = [manager.recv(500).decode().partition("\n")[0]]
            while heard[-1] != "WATCHDOG=1":
                heard.append(manager.recv(500).decode().partition("\n")[0])
            process.send_signal(signal.SIGTERM)
            while heard[-1] != "STOPPING=1":
                heard.append(manager.recv(500).decode().partition("\n")[0])
            assert process.wait(30) == 0
    assert heard[0] == "READY=1"
    assert set(heard[1:-1]) == {"WATCHDOG=1"}
