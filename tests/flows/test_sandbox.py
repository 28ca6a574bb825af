"""The two outcomes that need time, with workers and the relay of the running service."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.flows.service import Api, Service
from tests.sizes import LONG

#: Three attempts a second apart, and a sweep after them.
_PATIENCE = 60.0


@pytest.fixture
def developer(service: Service, sandbox: dict[str, Any]) -> Api:
    return Api(service.base_url, sandbox["api_key"])


def ask(api: Api, external_id: str, **headers: str) -> dict[str, Any]:
    (book,) = api.get(f"/v1/portfolios?external_id={external_id}").json["data"]
    body = {"portfolio": book["id"], "force": True}
    run: dict[str, Any] = api.post("/v1/analyses/semiconductor-beta", body, **headers).json
    return run


def over(api: Api, run: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + _PATIENCE
    while run["status"] in ("queued", "running") and time.monotonic() < deadline:
        time.sleep(0.5)
        run = api.get(f"/v1/runs/{run['id']}").json
    return run


def test_what_breaks_is_given_up(developer: Api) -> None:
    run = over(developer, ask(developer, "pf_test_fail500"))
    unit = run["units"]["main"]
    assert (run["status"], unit["status"]) == ("failed", "error")
    assert unit["problem"]["code"] == "quarantined"


def test_others_are_served_while_one_waits(developer: Api, api: Api) -> None:
    """More of them than there are workers; in the long form they are waited for."""
    began = time.monotonic()
    slow = [ask(developer, "pf_test_slow30s") for _ in range(4)]
    for caller in (developer, api):
        assert ask(caller, "semis", Prefer="wait=20")["status"] == "succeeded"
    waiting = [developer.get(f"/v1/runs/{run['id']}").json for run in slow]
    if time.monotonic() - began < 25:
        assert {run["status"] for run in waiting} == {"queued"}
    if LONG:
        assert {over(developer, run)["status"] for run in slow} == {"succeeded"}
        assert time.monotonic() - began >= 30
    else:
        for run in slow:
            developer.send("DELETE", f"/v1/runs/{run['id']}", None)
