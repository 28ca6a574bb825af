"""What the environment must say before a process starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DATABASE = {"DATABASE_URL": "postgres://app@db.example/riskapi"}


def _import_settings(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import riskapi.settings"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("missing", ["RISK_SECRET_KEY", "RISK_KEY_PEPPER"])
def test_process_with_a_database_and_no_secrets_does_not_start(missing: str) -> None:
    given = {"RISK_SECRET_KEY": "a" * 64, "RISK_KEY_PEPPER": "b" * 64, **DATABASE}
    assert _import_settings(given).returncode == 0
    del given[missing]
    done = _import_settings(given)
    assert done.returncode == 1
    assert f"DATABASE_URL is set, but not {missing}" in done.stderr


def test_commands_without_a_database_need_no_secrets() -> None:
    assert _import_settings({}).returncode == 0
