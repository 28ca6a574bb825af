"""Load the sample client and have the running service compute its first results, over HTTP."""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.management import call_command

from riskapi.embedded.supervisor import LOCAL

ANALYSES = ("semiconductor-beta", "hedge-effectiveness", "leveraged-drag")
#: The longest wait the API grants in one request.
_WAIT_SECONDS = 20


@dataclass(frozen=True)
class Sample:
    """The client that `load_sample` made or found again."""

    api_key: str
    admin_username: str
    admin_password: str
    analyses: Mapping[str, Mapping[str, Any]]


def load_sample(market: str | None) -> Sample:
    """Load the synthetic sample, or the market folder in its place."""
    output = io.StringIO()
    call_command("load_sample", market=market, stdout=output)
    facts: dict[str, Any] = json.loads(output.getvalue())
    bodies = {kind: {"portfolio": facts["portfolio_id"]} for kind in ANALYSES}
    return Sample(
        api_key=facts["api_key"],
        admin_username=facts["admin"]["username"],
        admin_password=facts["admin"]["password"],
        analyses=facts.get("analyses", bodies),
    )


def run_analysis(base_url: str, sample: Sample, kind: str) -> dict[str, Any]:
    """Post one analysis and return the finished run, as any client of the API would."""
    request = urllib.request.Request(  # noqa: S310 - our own http address
        f"{base_url}/v1/analyses/{kind}",
        data=json.dumps(sample.analyses[kind]).encode(),
        headers={
            "Authorization": f"Bearer {sample.api_key}",
            "Content-Type": "application/json",
            "Prefer": f"wait={_WAIT_SECONDS}",
        },
    )
    try:
        with LOCAL.open(request, timeout=_WAIT_SECONDS + 10) as answer:
            run: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        run = {"kind": kind, "status": "failed", "problem": _problem(error)}
    return run


def _problem(error: urllib.error.HTTPError) -> dict[str, Any]:
    try:
        problem: dict[str, Any] = json.load(error)
    except ValueError:
        problem = {"status": error.code, "title": error.reason}
    return problem
