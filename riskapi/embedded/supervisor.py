"""Run the whole service as children of this process: `manage.py up`."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from riskapi.embedded.bootstrap import ROOT
from riskapi.embedded.processes import Guard
from riskapi.embedded.servers import Servers, export
from riskapi.embedded.state import EmbeddedError, StateFolder, server_account

HOST = "127.0.0.1"
#: The user's proxy is not for addresses of this machine.
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_PORTS_TRIED = 50
_READY_SECONDS = 90.0
_LONGEST_PAUSE = 30.0
#: A child that lived this long has started well; the next pause begins small again.
_STEADY_SECONDS = 60.0

#: Of what holds files and many threads: few heaps, and none that Arrow keeps to itself, so that
#: what a large file took serves the next request, or goes back to the system.
MEMORY = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "2"}
#: The web server takes bodies of megabytes and computes nothing: what is as large has pages of its
#: own, which go when it does. Arrays of a worker would be slower for it.
WEB_MEMORY = {
    **MEMORY,
    "MALLOC_MMAP_THRESHOLD_": "1048576",
    "MALLOC_TRIM_THRESHOLD_": "1048576",
}

Say = Callable[[str], None]


@dataclass
class Service:
    """One child process that is started again whenever it ends."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    child: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    pause: float = 0.0
    due_at: float = 0.0

    def ended(self) -> bool:
        """Whether it was started and is no more."""
        return self.child is not None and self.child.poll() is not None

    def schedule_restart(self, now: float) -> float:
        """Set the time of the next start, later each time it fails soon; returns the pause."""
        steady = now - self.started_at > _STEADY_SECONDS
        self.pause = 1.0 if steady or not self.pause else min(self.pause * 2, _LONGEST_PAUSE)
        self.due_at = now + self.pause
        return self.pause


class Supervisor:
    """Holds the installation's lock, its servers and its services."""

    def __init__(self, state: StateFolder) -> None:
        self.state = state
        self.guard = Guard()
        self.servers = Servers(state, self.guard)
        self.services: list[Service] = []
        self.port = 0
        self.started_at = time.monotonic()
        #: Seconds the services get to end by themselves; what they had claimed goes on next time.
        self.patience = 8.0

    @property
    def base_url(self) -> str:
        """Where the web server answers."""
        return f"http://{HOST}:{self.port}"

    def start_web(self, port: int) -> None:
        """Start the web server; it loads while the caller does something else."""
        self.port = port
        web = [
            sys.executable,
            "-m",
            "granian",
            "--interface",
            "wsgi",
            "--http",
            "1",
            "--host",
            HOST,
        ]
        # Sixteen may wait for runs, sixteen send slowly, and others are still answered.
        web += ["--port", str(port), "--workers", "1", "--blocking-threads", "40"]
        web += ["--respawn-failed-workers", "riskapi.wsgi:application"]
        self._start(Service("web", web, {"RISK_DB_POOL": "1", **WEB_MEMORY}))

    def start_worker(self) -> None:
        """Start the worker; its tables must be there."""
        worker = [*_celery("worker"), "--pool", "prefork", "--concurrency", "2"]
        worker += ["--without-gossip", "--without-mingle"]
        # One thread for each child: OpenBLAS and fork do not agree, and there are two children.
        threads = {"OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        self._start(Service("worker", worker, {**threads, **MEMORY}))

    def start_relay_and_scheduler(self) -> None:
        """Start what keeps the service going once it serves."""
        self._start(Service("relay", [sys.executable, str(ROOT / "manage.py"), "relay"]))
        self._start(Service("webhooks", [sys.executable, str(ROOT / "manage.py"), "deliver"]))
        self._start(Service("scheduler", _celery("beat")))

    def wait_until_ready(self, say: Say) -> None:
        """Block until the web server says that it can serve."""
        deadline = time.monotonic() + _READY_SECONDS
        while not self._is_ready():
            self.check(say)
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"the web server did not become ready in {_READY_SECONDS:.0f} s; see "
                    f"{self.state.logs / 'web.log'}"
                )
            time.sleep(0.1)

    def check(self, say: Say) -> None:
        """Start again what has ended, servers included, with a growing pause."""
        now = time.monotonic()
        for server in (self.servers.postgres, self.servers.valkey):
            if server is not None and not server.is_alive():
                say(f"{type(server).__name__} ended; starting it again")
                server.start()
                server.wait()
        for service in self.services:
            if service.ended() and service.child is not None:
                # The leader is gone; what it left of its group must not work beside its successor.
                code = service.child.returncode
                self.guard.stop(service.child)
                service.child = None
                pause = service.schedule_restart(now)
                say(
                    f"{service.name} ended (exit code {code}); starting it again in {pause:.0f} s, "
                    f"its log: {self.state.logs / service.name}.log"
                )
            elif service.child is None and now >= service.due_at:
                self._launch(service)

    def stop(self) -> None:
        """End the services, then the servers they use."""
        running = [service.child for service in reversed(self.services) if service.child]
        for child in running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + self.patience
        for child in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, deadline - time.monotonic()))
            self.guard.stop(child, patience=0)
        self.services = []
        self.servers.stop()
        self.guard.close()
        self.state.unlock()

    def _start(self, service: Service) -> None:
        self.services.append(service)
        self._launch(service)

    def _launch(self, service: Service) -> None:
        service.started_at = time.monotonic()
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", **service.environment}
        service.child = self.guard.start(
            service.command,
            log=self.state.logs / f"{service.name}.log",
            environment=environment,
            cwd=ROOT,
        )

    def _is_ready(self) -> bool:
        try:
            with LOCAL.open(f"{self.base_url}/readyz", timeout=3) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


_prepared: Supervisor | None = None


def run(argv: Sequence[str], run_command: Callable[[Sequence[str]], int]) -> int:
    """Start the servers, then Django with the command `up`, which finds them by `prepared`.

    The servers come first since they start while Django loads, and since Django's settings are
    read only once, with their addresses.
    """
    global _prepared  # noqa: PLW0603 - Django creates the command object, it takes no argument
    state = StateFolder.of_checkout(server_account())
    if not state.try_lock("up"):
        raise EmbeddedError(
            f"another start runs with the data in {state.path}: end it first, or set "
            "RISK_STATE_DIR to another folder for a second one"
        )
    _keep_logs_small(state.logs)
    _prepared = Supervisor(state)
    export(_prepared.servers.environment())
    with _signals_as_interrupt():
        try:
            _prepared.servers.start()
            return run_command(argv)
        except KeyboardInterrupt:
            return 0
        finally:
            _ignore_signals()
            _prepared.stop()


def prepared() -> Supervisor:
    """The supervisor whose servers were started for the command `up`."""
    if _prepared is None:
        raise EmbeddedError("start the service as: python3 manage.py up")
    return _prepared


def free_port(wanted: int) -> int:
    """The wanted port, or the next one that nobody listens on."""
    for port in range(wanted, wanted + _PORTS_TRIED):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((HOST, port))
                return port
    raise EmbeddedError(f"no free port between {wanted} and {wanted + _PORTS_TRIED - 1}")


def _celery(command: str) -> list[str]:
    return [sys.executable, "-m", "celery", "-A", "riskapi.celery", command, "--loglevel", "INFO"]


def _keep_logs_small(folder: Path, limit: int = 10_000_000) -> None:
    for log in folder.glob("*.log"):
        if log.stat().st_size > limit:
            log.replace(log.with_suffix(".log.1"))


@contextlib.contextmanager
def _signals_as_interrupt() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the service the way Ctrl-C does."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, interrupt)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
