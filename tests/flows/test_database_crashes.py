"""The database crashes under requests that wait: every run that somebody was told of is there."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from analytics.services.runs import MAX_WAITING
from tests.flows.service import Api, Service
from tests.sizes import sized

pytestmark = pytest.mark.slow

CRASHES = sized(2, 20)
#: Those beyond the places to wait are answered at once, with a 202.
TOGETHER = MAX_WAITING + 8


@pytest.fixture
def careful(service: Service, sample: dict[str, Any]) -> Iterator[Service]:
    """The installation with commits that wait for the disk, as those of users do, and no worker:
    nothing but the answer itself brings a run to the disk."""
    service.postgres.execute("ALTER ROLE app SET synchronous_commit = 'on'")
    # So that the server does not come upon the log by itself, between an answer and a crash.
    service.postgres.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
    service.postgres.execute("SELECT pg_reload_conf()")
    for name in ("web", "worker"):
        service.kill(name)
    service.launch("web")
    service.wait_until(lambda: Api(service.base_url, None).get("/healthz").status == 200)
    yield service
    service.mend()
    service.postgres.execute("ALTER ROLE app RESET synchronous_commit")
    service.postgres.execute("ALTER SYSTEM RESET wal_writer_delay")
    service.postgres.execute("SELECT pg_reload_conf()")
    service.kill("web")
    service.mend()


def test_what_was_answered_survives_a_crash_of_the_database(
    careful: Service, api: Api, sample: dict[str, Any]
) -> None:
    told: list[str] = []
    for crash in range(CRASHES):
        answered = threading.Event()

        def ask(window: int, answered: threading.Event = answered) -> str | None:
            body = sample["analyses"]["semiconductor-beta"] | {
                "units": {"main": {"window": window}}
            }
            with contextlib.suppress(OSError, http.client.HTTPException):
                answer = api.post("/v1/analyses/semiconductor-beta", body, Prefer="wait=3")
                if answer.status == 202:
                    answered.set()
                    return str(answer.json["id"])
            return None

        first = 700 + crash * TOGETHER
        with ThreadPoolExecutor(TOGETHER) as pool:
            asked = pool.map(ask, range(first, first + TOGETHER))
            assert answered.wait(30)
            crash_of(careful)
            told += filter(None, asked)
        careful.postgres.start()
        careful.postgres.wait()
        careful.wait_until(lambda: api.get("/v1/me").status == 200)
        assert {run: api.get(f"/v1/runs/{run}").status for run in told} == dict.fromkeys(told, 200)
    assert len(told) >= CRASHES
    careful.launch("worker")
    for run in told:
        careful.wait_until(lambda run=run: api.get(f"/v1/runs/{run}").json["status"] == "succeeded")  # type: ignore[misc]  # mypy takes no defaults


def crash_of(service: Service) -> None:
    """End all of PostgreSQL's processes at once: what it holds in memory is lost."""
    postmaster = service.postgres.pid()
    assert postmaster is not None
    os.kill(postmaster, signal.SIGSTOP)  # makes no more of them
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="],  # its place differs between systems
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    for line in listed.stdout.splitlines():
        pid, parent = map(int, line.split())
        if parent == postmaster:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    os.kill(postmaster, signal.SIGKILL)
    service.postgres.stop()
