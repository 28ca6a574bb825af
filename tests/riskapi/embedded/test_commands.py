"""Commands of `manage.py` find servers, or bring their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from riskapi.embedded.bootstrap import ROOT
from riskapi.embedded.processes import Guard
from riskapi.embedded.servers import Servers
from riskapi.embedded.state import StateFolder

WHO = "from django.db import connection as c; k = c.cursor(); k.execute('SELECT current_user'); "
WHO += "print(k.fetchone()[0])"


def manage(state: StateFolder, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env=environment | {"RISK_STATE_DIR": str(state.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_command_brings_its_own_servers_and_ends_them(state: StateFolder) -> None:
    done = manage(state, "shell", "--no-imports", "-c", WHO)
    assert (done.returncode, done.stdout.strip()) == (0, "app")
    assert not (state.database / "data" / "postmaster.pid").exists()


def test_command_uses_the_servers_of_a_running_start(
    state: StateFolder, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABASE_URL", "BROKER_URL"):
        monkeypatch.delenv(name)
    running = Servers(state, guard)
    assert state.try_lock("up")
    running.start()
    running.wait()
    done = manage(state, "shell", "--no-imports", "-c", WHO)
    assert (done.returncode, done.stdout.strip()) == (0, "app")
    assert running.postgres is not None
    assert running.postgres.is_alive()
    running.stop()
    state.unlock()


@pytest.mark.parametrize(
    "command", [("load_sample",), ("import_market", "tests"), ("load_sandbox", "sample")]
)
def test_database_without_tables_is_told_with_its_cure(
    state: StateFolder, command: tuple[str, ...]
) -> None:
    done = manage(state, *command)
    assert done.returncode == 1
    assert "python3 manage.py migrate" in done.stderr
    assert "Traceback" not in done.stderr


def test_second_start_on_the_same_data_is_refused(state: StateFolder) -> None:
    assert state.try_lock("up")
    done = manage(state, "up", "--once")
    assert done.returncode == 1
    assert "another start runs" in done.stderr
    assert str(state.path) in done.stderr
    state.unlock()


def test_command_with_addresses_and_secrets_needs_no_state(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    environment = {**os.environ, "RISK_STATE_DIR": str(absent)}
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "shell", "--no-imports", "-c", "print('ran')"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.strip() == "ran"
    assert not absent.exists()
