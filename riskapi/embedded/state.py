"""Where the embedded servers keep what they keep: data, sockets, logs and secrets, per checkout."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pwd
import re
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from riskapi.embedded.bootstrap import ROOT

#: What a process must be given so that signatures and hashed keys outlive it.
REQUIRED = ("RISK_SECRET_KEY", "RISK_KEY_PEPPER")
#: What the one-command start makes for itself.
SECRETS = (*REQUIRED, "RISK_WEBHOOK_KEY")

#: A unix socket's path ends at 107 bytes; PostgreSQL adds "/.s.PGSQL.5432.lock" to the folder's.
_LONGEST_SOCKET_FOLDER = 107 - len("/.s.PGSQL.5432.lock")


class EmbeddedError(Exception):
    """The servers of the one-command start cannot run; the text says why and what to do."""


@dataclass(frozen=True)
class Account:
    """The system user that PostgreSQL runs as; it refuses to run as root."""

    uid: int
    gid: int

    @property
    def is_other(self) -> bool:
        """Whether this is somebody else than the user of this process."""
        return self.uid != os.geteuid()

    def can_reach(self, path: Path) -> bool:
        """Whether the account may walk through every folder on the way to `path` and read it."""
        if not self.is_other:
            return True
        return all(self._may(ancestor, 0o1) for ancestor in path.resolve().parents) and self._may(
            path, 0o5
        )

    def _may(self, path: Path, wanted: int) -> bool:
        status = path.stat()
        shift = 6 if status.st_uid == self.uid else 3 if status.st_gid == self.gid else 0
        return (status.st_mode >> shift) & wanted == wanted


def server_account() -> Account:
    """The current user, or for root an account without rights: `postgres`, else `nobody`."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise EmbeddedError("PostgreSQL does not run as root and there is no user postgres or nobody")


class StateFolder:
    """The folder of one installation, and the lock of the one process that runs its servers."""

    def __init__(self, path: Path, account: Account) -> None:
        self.path = path
        self.account = account
        self.database = path / "postgres"
        self.logs = path / "log"
        self._lock: int | None = None

    @classmethod
    def of_checkout(cls, account: Account) -> StateFolder:
        """Open `$RISK_STATE_DIR`, else a folder of the user's named after the checkout's path."""
        given = os.environ.get("RISK_STATE_DIR")
        state = cls(Path(given).expanduser().resolve() if given else _default(account), account)
        state.create()
        if not account.can_reach(state.database):
            raise EmbeddedError(
                f"PostgreSQL runs as uid {account.uid}, which cannot reach {state.path}: "
                "set RISK_STATE_DIR to a folder whose parents are open to everybody"
            )
        return state

    def create(self) -> None:
        """Make the folders, the database's own owned by its account."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.logs.mkdir(exist_ok=True)
            self.database.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise EmbeddedError(
                f"cannot write to {self.path} ({error.strerror}): set RISK_STATE_DIR to a folder "
                "of your own"
            ) from error
        if self.account.is_other:
            self.path.chmod(0o711)
            os.chown(self.database, self.account.uid, self.account.gid)
        else:
            self.path.chmod(0o700)

    @property
    def sockets(self) -> Path:
        """A folder for unix sockets, its path short and plain enough for every client."""
        inside = self.path / "run"
        plain = re.fullmatch(r"[A-Za-z0-9_./-]+", str(inside)) is not None
        if plain and len(os.fsencode(inside)) <= _LONGEST_SOCKET_FOLDER:
            return inside
        return Path("/tmp") / f"riskapi-{os.geteuid()}-{_short_hash(self.path)}"  # noqa: S108 - checked by private_folder

    def try_lock(self, holder: str) -> bool:
        """Become the process that runs the servers of this folder, until it ends."""
        handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        os.truncate(handle, 0)
        os.write(handle, holder.encode())
        self._lock = handle
        return True

    def holder(self) -> str:
        """What the process that holds, or last held, the lock called itself."""
        return (self.path / "lock").read_text()

    def unlock(self) -> None:
        """Let another process run the servers."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def secrets(self) -> dict[str, str]:
        """Random secrets of this installation, each made once, readable by its user alone."""
        path = self.path / "secrets.json"
        content: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        missing = [name for name in SECRETS if name not in content]
        if missing:
            content |= {name: secrets.token_urlsafe(48) for name in missing}
            scratch = path.with_suffix(".new")
            with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT, 0o600), "w") as handle:
                json.dump(content, handle)
            scratch.replace(path)
        return content


def private_folder(path: Path, account: Account) -> None:
    """Make `path`, or accept an existing one only as a real folder that no third user can enter."""
    path.mkdir(mode=0o700, exist_ok=True)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in {os.geteuid(), account.uid}:
        raise EmbeddedError(f"{path} belongs to another user; remove it or set RISK_STATE_DIR")
    path.chmod(0o700)
    if account.is_other:
        os.chown(path, account.uid, account.gid)


def _default(account: Account) -> Path:
    name = _short_hash(ROOT)
    base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    if account.is_other:
        # Root's home is closed to the account PostgreSQL runs as.
        existing = next(path for path in (base, *base.parents) if path.exists())
        if not account.can_reach(existing):
            base = Path("/var/lib")
    return base / "riskapi" / name


def _short_hash(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
