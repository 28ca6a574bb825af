"""Nothing outlives the supervisor, not even when it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from riskapi.embedded.bootstrap import ROOT
from riskapi.embedded.state import StateFolder

#: A supervisor with both servers and a service that ignores every polite signal, like its child.
SUPERVISOR = """
import json, sys, time
from pathlib import Path
from riskapi.embedded.processes import Guard
from riskapi.embedded.servers import Servers
from riskapi.embedded.state import StateFolder, server_account

state = StateFolder(Path(sys.argv[1]), server_account())
guard = Guard()
servers = Servers(state, guard)
servers.start()
servers.wait()
stubborn = '''
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child:
    print(os.getpid(), child, file=open(sys.argv[1], "w"))
time.sleep(600)
'''
note = state.path / "stubborn"
guard.start([sys.executable, "-c", stubborn, str(note)], log=state.logs / "stubborn.log")
while not note.exists() or len(note.read_text().split()) < 2:
    time.sleep(0.02)
print(json.dumps({
    "servers": [servers.postgres.pid(), servers.valkey.pid()],
    "stubborn": [int(word) for word in note.read_text().split()],
    "reaper": guard._reaper.pid,
}), flush=True)
time.sleep(600)
"""

Family = dict[str, list[int]]


@pytest.fixture
def supervisor(state: StateFolder) -> Iterator[tuple[subprocess.Popen[str], Family, int]]:
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(state.path)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        facts = json.loads(process.stdout.readline())
        reaper = facts.pop("reaper")
        yield process, facts, reaper
    process.kill()
    process.wait()
    for pid in (*facts["servers"], *facts["stubborn"]):
        if runs(pid):
            os.kill(pid, signal.SIGKILL)


def runs(pid: int) -> bool:
    """Whether the process is there and is more than an entry waiting for its parent."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def gone_within(seconds: float, pids: list[int]) -> bool:
    deadline = time.monotonic() + seconds
    while any(runs(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def test_servers_services_and_grandchildren_end_after_kill_9(
    supervisor: tuple[subprocess.Popen[str], Family, int],
) -> None:
    process, family, reaper = supervisor
    everybody = [*family["servers"], *family["stubborn"]]
    assert all(runs(pid) for pid in everybody)
    process.kill()
    process.wait()
    assert gone_within(10, [*everybody, reaper])


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal exists on Linux only")
def test_servers_end_even_when_the_reaper_was_killed_first(
    supervisor: tuple[subprocess.Popen[str], Family, int],
) -> None:
    process, family, reaper = supervisor
    os.kill(reaper, signal.SIGKILL)
    process.kill()
    process.wait()
    assert gone_within(10, family["servers"])
