"""The service as its users meet it: processes on one machine, spoken to over HTTP.

Everything here is the product's own: PostgreSQL and Valkey of the one-command start, granian, a
Celery worker, the relay. Tests may kill any of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

from riskapi.embedded import reaper
from riskapi.embedded.bootstrap import ROOT
from riskapi.embedded.postgres import APP, OWNER, VOLATILE, Postgres
from riskapi.embedded.processes import Guard
from riskapi.embedded.servers import LIMITS
from riskapi.embedded.state import SECRETS, StateFolder, server_account
from riskapi.embedded.supervisor import HOST, LOCAL, MEMORY, WEB_MEMORY, free_port
from riskapi.embedded.valkey import Valkey

_READY_SECONDS = 60.0
_STRANGER = """
import secrets

from portfolios.models import Client
from portfolios.services.api_keys import api_key_create
from portfolios.tenancy import operator_scope
with operator_scope():
    client, _ = Client.objects.get_or_create(slug="stranger", defaults={"name": "Stranger"})
    # At most two live keys may have one name.
    print(api_key_create(client, f"flow {secrets.token_hex(4)}")[1])
"""

_APPLICATION = """
import secrets

from portfolios.models import ApiKey, Client
from portfolios.services.api_keys import api_key_create
from portfolios.tenancy import operator_scope
with operator_scope():
    client = Client.objects.get(api_keys__key_id="{key_id}")
    key, secret = api_key_create(
        client, f"flow {secrets.token_hex(4)}", {scopes}, kind=ApiKey.Kind.OAUTH
    )
    print(key.key_id, secret)
"""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Message[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


class Api:
    """A caller with a key."""

    def __init__(self, base_url: str, key: str | None) -> None:
        self.base_url = base_url
        self.key = key

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, None, **headers)

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        return self.send("POST", path, body, **headers)

    def put(self, path: str, body: Any, **headers: str) -> Answer:
        return self.send("PUT", path, body, **headers)

    def send(self, method: str, path: str, body: Any, **headers: str) -> Answer:
        """Send JSON, or bytes as they are; header names have underscores for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.key is not None:
            named["Authorization"] = f"Bearer {self.key}"
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            named.setdefault("Content-Type", "application/json")
        request = urllib.request.Request(  # noqa: S310 - our own http address
            self.base_url + path, data=data, headers=named, method=method
        )
        try:
            with LOCAL.open(request, timeout=60) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())


class Service:
    """An installation of its own: servers, web, worker, relay."""

    def __init__(self, *, durable: bool = False, settings: str = "riskapi.settings") -> None:
        account = server_account()
        self.state = StateFolder(Path(tempfile.mkdtemp(prefix="riskapi-flow-")), account)
        self.state.create()
        self.guard = Guard()
        self.postgres = Postgres(self.state, self.guard, None if durable else VOLATILE)
        self.valkey = Valkey(self.state, self.guard)
        # Its own corner of the ports: a killed server must find its own free again.
        self.port = free_port(18_000 + 10 * (os.getpid() % 1_000))
        self.base_url = f"http://{HOST}:{self.port}"
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": settings,
            "DATABASE_URL": self.postgres.url(APP),
            "DATABASE_OWNER_URL": self.postgres.url(OWNER),
            "BROKER_URL": self.valkey.url(),
            "RISK_STATE_DIR": str(self.state.path),
            "PYTHONUNBUFFERED": "1",
            **{name: secrets.token_urlsafe(48) for name in SECRETS},
            # Flows ask as often as they need to; those of the limits have clients with their own.
            **dict.fromkeys(LIMITS, "0"),
            # Where the guide sends webhooks to, so that no name server is needed.
            "RISK_WEBHOOK_PRIVATE_TARGETS": "localhost:443",
        }

    def start(self) -> None:
        """Start the servers, make the tables, start the processes."""
        self.postgres.start()
        self.valkey.start()
        self.postgres.wait()
        self.valkey.wait()
        self.manage("migrate", "-v0", "--skip-checks")
        for name in ("web", "worker", "relay"):
            self.launch(name)
        self.wait_until(lambda: Api(self.base_url, None).get("/readyz").status == 200)

    def adopt(self) -> None:
        """Let this very process use the installation's tables through Django."""
        os.environ.update(self._environment)
        import django

        django.setup()

    def manage(self, *arguments: str) -> str:
        """Run a management command to its end; what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def load_sample(self, market: Path | None = None) -> dict[str, Any]:
        folder = ("--market", str(market)) if market else ()
        facts: dict[str, Any] = json.loads(self.manage("load_sample", *folder))
        return facts

    def load_sandbox(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(self.manage("load_sandbox"))
        return facts

    def launch(self, name: str) -> None:
        """Start web, worker or relay."""
        web = _web(self.port)
        worker = ["-m", "celery", "-A", "riskapi.celery", "worker", "--loglevel", "INFO"]
        worker += [
            "--pool",
            "prefork",
            "--concurrency",
            "2",
            "--without-gossip",
            "--without-mingle",
        ]
        command = {"web": web, "worker": worker, "relay": ["manage.py", "relay"]}[name]
        extra = {"RISK_DB_POOL": "1", **WEB_MEMORY} if name == "web" else MEMORY
        self._children[name] = self.guard.start(
            [sys.executable, *command],
            log=self.state.logs / f"{name}.log",
            environment={**self._environment, **extra},
            cwd=ROOT,
        )

    def launch_beside(self, settings: str) -> int:
        """Start a second web server with other settings; its port."""
        port = free_port(self.port + 1)
        command = [sys.executable, *_web(port)]
        environment = {**self._environment, "RISK_DB_POOL": "1", "DJANGO_SETTINGS_MODULE": settings}
        self._children[settings] = self.guard.start(
            command, log=self.state.logs / "beside.log", environment=environment, cwd=ROOT
        )
        self.wait_until(lambda: Api(f"http://{HOST}:{port}", None).get("/healthz").status == 200)
        return port

    def kill(self, name: str) -> None:
        """End a process and its children at once, as a crash would."""
        child = self._children.pop(name)
        reaper.send(child.pid, signal.SIGKILL)
        child.wait()
        self.guard.forget(child)

    def mend(self) -> None:
        """Start again whatever has ended."""
        for server in (self.postgres, self.valkey):
            if not server.is_alive():
                server.start()
                server.wait()
        for name in ("web", "worker", "relay"):
            if name not in self._children or self._children[name].poll() is not None:
                self.launch(name)
        self.wait_until(lambda: Api(self.base_url, None).get("/readyz").status == 200)

    def stranger_key(self) -> str:
        """The key of a client that has nothing."""
        made = self.manage("shell", "--no-imports", "-c", _STRANGER)
        return made.strip()

    def oauth_client(self, key: str, scopes: Sequence[str]) -> tuple[str, str]:
        """Id and secret of a new OAuth 2.0 client of a key's institution."""
        code = _APPLICATION.replace("{key_id}", key.split("_")[2])
        made = self.manage("shell", "--no-imports", "-c", code.replace("{scopes}", repr([*scopes])))
        client_id, secret = made.split()
        return client_id, secret

    def status_of_upload(
        self, path: str, n_bytes: int, api: Api, headers: Mapping[str, str]
    ) -> int:
        """Send zeros until the server has had enough; the status it answers with."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named |= {"Host": HOST, "Authorization": f"Bearer {api.key}", "Connection": "close"}
        named["Content-Length"] = str(n_bytes)
        head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        with socket.create_connection((HOST, self.port), timeout=60) as connection:
            connection.sendall(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode())
            with contextlib.suppress(ConnectionError):
                for _ in range(n_bytes // 1_000_000):
                    connection.sendall(b"0" * 1_000_000)
            return int(connection.recv(4_096).split()[1])

    def peak_megabytes(self, name: str) -> float:
        """The most memory that any process of a child's group has held."""
        leader = self._children[name].pid
        peaks = [0.0]
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if os.getpgid(int(folder.name)) == leader:
                    status = (folder / "status").read_text()
                    peaks.append(float(status.split("VmHWM:")[1].split()[0]) / 1024)
            except (OSError, IndexError):
                continue
        return max(peaks)

    def wait_until(self, holds: Callable[[], bool], seconds: float = _READY_SECONDS) -> None:
        """Poll until something holds; an unreachable server is not an answer yet."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if holds():
                    return
            except OSError:
                pass
            assert time.monotonic() < deadline, f"not within {seconds:.0f} s"
            time.sleep(0.1)

    def stop(self) -> None:
        """End everything and remove the folder."""
        for name in list(self._children):
            self.guard.stop(self._children.pop(name), patience=8)
        self.valkey.stop()
        self.postgres.stop()
        self.guard.close()
        for folder in (self.state.path, self.state.sockets):
            shutil.rmtree(folder, ignore_errors=True)


def _web(port: int) -> list[str]:
    """The web server as `up` starts it."""
    command = ["-m", "granian", "--interface", "wsgi", "--host", HOST, "--port", str(port)]
    return [
        *command,
        "--http",
        "1",
        "--workers",
        "1",
        "--blocking-threads",
        "40",
        "riskapi.wsgi:application",
    ]
