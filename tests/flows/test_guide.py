"""Every command and every program of the guide is run, and answers what stands below it.

A block `sh` or `python` is run against the running service; a block `json`, `http` or `text` that
follows it is its output. In an answer, `...` stands for whatever is there: for the rest of a text
or a number, for further members of an object, for further entries of a list.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from riskapi.api.guide import PAGES
from tests.flows.service import Service
from tests.flows.workers import ROOT

_BLOCK = re.compile(r"^```(sh|python|json|http|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROGRAMS = ("sh", "python")
#: Where the guide says how to begin, the test says where its service is.
_SETTING = re.compile(r"^export \w+=.*\n", re.MULTILINE)
_REFUSED = re.compile(r'"status": ?4\d\d|^HTTP/1.1 4\d\d|^4\d\d', re.MULTILINE)
_MARK = "@@ block"
#: `...` outside of texts: after a number, in place of a value, of members, of entries.
_CUT = re.compile(r'("(?:[^"\\]|\\.)*")|(-?\d[\d.e+-]*?)?\.\.\.(?=(\s*[]}])?)')


@dataclass
class Step:
    """A program and what it prints, where the page says so."""

    language: str
    program: str
    form: str = ""
    answer: str = ""


def steps_of(markdown: str) -> list[Step]:
    steps: list[Step] = []
    for language, text in _BLOCK.findall(markdown):
        if language in _PROGRAMS:
            steps.append(Step(language, text))
        else:
            assert not steps[-1].answer, "two answers to one program"
            steps[-1].form, steps[-1].answer = language, text
    return steps


@pytest.mark.parametrize("name", PAGES)
def test_the_page_does_what_it_says(
    name: str, service: Service, sandbox: dict[str, Any], tmp_path: Path
) -> None:
    steps = steps_of(PAGES[name].path.read_text())
    assert steps
    client_id, secret = service.oauth_client(sandbox["api_key"], ["portfolios:read"])
    done = subprocess.run(
        ["bash", "-c", script(steps)],
        cwd=tmp_path,
        timeout=300,
        env={
            **os.environ,
            "API": f"{service.base_url}/v1",
            "RISK_KEY": sandbox["api_key"],
            "HOOK_URL": "https://localhost/riskapi",
            "PYTHONPATH": str(ROOT / "client"),
            "CLIENT_ID": client_id,
            "CLIENT_SECRET": secret,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout[-2_000:], done.stderr[-2_000:])
    printed = done.stdout.split(f"{_MARK}\n")[1:]
    for step, output in zip(steps, printed, strict=True):
        check(step, output)


def script(steps: list[Step]) -> str:
    """The whole page as one script: what a command or a program has set, the next ones know."""
    lines = ["set -euo pipefail"]
    for language, together in itertools.groupby(steps, key=lambda step: step.language):
        if language == "python":
            programs = [f"print('\\n{_MARK}')\n{step.program}" for step in together]
            lines += [f"{sys.executable} - <<'END'", *programs, "END"]
        else:
            lines += [f"echo; echo '{_MARK}'\n{command(step)}" for step in together]
    return "\n".join(lines)


def command(step: Step) -> str:
    lines = _SETTING.sub("", step.program)
    if _REFUSED.search(step.answer):
        return lines
    return lines.replace("curl -s", "curl -sS --fail-with-body")


def check(step: Step, output: str) -> None:
    """Hold what was printed against what the page shows."""
    if step.form == "json":
        problem = difference(cut_json(step.answer), json.loads(output))
        assert problem is None, f"{problem}\nof\n{step.program}\nwhich printed\n{output[:2_000]}"
    elif step.answer:
        lines = (re.escape(line).replace(r"\.\.\.", ".*") for line in step.answer.splitlines())
        for line in lines:
            found = re.search(f"^{line}\\s*$", output, re.MULTILINE | re.IGNORECASE)
            assert found, f"{line}\nof\n{step.program}\nwhich printed\n{output[:2_000]}"


def cut_json(text: str) -> Any:
    """What a page shows, with the places where it was cut as texts."""

    def named(match: re.Match[str]) -> str:
        whole, number, end = match.group(1, 2, 3)
        if whole:
            return whole
        if number:
            return f'"{number}..."'
        return '"...": "..."' if end and end.strip() == "}" else '"..."'

    return json.loads(_CUT.sub(named, text))


def difference(shown: Any, real: Any, path: str = "") -> str | None:
    """Where the real answer is not as shown, or None."""
    if isinstance(shown, dict) and isinstance(real, dict):
        names = set(shown) - {"..."}
        if not names <= set(real) or ("..." not in shown and names != set(real)):
            return f"{path}: members {sorted(names ^ set(real))}"
        pairs = [(f"{path}/{name}", shown[name], real[name]) for name in names]
    elif isinstance(shown, list) and isinstance(real, list):
        entries = [one for one in shown if one != "..."]
        if len(entries) > len(real) or (len(entries) == len(shown) != len(real)):
            return f"{path}: {len(real)} entries"
        pairs = [(f"{path}/{i}", one, real[i]) for i, one in enumerate(entries)]
    else:
        return None if same(shown, real) else f"{path}: {real!r}"
    return next((found for pair in pairs if (found := difference(pair[1], pair[2], pair[0]))), None)


def same(shown: Any, real: Any) -> bool:
    if isinstance(shown, str) and "..." in shown:
        text = real if isinstance(real, str) else json.dumps(real)
        return re.fullmatch(re.escape(shown).replace(r"\.\.\.", ".*"), text, re.DOTALL) is not None
    if isinstance(shown, bool) or isinstance(real, bool) or not isinstance(shown, int | float):
        return type(shown) is type(real) and bool(shown == real)
    return isinstance(real, int | float) and math.isclose(shown, real, rel_tol=1e-9)


@pytest.mark.parametrize(
    ("shown", "real", "is_same"),
    [
        ('{"id": "pf_...", ...}', {"id": "pf_1", "name": "a"}, True),
        ('{"id": "pf_..."}', {"id": "pf_1", "name": "a"}, False),
        ('{"beta": 0.65...}', {"beta": 0.6597}, True),
        ('{"beta": 0.65...}', {"beta": 0.7}, False),
        ('{"rows": [{"n": 1}, ...]}', {"rows": [{"n": 1}, {"n": 2}]}, True),
        ('{"rows": [{"n": 1}]}', {"rows": [{"n": 1}, {"n": 2}]}, False),
        ('{"a": ..., "b": "x...y"}', {"a": [1], "b": "x, y"}, True),
        ('{"n": 1}', {"n": True}, False),
        ('{"reason": null, ...}', {"reason": "stale"}, False),
    ],
)
def test_an_answer_is_held_against_what_is_shown(shown: str, real: Any, is_same: bool) -> None:
    assert (difference(cut_json(shown), real) is None) is is_same
