"""Real worker and relay processes for tests."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORKER = (
    "-m", "celery", "-A", "riskapi.celery", "worker", "--concurrency", "2",
    "--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat",
)  # fmt: skip
DELIVER = ("-m", "django", "deliver", "--threads", "4")
RELAY = ("-m", "django", "relay", "--sweep-every", "0.5")


class Process:
    """A process of ours with its children, in a process group of its own."""

    def __init__(self, arguments: Sequence[str], log: Path, environment: dict[str, str]) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env={**os.environ, "DJANGO_SETTINGS_MODULE": "riskapi.settings", **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def children(self) -> list[int]:
        """Process ids of the forked children."""
        with contextlib.suppress(OSError):
            listed = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
            return [int(pid) for pid in listed.read_text().split()]
        return []

    def kill(self) -> None:
        """SIGKILL parent and children at once, as when memory runs out."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextlib.contextmanager
def running(arguments: Sequence[str], log: Path, **environment: str) -> Iterator[Process]:
    process = Process(arguments, log, environment)
    try:
        yield process
    finally:
        process.kill()
