"""Limits under requests that really arrive together: so many pass, and never one more."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.flows.service import Answer, Api, Service
from tests.sizes import sized

REQUESTS, QUOTA = sized(250, 1_000), sized(150, 600)
CONNECTIONS = 40

SAMPLE = "sample"

_windows = itertools.count(300)


def together(times: int, send: Callable[[], Answer]) -> list[Answer]:
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return [task.result() for task in [pool.submit(send) for _ in range(times)]]


@pytest.fixture
def limited(service: Service) -> Iterator[Callable[..., None]]:
    """Set limits of a client; they are gone after the test."""

    def limit(slug: str, **limits: int) -> None:
        values = ", ".join(f"{name} = {value}" for name, value in limits.items())
        service.postgres.execute(f"UPDATE portfolios_client SET {values} WHERE slug = '{slug}'")

    yield limit
    service.postgres.execute(
        "UPDATE portfolios_client SET requests_per_minute = NULL, runs_per_minute = NULL,"
        " max_open_runs = NULL"
    )
    service.postgres.execute("DELETE FROM portfolios_quotawindow")
    service.mend()


def submit(api: Api, body: dict[str, Any]) -> Answer:
    """A request that nobody made before."""
    units = {"main": {"window": next(_windows)}}
    return api.post("/v1/analyses/semiconductor-beta", {**body, "units": units})


def test_exactly_the_quota_of_requests_passes(
    service: Service, limited: Callable[..., None]
) -> None:
    api = Api(service.base_url, service.stranger_key())
    limited("stranger", requests_per_minute=QUOTA)

    answers = together(REQUESTS, lambda: api.get("/v1/portfolios"))

    assert Counter(answer.status for answer in answers) == {200: QUOTA, 429: REQUESTS - QUOTA}
    passed = sorted(a.headers["RateLimit"].split(";")[1] for a in answers if a.status == 200)
    assert passed == sorted(f"r={left}" for left in range(QUOTA))


def test_exactly_the_quota_of_open_runs_is_accepted(
    service: Service, api: Api, sample: dict[str, Any], limited: Callable[..., None]
) -> None:
    body = sample["analyses"]["semiconductor-beta"]
    # Runs of earlier tests would be counted.
    service.wait_until(lambda: api.get("/v1/status").json["queue"]["open_units"] == 0)
    service.kill("worker")
    limited(SAMPLE, max_open_runs=20, runs_per_minute=0)

    answers = together(60, lambda: submit(api, body))

    assert Counter(answer.status for answer in answers) == {202: 20, 429: 40}
    refusal = next(answer for answer in answers if answer.status == 429)
    assert refusal.json["violated-policies"] == ["inflight"]
    assert refusal.headers["Retry-After"]
    assert api.get("/v1/me").json["limits"]["inflight"] == {"quota": 20, "remaining": 0}
    service.launch("worker")
    service.wait_until(lambda: api.get("/v1/me").json["limits"]["inflight"]["remaining"] == 20)
    assert submit(api, body).status == 202


def test_exactly_the_quota_of_run_requests_passes(
    service: Service, api: Api, sample: dict[str, Any], limited: Callable[..., None]
) -> None:
    body = json.dumps(sample["analyses"]["semiconductor-beta"]).encode()
    limited(SAMPLE, runs_per_minute=30)

    answers = together(80, lambda: api.post("/v1/analyses/semiconductor-beta", body))

    counted = Counter(answer.status == 429 for answer in answers)
    assert counted == {False: 30, True: 50}


def test_without_valkey_limits_hold_and_nothing_is_refused_for_it(
    service: Service, api: Api, sample: dict[str, Any], limited: Callable[..., None]
) -> None:
    body = sample["analyses"]["semiconductor-beta"]
    limited(SAMPLE, requests_per_minute=40, runs_per_minute=10)
    service.valkey.stop()

    reads = together(25, lambda: api.get("/v1/portfolios"))
    runs = together(15, lambda: submit(api, body))

    assert {answer.status for answer in reads} == {200}
    assert Counter(answer.status for answer in runs) == {202: 10, 429: 5}
