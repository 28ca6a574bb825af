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


SECRETS = {
    "RISK_SECRET_KEY": "Tq8vN2mXw5Zr7Kc4Jh9Lb3Pd6Gf1Ys0ATq8vN2mXw5Zr7Kc4Jh9Lb3",
    "RISK_KEY_PEPPER": "w5Zr7Kc4Jh9Lb3Pd6Gf1Ys0ATq8vN2mXw5Zr7Kc4Jh9Lb3Pd6Gf1Ys",
}


def _check_deployment(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_deployment_as_the_readme_has_it_raises_no_warning() -> None:
    addresses = {**DATABASE, "BROKER_URL": "redis://broker.example:6379/0"}
    served = {"RISK_ALLOWED_HOSTS": "risk.example", "RISK_HTTPS_ONLY": "true"}
    done = _check_deployment(**SECRETS, **addresses, **served)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"RISK_SECRET_KEY": "a" * 64}, "RISK_SECRET_KEY is too easily guessed"),
        ({"RISK_SECRET_KEY": "Tq8vN2mXw5Zr7Kc4"}, "RISK_SECRET_KEY is too easily guessed"),
        (
            {"RISK_SECRET_KEY": "django-insecure-" + SECRETS["RISK_SECRET_KEY"]},
            "RISK_SECRET_KEY is too easily guessed",
        ),
        ({"RISK_KEY_PEPPER": "changeme" * 8}, "RISK_KEY_PEPPER is too easily guessed"),
        ({"RISK_KEY_PEPPER": SECRETS["RISK_SECRET_KEY"]}, "are the same"),
        ({"RISK_WEBHOOK_KEY": "changeme" * 8}, "RISK_WEBHOOK_KEY is too easily guessed"),
        ({"RISK_WEBHOOK_KEY": SECRETS["RISK_KEY_PEPPER"]}, "are the same"),
        ({"RISK_WEBHOOK_PRIVATE_TARGETS": "https://hooks"}, "holds host:port"),
        ({"RISK_TRUSTED_PROXIES": "10.0.0.1/8"}, "RISK_TRUSTED_PROXIES holds networks"),
        ({"RISK_CERTIFICATE_PROXIES": "proxy"}, "RISK_CERTIFICATE_PROXIES holds networks"),
        ({"RISK_PUBLIC_URL": "risk.example.com"}, "RISK_PUBLIC_URL is https://"),
        ({"RISK_PUBLIC_URL": "https://risk.example.com/"}, "RISK_PUBLIC_URL is https://"),
    ],
)
def test_process_with_weak_settings_does_not_start(changed: dict[str, str], said: str) -> None:
    done = _import_settings({**SECRETS, **DATABASE, **changed})
    assert done.returncode == 1
    assert said in done.stderr


@pytest.mark.parametrize("missing", ["RISK_SECRET_KEY", "RISK_KEY_PEPPER"])
def test_process_with_a_database_and_no_secrets_does_not_start(missing: str) -> None:
    given = {**SECRETS, **DATABASE}
    assert _import_settings(given).returncode == 0
    del given[missing]
    done = _import_settings(given)
    assert done.returncode == 1
    assert f"DATABASE_URL is set, but not {missing}" in done.stderr


def test_commands_without_a_database_need_no_secrets() -> None:
    assert _import_settings({}).returncode == 0


def test_deliverer_without_a_key_for_secrets_does_not_start() -> None:
    given = {**SECRETS, **DATABASE}
    assert _import_settings(given).returncode == 0, "without webhooks, all else works"
    done = subprocess.run(
        [sys.executable, "manage.py", "deliver"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "BROKER_URL": "redis://broker.example/0", **given},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "RISK_WEBHOOK_KEY is not set" in done.stderr
