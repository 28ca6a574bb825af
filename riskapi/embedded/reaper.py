"""End the service's processes when their supervisor is gone, kill -9 included.

The supervisor holds the writing end of this program's standard input and tells on it whom to
watch: "+<pid> <signal>" and "-<pid>". The end of that stream is the supervisor's death. Every
watched process leads a process group of its own, so its children are reached too. Started as a
script, with the standard library only, so that it is up at once and outlives everything.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

#: Seconds between the polite signal and SIGKILL to what is left of the groups.
GRACE = 5.0


def main() -> None:
    """Read orders until the supervisor is gone, then end whoever is still there."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    watched: dict[int, int] = {}
    for line in sys.stdin:
        if line.startswith("+"):
            pid, number = line[1:].split()
            watched[int(pid)] = int(number)
        else:
            watched.pop(int(line[1:]), None)
    for pid, number in watched.items():
        send(pid, number)
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline and any(exists(pid) for pid in watched):
        time.sleep(0.1)
    for pid in watched:
        send(pid, signal.SIGKILL)


def send(pid: int, number: int) -> None:
    """Signal a process group; SIGINT, PostgreSQL's fast shutdown, goes to its leader alone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if number == signal.SIGINT:
            os.kill(pid, number)
        else:
            os.killpg(pid, number)


def exists(group: int) -> bool:
    """Whether the process group still has a member."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


if __name__ == "__main__":
    main()
