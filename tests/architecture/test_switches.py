"""What the tests can be asked to do is read in one place and listed in the README."""

from __future__ import annotations

import re

from tests.architecture.sources import ROOT

_SWITCH = re.compile(r'(?:is_on|figure|environ\.get)\(\s*"(RISK_\w+)"')


def test_every_switch_of_the_tests_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    listed = set(re.findall(r"^\| `(RISK_\w+)=", readme, re.MULTILINE))
    beside = set(re.findall(r"; `(RISK_\w+)` is", readme))
    read = {
        name for path in ROOT.glob("tests/**/*.py") for name in _SWITCH.findall(path.read_text())
    }

    assert read == listed | beside


def test_the_environment_is_asked_for_them_in_one_place() -> None:
    asking = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.glob("tests/**/*.py")
        if re.search(r'environ(?:\.get\(|\[)"RISK_', path.read_text())
    }

    assert asking == {"tests/switches.py"}


def test_every_variable_of_the_service_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    read = set(re.findall(r'"(RISK_\w+)"', (ROOT / "riskapi/env.py").read_text()))

    missing = {name for name in read if f"`{name}`" not in readme}
    assert missing == {"RISK_DB_ROLE"}  # commands that migrate set it for themselves
