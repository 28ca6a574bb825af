"""Give `manage.py` an interpreter that has the packages of the lock file. Standard library only.

Where the packages are importable already (a container image, a system's own), nothing is built.
Otherwise `.venv` is made beside `manage.py`, filled from the hash-locked requirements, and the
command starts again inside it. A stamp in the folder says what it was built from; it is written
last, so an environment that was killed half-way has none and is built anew.
"""

from __future__ import annotations

import ast
import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
RUNTIME = "requirements.txt"
TESTING = "tests/requirements.txt"
STAMP = "riskapi-stamp.json"

#: Enough of the packages to tell a machine that has them from one that has not.
RUNTIME_PROBES = ("django", "rest_framework", "celery", "psycopg", "granian", "scipy", "rich")
TESTING_PROBES = (*RUNTIME_PROBES, "pytest", "pytest_django", "hypothesis", "mypy", "ruff")
#: Commands of the developer; the others get by with the runtime packages.
TESTING_COMMANDS = ("test", "python")

_RESTARTED = "RISK_BOOTSTRAPPED"


def ensure_environment(argv: Sequence[str]) -> None:
    """Return in an interpreter that has the packages the command needs, or do not return."""
    testing = len(argv) > 1 and argv[1] in TESTING_COMMANDS
    probes = TESTING_PROBES if testing else RUNTIME_PROBES
    folder = environment_folder(ROOT)
    inside = Path(sys.prefix).resolve() == folder.resolve()
    if not inside and importable(probes):
        return
    # Without cached bytecode each process of the service would compile for seconds at its start.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    environment = Environment(folder, ROOT, TESTING if testing else RUNTIME)
    if inside and environment.is_ready() and importable(probes):
        return
    if inside and os.environ.get(_RESTARTED):
        _fail(f"{folder} is incomplete though just built; delete it and start again.")
    if not environment.is_ready() or (inside and not importable(probes)):
        with exclusive(folder.with_name(folder.name + ".lock")):
            if not environment.is_ready():
                environment.build()
    os.environ[_RESTARTED] = "1"
    python = str(environment.python)
    os.execv(python, [python, *argv])  # noqa: S606 - the interpreter just built, no shell


def importable(names: Sequence[str]) -> bool:
    """Whether this interpreter finds every package of `names`."""
    return all(importlib.util.find_spec(name) is not None for name in names)


def environment_folder(root: Path) -> Path:
    """`.venv` beside manage.py, or a folder in the user's cache where the checkout is read-only."""
    beside = root / ".venv"
    if os.access(beside if beside.exists() else root, os.W_OK | os.X_OK):
        # A link to another checkout's environment is that one: used as it is, not built anew.
        return beside.resolve()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "riskapi" / hashlib.sha256(os.fsencode(root)).hexdigest()[:12] / "venv"


class Environment:
    """One virtual environment and what it has to hold."""

    def __init__(self, folder: Path, root: Path, requirements: str) -> None:
        self.folder = folder
        self.root = root
        self.requirements = requirements
        self.python = folder / "bin" / "python"

    def is_ready(self) -> bool:
        """Whether the environment was completed from these very requirements by this Python."""
        stamp = self._read_stamp()
        return (
            self.python.exists()
            and stamp.get("base") == _base()
            and stamp.get("folder") == str(self.folder)
            and stamp.get(self.requirements) == self._digest(self.requirements)
        )

    def build(self) -> None:
        """Create the folder where it cannot be kept, install, and stamp."""
        stamp = self._read_stamp()
        if not self._is_usable(stamp):
            _say(f"{self.folder} is unfinished or of another Python; making it anew")
            shutil.rmtree(self.folder, ignore_errors=True)
        names = _pinned_names((self.root / self.requirements).read_text())
        _say(f"preparing {len(names)} packages in {self.folder} (only once; needs the network)")
        (self.folder / STAMP).unlink(missing_ok=True)
        if not self.python.exists():
            self._create()
        self._install()
        stamp = {"base": _base(), "folder": str(self.folder)}
        # The testing lock is the runtime lock and more, so it brings both.
        stamp |= {name: self._digest(name) for name in {RUNTIME, self.requirements}}
        scratch = self.folder / (STAMP + ".new")
        scratch.write_text(json.dumps(stamp, indent=1, sort_keys=True))
        scratch.replace(self.folder / STAMP)
        _say("environment ready")

    def _is_usable(self, stamp: Mapping[str, str]) -> bool:
        """An environment of ours is kept for an update when complete, of this Python, unmoved."""
        if not self.folder.exists():
            return True
        return stamp.get("base") == _base() and stamp.get("folder") == str(self.folder)

    def _read_stamp(self) -> dict[str, str]:
        try:
            content = json.loads((self.folder / STAMP).read_text())
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def _digest(self, requirements: str) -> str:
        return hashlib.sha256((self.root / requirements).read_bytes()).hexdigest()

    def _create(self) -> None:
        # pip's copy in a new environment costs seconds; the interpreter's own pip can serve.
        own_pip = importable(("pip",))
        if not own_pip and not importable(("ensurepip",)):
            version = f"{sys.version_info[0]}.{sys.version_info[1]}"
            _fail(
                "this Python has neither pip nor ensurepip, so nothing can be installed. "
                f"On Debian and Ubuntu: apt install python3-pip, or python{version}-venv."
            )
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        options = ["--without-pip"] if own_pip else []
        _run([_interpreter(), "-m", "venv", *options, str(self.folder)], "create the environment")

    def _install(self) -> None:
        lock = self.root / self.requirements
        pip = self._pip()
        with tempfile.TemporaryDirectory(prefix="riskapi-") as scratch:
            only_uv = Path(scratch) / "uv.txt"
            only_uv.write_text(pinned_requirement(lock.read_text(), "uv"))
            uv = [*pip, "install", "-qq", "--require-hashes", "--no-user", "-r", str(only_uv)]
            _run(uv, "install the installer")
        command = [str(self.folder / "bin" / "uv"), "pip", "install", "--python", str(self.python)]
        command += ["--require-hashes", "-r", str(lock)]
        settings = _pip_settings(pip)
        if _call([*command, *uv_options(settings)], uv_environment(settings, self.folder)) == 0:
            return
        # pip is slow, but it knows every index and certificate setting of the user at first hand.
        _say("uv could not install the packages; trying again with pip")
        _run([*pip, "install", "--require-hashes", "--no-user", "-r", str(lock)], "install")

    def _pip(self) -> list[str]:
        if (self.folder / "bin" / "pip").exists():
            return [str(self.python), "-m", "pip"]
        return [_interpreter(), "-m", "pip", "--python", str(self.python)]


def pinned_requirement(lock: str, name: str) -> str:
    """Cut one package with its hashes out of the text of a lock file."""
    match = re.search(rf"^{re.escape(name)}==.*\n(?: +--hash=.*\n)+", lock, re.MULTILINE)
    if match is None:
        _fail(f"the lock file does not hold {name}; make it anew from requirements.in.")
    return match.group()


def _pinned_names(lock: str) -> list[str]:
    return re.findall(r"^([A-Za-z0-9._-]+)==", lock, re.MULTILINE)


def _pip_settings(pip: Sequence[str]) -> dict[str, str]:
    """Read the user's pip configuration (files and PIP_ variables); later levels win, as in pip."""
    listing = subprocess.run(
        [*pip, "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    levels: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listing.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.partition(".")
        if section in levels:
            with contextlib.suppress(ValueError, SyntaxError):
                levels[section][name.lstrip(".")] = str(ast.literal_eval(value))
    return levels["global"] | levels["install"] | levels[":env:"]


def uv_options(settings: Mapping[str, str]) -> list[str]:
    """Say pip's settings in uv's words. With hashes required, the best of all indexes is safe."""
    options = ["--index-strategy", "unsafe-best-match"]
    if settings.get("no-index", "").lower() in {"1", "true", "yes", "on"}:
        options.append("--no-index")
    for name, option in (
        ("index-url", "--index-url"),
        ("extra-index-url", "--extra-index-url"),
        ("find-links", "--find-links"),
        ("trusted-host", "--allow-insecure-host"),
    ):
        for value in settings.get(name, "").split():
            options += [option, value]
    return options


def uv_environment(settings: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The process environment with the certificates pip uses and a cache that can be written."""
    environment = {"UV_PYTHON_DOWNLOADS": "never", **os.environ}
    if "cert" in settings:
        environment.setdefault("SSL_CERT_FILE", settings["cert"])
    if "default-timeout" in settings:
        environment.setdefault("UV_HTTP_TIMEOUT", settings["default-timeout"])
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    existing = next(path for path in (cache, *cache.parents) if path.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        environment.setdefault("UV_NO_CACHE", "1")
    elif existing.stat().st_dev != folder.stat().st_dev:
        environment.setdefault("UV_LINK_MODE", "copy")
    return environment


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock file; a second process waits, and says so.

    The processes started meanwhile inherit the lock: an installer that outlives its killed parent
    must be waited for as well.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("w")
    except OSError as error:
        _fail(f"cannot write to {path.parent} ({error.strerror}); set XDG_CACHE_HOME to a folder")
    with handle:
        os.set_inheritable(handle.fileno(), True)  # noqa: FBT003 - positional-only
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another start is preparing the environment; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _interpreter() -> str:
    """The Python outside any virtual environment: the one in `.venv` may be about to go."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def _base() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]} {Path(sys.base_prefix).resolve()}"


def _run(command: Sequence[str], purpose: str) -> None:
    code = _call(command, dict(os.environ))
    if code != 0:
        _fail(f"could not {purpose} (exit code {code}); the lines above say why.")


def _call(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run with progress on standard error; off a terminal, without uv's line for each package."""
    if sys.stderr.isatty():
        return subprocess.run(
            command, env=environment, stdout=2, close_fds=False, check=False
        ).returncode
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        close_fds=False,
        text=True,
    ) as process:
        for line in process.stdout or ():
            if not line.startswith((" + ", " - ", " ~ ")):
                sys.stderr.write(line)
    return process.returncode


def _say(text: str) -> None:
    sys.stderr.write(f"riskapi: {text}\n")
    sys.stderr.flush()


def _fail(text: str) -> NoReturn:
    sys.exit(f"riskapi: {text}")
