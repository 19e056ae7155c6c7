"""What the service manager hears."""

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from haltline.runtime.service_manager import ServiceManager

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no such protocol on Windows")


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[tuple[ServiceManager, socket.socket]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        yield ServiceManager.from_environ({"NOTIFY_SOCKET": str(tmp_path / "notify")}), listener


def test_ready_alive_and_stopping_are_one_datagram_each(manager) -> None:
    service, listener = manager
    assert service.ready("guarding eval")
    assert service.alive("well")
    assert service.status("not well")
    assert service.stopping()
    assert [listener.recv(500).decode() for _ in range(4)] == [
        "READY=1\nSTATUS=guarding eval",
        "WATCHDOG=1\nSTATUS=well",
        "STATUS=not well",
        "STOPPING=1\nSTATUS=stopping",
    ]


def test_a_line_break_in_the_status_does_not_become_another_field(manager) -> None:
    service, listener = manager
    service.status("one\nWATCHDOG=1")
    assert listener.recv(500).decode() == "STATUS=one WATCHDOG=1"


def test_ready_that_found_no_room_is_said_again_with_the_next_word(manager) -> None:
    """Said once into a socket that was full, and the service manager ended the engine for not starting."""
    service, listener = manager
    while service.status("nobody listens"):
        continue
    assert not service.ready("guarding eval")
    assert not service.alive("well")
    with contextlib.suppress(BlockingIOError):
        while listener.recv(500):
            continue
    assert service.alive("well")
    assert service.alive("well")
    assert [listener.recv(500).decode() for _ in range(2)] == [
        "READY=1\nWATCHDOG=1\nSTATUS=well",
        "WATCHDOG=1\nSTATUS=well",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")
def test_an_abstract_socket_is_reached() -> None:
    name = f"haltline-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name)
        assert ServiceManager.from_environ({"NOTIFY_SOCKET": f"@{name}"}).ready("x")
        assert listener.recv(500).startswith(b"READY=1")


@pytest.mark.parametrize("address", ["", "relative", "vsock:2:1234"])
def test_without_a_socket_of_ours_nothing_happens(address: str) -> None:
    assert not ServiceManager.from_environ({"NOTIFY_SOCKET": address}).ready("x")


def test_a_manager_that_is_gone_changes_nothing(tmp_path: Path) -> None:
    assert not ServiceManager.from_environ({"NOTIFY_SOCKET": str(tmp_path / "gone")}).alive("x")


def test_the_time_of_the_watchdog_is_read_where_it_is_meant_for_us() -> None:
    assert ServiceManager.from_environ({"WATCHDOG_USEC": "30000000"}).watchdog_ns == 30_000_000_000
    assert ServiceManager.from_environ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}).watchdog_ns is None
    assert ServiceManager.from_environ({"WATCHDOG_USEC": "often"}).watchdog_ns is None
    assert ServiceManager.from_environ({}).watchdog_ns is None
