"""Every command and every program of the guide is run, against the running service."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Any

import pytest

from riskapi.api.guide import ORDER, PAGES
from tests.flows.service import Service
from tests.flows.workers import ROOT

#: What the commands of a page have to print.
PROMISED = {
    "getting-started": (
        r'"beta_nav": \{', r'"se": 0\.\d', r'"verdict": "(pass|fail|inconclusive)"',
        r'"convexity": -?\d', r'"median"', r"Figure\(value=\d", r"unit_of_measure",
    ),
    "reading": (
        r'"count":\d', r'"benchmark":\{"symbol":', r'\{"positions":\[\{"instrument":\{"kind":',
        r'"gross_exposure":\{"value":(null,"unit":"USD","reason":"\d+ of|"\d)', r'"valued":\d',
    ),
    "sandbox": (r'"test"', r'"status": "failed"', r'"unit": "stale"', r'"code": "stale-price"'),
}  # fmt: skip
_BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: Where the guide says how to begin, the test says where its service is.
_SETTING = re.compile(r"^export \w+=.*\n", re.MULTILINE)


@pytest.mark.parametrize("name", ORDER)
def test_the_page_does_what_it_says(
    name: str, service: Service, sample: dict[str, Any], sandbox: dict[str, Any]
) -> None:
    blocks = _BLOCK.findall((PAGES / f"{name}.md").read_text())
    assert blocks
    shell = ["set -euo pipefail"]
    for language, text in blocks:
        if language == "sh":
            shell.append(_SETTING.sub("", text).replace("curl -s", "curl -sS --fail-with-body"))
        else:
            shell.append(f"{sys.executable} - <<'END'\n{text}END")
    done = subprocess.run(
        ["bash", "-c", "\n".join(shell)],
        env={
            **os.environ,
            "API": f"{service.base_url}/v1",
            "RISK_KEY": sample["api_key"],
            "RISK_TEST_KEY": sandbox["api_key"],
            "PYTHONPATH": str(ROOT / "client"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout[-2_000:], done.stderr[-2_000:])
    for figure in PROMISED[name]:
        assert re.search(figure, done.stdout), (figure, done.stdout[-2_000:])
