"""The only module that reads the process environment; everything else reads Django settings."""

from __future__ import annotations

import ipaddress
import re
import secrets
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent

_env = environ.Env()

#: "app" serves requests and jobs; "owner" migrates. Row-level security is meant for "app".
DATABASE_ROLE: str = _env.str("RISK_DB_ROLE", default="app")
DATABASE_URL: str = _env.str("DATABASE_URL", default="postgres:///riskapi")
DATABASE_OWNER_URL: str = _env.str("DATABASE_OWNER_URL", default=DATABASE_URL)
DATABASE_POOL: bool = _env.bool("RISK_DB_POOL", default=False)
BROKER_URL: str = _env.str("BROKER_URL", default="redis://localhost:6379/0")

DEBUG: bool = _env.bool("RISK_DEBUG", default=False)
ALLOWED_HOSTS: list[str] = _env.list("RISK_ALLOWED_HOSTS", default=["localhost", "127.0.0.1"])
CSRF_TRUSTED_ORIGINS: list[str] = _env.list("RISK_CSRF_TRUSTED_ORIGINS", default=[])
HTTPS_ONLY: bool = _env.bool("RISK_HTTPS_ONLY", default=False)
#: Where clients find the service, and what they mean it by in what they sign.
PUBLIC_URL: str = _env.str("RISK_PUBLIC_URL", default="")
if PUBLIC_URL and re.fullmatch(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?", PUBLIC_URL) is None:
    raise ImproperlyConfigured(
        "RISK_PUBLIC_URL is https://, a host in small letters and perhaps a port, and nothing"
        f" behind; not {PUBLIC_URL!r}."
    )

_DEFAULT_STATE_DIR = Path.home() / ".local" / "state" / "riskapi"
STATE_DIR = Path(_env.str("RISK_STATE_DIR", default=str(_DEFAULT_STATE_DIR)))

_WITHOUT = [name for name in ("RISK_SECRET_KEY", "RISK_KEY_PEPPER") if name not in _env.ENVIRON]
if "DATABASE_URL" in _env.ENVIRON and _WITHOUT:
    raise ImproperlyConfigured(
        f"DATABASE_URL is set, but not {' and '.join(_WITHOUT)}: each process would make up its"
        " own, and no API key or log-in would hold beyond it. Set each to a long random text, the"
        " same in all processes, for example from: "
        'python3 -c "import secrets; print(secrets.token_urlsafe(48))"'
    )

#: Shorter or plainer ones can be found by trying, and with them every session and key forged.
_SHORTEST, _FEWEST_CHARACTERS = 50, 12


def _refuse_weak(*names: str) -> None:
    given = {name: str(_env.ENVIRON.get(name, "")) for name in names}
    for name, value in given.items():
        plain = len(set(value)) < _FEWEST_CHARACTERS or value.startswith("django-insecure-")
        if len(value) < _SHORTEST or plain:
            raise ImproperlyConfigured(
                f"{name} is too easily guessed: set it to a random text of at least {_SHORTEST}"
                ' characters, for example from: python3 -c "import secrets;'
                ' print(secrets.token_urlsafe(48))"'
            )
    if len(set(given.values())) < len(given):
        raise ImproperlyConfigured(
            f"{' and '.join(names)} are the same: who learns one must not have the other."
        )


if "DATABASE_URL" in _env.ENVIRON:
    _refuse_weak(
        "RISK_SECRET_KEY",
        "RISK_KEY_PEPPER",
        *(name for name in ("RISK_WEBHOOK_KEY",) if _env.ENVIRON.get(name)),
    )

#: Random where there is no database whose rows they could sign or hash.
SECRET_KEY: str = _env.str("RISK_SECRET_KEY", default=secrets.token_urlsafe(48))
SECRET_KEY_FALLBACKS: list[str] = _env.list("RISK_SECRET_KEY_FALLBACKS", default=[])
KEY_PEPPER: str = _env.str("RISK_KEY_PEPPER", default=secrets.token_urlsafe(48))
KEY_PEPPER_FALLBACKS: list[str] = _env.list("RISK_KEY_PEPPER_FALLBACKS", default=[])

#: Limits of each client that its own row does not set otherwise; 0 is no limit.
REQUESTS_PER_MINUTE: int = _env.int("RISK_REQUESTS_PER_MINUTE", default=600)
RUNS_PER_MINUTE: int = _env.int("RISK_RUNS_PER_MINUTE", default=60)
MAX_OPEN_RUNS: int = _env.int("RISK_MAX_OPEN_RUNS", default=20)
#: Bad credentials from one address; 0 is no limit.
AUTH_FAILURES_PER_MINUTE: int = _env.int("RISK_AUTH_FAILURES_PER_MINUTE", default=20)


def _networks(name: str) -> list[str]:
    networks: list[str] = _env.list(name, default=[])
    for network in networks:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{name} holds networks as address/length, by comma: {error}."
            ) from None
    return networks


#: Networks of the proxies whose X-Forwarded-For is believed; nobody's without.
TRUSTED_PROXIES = _networks("RISK_TRUSTED_PROXIES")
#: Networks of the proxies whose Client-Cert is believed; nobody's without.
CERTIFICATE_PROXIES = _networks("RISK_CERTIFICATE_PROXIES")

#: Keeps the secrets of webhooks; without it this installation has no webhooks.
WEBHOOK_KEY: str = _env.str("RISK_WEBHOOK_KEY", default="")
WEBHOOK_KEY_FALLBACKS: list[str] = _env.list("RISK_WEBHOOK_KEY_FALLBACKS", default=[])
#: `host:port` of receivers that are not public, or not on port 443, and may be called all the same.
WEBHOOK_PRIVATE_TARGETS: list[str] = _env.list("RISK_WEBHOOK_PRIVATE_TARGETS", default=[])
for _target in WEBHOOK_PRIVATE_TARGETS:
    if re.fullmatch(r"[a-z0-9.-]+:[0-9]{1,5}", _target) is None:
        raise ImproperlyConfigured(
            "RISK_WEBHOOK_PRIVATE_TARGETS holds host:port in small letters, by comma; not"
            f" {_target!r}."
        )

#: A worker that is silent this long has lost its job to the next one.
LEASE_SECONDS: float = _env.float("RISK_LEASE_SECONDS", default=60.0)

#: How long after the close of a session the night's reports start: prices need time to arrive.
NIGHTLY_GRACE_MINUTES: int = _env.int("RISK_NIGHTLY_GRACE_MINUTES", default=60)
LOG_LEVEL: str = _env.str("RISK_LOG_LEVEL", default="INFO")


def pin_numeric_threads() -> None:
    """Have numpy's libraries use one thread; effective only before they are loaded."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        _env.ENVIRON.setdefault(name, "1")
