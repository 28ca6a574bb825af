"""Child processes that end with this one, whatever ends it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from riskapi.embedded import reaper
from riskapi.embedded.state import Account

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Guard:
    """Starts children, each in a process group of its own, and answers for their end.

    Two mechanisms, since each has a hole: the kernel signals a child when its parent dies (not
    the child's own children, and Linux only), and a reaper process ends the whole groups (not
    when it is killed itself). Children must be started from the main thread: the kernel's signal
    comes when the starting *thread* ends.
    """

    def __init__(self) -> None:
        self._reaper: subprocess.Popen[str] | None = None
        self._watched: dict[int, int] = {}

    def start(
        self,
        command: Sequence[str],
        *,
        log: Path,
        end_signal: signal.Signals = signal.SIGTERM,
        environment: Mapping[str, str] | None = None,
        account: Account | None = None,
        cwd: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start `command` with its output appended to `log`; `end_signal` is its polite end."""
        other = account if account is not None and account.is_other else None
        with log.open("ab") as output:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if environment is None else dict(environment),
                cwd=cwd,
                start_new_session=True,
                preexec_fn=_die_with_parent(end_signal),  # noqa: PLW1509 - one system call, no lock
                user=other.uid if other else None,
                group=other.gid if other else None,
                extra_groups=[] if other else None,
            )
        self._watched[child.pid] = int(end_signal)
        self._tell(f"+{child.pid} {int(end_signal)}\n")
        return child

    def stop(
        self,
        child: subprocess.Popen[bytes],
        *,
        end_signal: signal.Signals = signal.SIGTERM,
        patience: float = 10.0,
    ) -> None:
        """Ask the child to end, and after `patience` seconds end its whole group."""
        if child.poll() is None:
            reaper.send(child.pid, end_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(patience)
        reaper.send(child.pid, signal.SIGKILL)
        child.wait()
        self.forget(child)

    def forget(self, child: subprocess.Popen[bytes]) -> None:
        """Stop answering for a child that has ended: its number may be given to another process."""
        self._watched.pop(child.pid, None)
        self._tell(f"-{child.pid}\n")

    def close(self) -> None:
        """Dismiss the reaper, which ends every child still there."""
        if self._reaper is not None and self._reaper.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._reaper.stdin.close()
            self._reaper.wait()
            self._reaper = None

    def _tell(self, order: str) -> None:
        if self._reaper is None or self._reaper.poll() is not None:
            self._reaper = subprocess.Popen(
                [sys.executable, "-S", "-E", reaper.__file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
                cwd="/",
            )
            order = "".join(f"+{pid} {number}\n" for pid, number in self._watched.items())
        if self._reaper.stdin is not None:
            self._reaper.stdin.write(order)
            self._reaper.stdin.flush()


def _die_with_parent(end_signal: signal.Signals) -> Callable[[], None] | None:
    if _libc is None:
        return None
    libc, parent = _libc, os.getpid()

    def ask_kernel() -> None:
        # Runs after the change of user, which would clear the request, and before exec.
        libc.prctl(_PR_SET_PDEATHSIG, int(end_signal))
        if os.getppid() != parent:
            os._exit(1)

    return ask_kernel
