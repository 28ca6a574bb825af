"""Examples in docstrings and methodology pages are computed, not copied."""

from __future__ import annotations

import doctest
import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
_FENCED = re.compile(r"^```pycon\n.*?^```$", re.MULTILINE | re.DOTALL)
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "analytics" / "engine").rglob("*.py")
    if ">>> " in path.read_text()
)
PAGES = sorted((ROOT / "analytics" / "methodology").glob("*.md"))


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_hold(name: str) -> None:
    result = doctest.testmod(import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_worked_examples_of_the_methodology_hold(page: Path) -> None:
    text = page.read_text()
    assert ">>>" not in _FENCED.sub("", text), "fence it, or it is shown as a quotation"
    bare = text.replace("```pycon", "").replace("```", "")
    found = doctest.DocTestParser().get_doctest(bare, {"np": np}, page.name, str(page), 0)
    result = doctest.DocTestRunner().run(found)
    assert result.attempted > 0
    assert result.failed == 0
