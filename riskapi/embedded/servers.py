"""The servers that the surroundings do not provide: none where both addresses are set."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from riskapi.embedded.postgres import APP, OWNER, VOLATILE, Postgres
from riskapi.embedded.processes import Guard
from riskapi.embedded.state import REQUIRED, SECRETS, EmbeddedError, StateFolder, server_account
from riskapi.embedded.valkey import Valkey

#: How much each client may ask; see `riskapi.env`.
LIMITS = (
    "RISK_REQUESTS_PER_MINUTE",
    "RISK_RUNS_PER_MINUTE",
    "RISK_MAX_OPEN_RUNS",
    "RISK_AUTH_FAILURES_PER_MINUTE",
)


class Servers:
    """PostgreSQL where DATABASE_URL is not set, Valkey where BROKER_URL is not set."""

    def __init__(
        self, state: StateFolder, guard: Guard, settings: dict[str, str] | None = None
    ) -> None:
        self.state = state
        self.guard = guard
        self.postgres = None if "DATABASE_URL" in os.environ else Postgres(state, guard, settings)
        self.valkey = None if "BROKER_URL" in os.environ else Valkey(state, guard)

    def environment(self) -> dict[str, str]:
        """What a process needs to know to use them; what is set already stays as it is."""
        environment = {"RISK_STATE_DIR": str(self.state.path)}
        if self.postgres is not None:
            environment["DATABASE_URL"] = self.postgres.url(APP)
            environment["DATABASE_OWNER_URL"] = self.postgres.url(OWNER)
        if self.valkey is not None:
            environment["BROKER_URL"] = self.valkey.url()
        for name, value in self.state.secrets().items():
            environment[name] = os.environ.get(name, value)
        return environment

    def start(self) -> None:
        """Start them side by side; `wait` for them before use."""
        if self.valkey is not None:
            self.valkey.start()
        if self.postgres is not None:
            self.postgres.start()

    def wait(self) -> None:
        """Block until they answer."""
        if self.valkey is not None:
            self.valkey.wait()
        if self.postgres is not None:
            self.postgres.wait()

    def stop(self) -> None:
        """End them, the data left consistent."""
        if self.valkey is not None:
            self.valkey.stop()
        if self.postgres is not None:
            self.postgres.stop()


def export(environment: Mapping[str, str]) -> None:
    """Set the addresses for this process and its children, before Django's settings are read."""
    os.environ.update(environment)


@contextlib.contextmanager
def reachable_servers() -> Iterator[None]:
    """Servers for one command: those of a running `up`, else ones of its own until it ends.

    A deployment that gives addresses and secrets needs none, nor a folder to keep them in.
    """
    if all(name in os.environ for name in ("DATABASE_URL", "BROKER_URL", *REQUIRED)):
        yield
        return
    state = StateFolder.of_checkout(server_account())
    guard = Guard()
    servers = Servers(state, guard)
    export(servers.environment())
    while not state.try_lock("command"):
        if state.holder() == "up":
            servers.wait()
            yield
            return
        # The servers of another command end with it.
        time.sleep(0.2)
    try:
        servers.start()
        servers.wait()
        yield
    finally:
        servers.stop()
        guard.close()
        state.unlock()


class TestServers:
    """Private servers of one test session, in a temporary folder, started when first asked for."""

    __test__ = False

    def __init__(self) -> None:
        account = server_account()
        self._state = StateFolder(Path(tempfile.mkdtemp(prefix="riskapi-test-")), account)
        self._state.create()
        if not account.can_reach(self._state.database):
            raise EmbeddedError("set TMPDIR to a folder that every user can enter")
        for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "BROKER_URL", "RISK_DB_ROLE"):
            os.environ.pop(name, None)
        self._guard = Guard()
        self._servers = Servers(self._state, self._guard, VOLATILE)
        self._started = False
        export(self._servers.environment() | {name: secrets.token_urlsafe(48) for name in SECRETS})
        # Tests ask as often as they need to; those of the limits set their own.
        export(dict.fromkeys(LIMITS, "0"))

    def start(self) -> Servers:
        """Start both servers, or return those already running."""
        if not self._started:
            self._servers.start()
            self._servers.wait()
            self._started = True
        return self._servers

    def close(self) -> None:
        """Stop the servers and remove the folder."""
        self._servers.stop()
        self._guard.close()
        for folder in (self._state.path, self._state.sockets):
            shutil.rmtree(folder, ignore_errors=True)
