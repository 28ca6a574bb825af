"""The embedded PostgreSQL: starts, keeps its data, and comes back from every kind of end."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from riskapi.embedded.postgres import APP, DATABASE, OWNER, Postgres
from riskapi.embedded.processes import Guard
from riskapi.embedded.state import EmbeddedError, StateFolder

# Many starts of one server: speed off, durability as shipped.
Start = Callable[[], Postgres]


@pytest.fixture
def start(state: StateFolder, guard: Guard, request: pytest.FixtureRequest) -> Start:
    def begin() -> Postgres:
        server = Postgres(state, guard)
        request.addfinalizer(server.stop)
        server.start()
        server.wait()
        return server

    return begin


def query(server: Postgres, role: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(host=str(server.sockets), user=role, dbname=DATABASE) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def kill(server: Postgres) -> None:
    pid = server.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while server.is_alive():
        time.sleep(0.02)


def test_data_survives_a_stop_and_a_new_start(start: Start) -> None:
    first = start()
    query(first, OWNER, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
    first.stop()
    assert query(start(), OWNER, "SELECT n FROM kept") == [(7,)]


def test_committed_data_survives_kill_9(start: Start) -> None:
    first = start()
    query(first, OWNER, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
    kill(first)
    assert query(start(), OWNER, "SELECT n FROM kept") == [(7,)]


def test_lock_file_naming_a_foreign_process_is_no_obstacle(start: Start) -> None:
    first = start()
    kill(first)
    lock = first.state.database / "data" / "postmaster.pid"
    lines = lock.read_text().splitlines()
    lock.write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n")
    assert query(start(), APP, "SELECT 1") == [(1,)]


def test_half_made_cluster_is_made_anew(start: Start, state: StateFolder) -> None:
    scratch = state.database / "new-0badcafe"
    scratch.mkdir()
    (scratch / "PG_VERSION").write_text("18\n")
    if state.account.is_other:
        os.chown(scratch, state.account.uid, state.account.gid)
    assert query(start(), APP, "SELECT 1") == [(1,)]
    assert not scratch.exists()


def test_data_of_another_version_is_refused_and_left_alone(start: Start) -> None:
    first = start()
    first.stop()
    version = first.state.database / "data" / "PG_VERSION"
    version.write_text("9\n")
    with pytest.raises(EmbeddedError, match="made by PostgreSQL 9"):
        start()
    assert version.read_text() == "9\n"


def test_text_is_sorted_the_same_on_every_machine(start: Start) -> None:
    server = start()
    rows = query(server, APP, "SELECT v FROM (VALUES ('a'), ('B'), ('é'), ('z')) t(v) ORDER BY v")
    assert [row[0] for row in rows] == ["B", "a", "z", "é"]


def test_nobody_else_enters_the_socket_folder(start: Start) -> None:
    folder = Path(start().sockets)
    assert folder.stat().st_mode & 0o077 == 0


def test_second_supervisor_on_the_same_folder_is_told_so(state: StateFolder) -> None:
    other = StateFolder(state.path, state.account)
    assert state.try_lock("up")
    assert not other.try_lock("up")
    state.unlock()
    assert other.try_lock("up")
    other.unlock()


def test_long_state_path_still_gets_a_short_socket_path(state: StateFolder) -> None:
    deep = StateFolder(state.path / ("x" * 120), state.account)
    assert len(str(deep.sockets)) < 60
    assert deep.sockets != StateFolder(state.path / ("x" * 121), state.account).sockets


def test_secrets_are_random_kept_and_private(state: StateFolder) -> None:
    first = state.secrets()
    assert state.secrets() == first
    assert len(set(first.values())) == len(first)
    assert (state.path / "secrets.json").stat().st_mode & 0o077 == 0


def test_start_that_knows_one_secret_more_keeps_the_others(state: StateFolder) -> None:
    first = state.secrets()
    path = state.path / "secrets.json"
    path.write_text(json.dumps({k: v for k, v in first.items() if k != "RISK_WEBHOOK_KEY"}))
    second = state.secrets()
    assert set(second) == set(first)
    assert second["RISK_SECRET_KEY"] == first["RISK_SECRET_KEY"]
    assert second["RISK_WEBHOOK_KEY"] != first["RISK_WEBHOOK_KEY"]
    assert path.stat().st_mode & 0o777 == 0o600
