"""Children that end are started again; ports that are taken are passed over."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator

import pytest

from riskapi.embedded.state import StateFolder
from riskapi.embedded.supervisor import HOST, Service, Supervisor, free_port


@pytest.fixture
def supervisor(state: StateFolder) -> Iterator[Supervisor]:
    running = Supervisor(state)
    yield running
    running.stop()


def sleeper(name: str = "sleeper") -> Service:
    return Service(name, [sys.executable, "-c", "import time; time.sleep(600)"])


def test_killed_service_is_started_again(supervisor: Supervisor) -> None:
    service = sleeper()
    supervisor._start(service)
    assert service.child is not None
    first = service.child.pid
    os.kill(first, signal.SIGKILL)
    said: list[str] = []
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and (service.child is None or service.child.pid == first):
        supervisor.check(said.append)
        time.sleep(0.05)
    assert service.child is not None
    assert service.child.pid != first
    assert service.child.poll() is None
    assert len(said) == 1
    assert "sleeper ended (exit code -9)" in said[0]


def test_service_that_keeps_failing_is_started_ever_later() -> None:
    service = sleeper()
    service.started_at = 100.0
    assert [service.schedule_restart(101.0) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]


def test_service_that_ran_well_is_started_again_soon() -> None:
    service = sleeper()
    service.started_at = 100.0
    service.schedule_restart(101.0)
    service.schedule_restart(102.0)
    assert service.schedule_restart(400.0) == 1


def test_stop_ends_every_service(supervisor: Supervisor) -> None:
    services = [sleeper("one"), sleeper("two")]
    for service in services:
        supervisor._start(service)
    supervisor.stop()
    assert all(service.child and service.child.poll() is not None for service in services)


def test_taken_port_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        assert free_port(port) > port
