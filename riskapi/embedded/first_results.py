"""Load the sample client and have the running service compute its first results, over HTTP."""

from __future__ import annotations

import io
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.management import call_command

from riskapi.embedded.supervisor import LOCAL

#: The longest wait the API grants in one request.
_WAIT_SECONDS = 20
_PATIENCE_SECONDS = 90.0
_TERMINAL = frozenset({"succeeded", "partial", "failed", "canceled"})


@dataclass(frozen=True)
class Sample:
    """The client that `load_sample` made or found again."""

    client: str
    slug: str
    is_synthetic: bool
    api_key: str
    admin_username: str
    admin_password: str
    analyses: Mapping[str, Mapping[str, Any]]
    remarks: Sequence[str]


def load_sample(market: str | None) -> Sample:
    """Load the synthetic sample, or the market folder in its place."""
    output = io.StringIO()
    call_command("load_sample", market=market, stdout=output)
    facts: dict[str, Any] = json.loads(output.getvalue())
    remarks = [f"refused file: {name}" for name in facts["files_refused"]]
    remarks += [f"no price, so not held: {symbol}" for symbol in facts["left_out"]]
    return Sample(
        client=facts["client"],
        slug=facts["slug"],
        is_synthetic=facts["synthetic"],
        api_key=facts["api_key"],
        admin_username=facts["admin"]["username"],
        admin_password=facts["admin"]["password"],
        analyses=facts["analyses"],
        remarks=remarks,
    )


def load_sandbox(sample: Sample) -> str:
    """Make or complete the client's sandbox; its test key."""
    output = io.StringIO()
    call_command("load_sandbox", sample.slug, stdout=output)
    key: str = json.loads(output.getvalue())["api_key"]
    return key


def run_analysis(base_url: str, sample: Sample, kind: str) -> dict[str, Any]:
    """Post one analysis and return the finished run, as any client of the API would."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    wait = {"Prefer": f"wait={_WAIT_SECONDS}"}
    try:
        run = _call(f"{base_url}/v1/analyses/{kind}", sample, sample.analyses[kind], wait)
        while run["status"] not in _TERMINAL and time.monotonic() < deadline:
            time.sleep(0.5)
            run = _call(f"{base_url}/v1/runs/{run['id']}", sample)
    except urllib.error.HTTPError as error:
        run = {"kind": kind, "status": "failed", "problem": _problem(error)}
    return run


def succeeded(run: Mapping[str, Any]) -> bool:
    """Whether the run has numbers to show."""
    return run["status"] in {"succeeded", "partial"}


def _call(
    url: str,
    sample: Sample,
    body: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310 - our own http address
        url,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {sample.api_key}",
            "Content-Type": "application/json",
            **(headers or {}),
        },
    )
    with LOCAL.open(request, timeout=_WAIT_SECONDS + 10) as answer:
        content: dict[str, Any] = json.load(answer)
    return content


def _problem(error: urllib.error.HTTPError) -> dict[str, Any]:
    try:
        problem: dict[str, Any] = json.load(error)
    except ValueError:
        problem = {"status": error.code, "title": error.reason}
    return problem
