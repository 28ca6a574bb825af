"""Parts of the installation die. What was accepted is done; what cannot be is refused with 503."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from tests.flows.service import Api, Service

_windows = itertools.count(61)


@pytest.fixture(autouse=True)
def mended(service: Service, sample: dict[str, Any]) -> Iterator[None]:
    """Whatever a test has broken works again for the next one."""
    yield
    service.mend()


def submit(api: Api, sample: dict[str, Any], **headers: str) -> Any:
    """A request that nobody made before."""
    body = {
        **sample["analyses"]["semiconductor-beta"],
        "units": {"main": {"window": next(_windows)}},
    }
    return api.post("/v1/analyses/semiconductor-beta", body, **headers)


def status_of(api: Api, location: str) -> str:
    answer = api.get(location)
    return str(answer.json["status"]) if answer.status == 200 else "unreachable"


def test_without_a_worker_requests_are_accepted_and_done_later(
    service: Service, api: Api, sample: dict[str, Any]
) -> None:
    service.kill("worker")

    answer = submit(api, sample, Prefer="wait=1")

    assert answer.status == 202
    location = answer.headers["Location"]
    assert status_of(api, location) in {"queued", "running"}
    service.launch("worker")
    service.wait_until(lambda: status_of(api, location) == "succeeded")


def test_without_a_broker_requests_are_accepted_and_done(
    service: Service, api: Api, sample: dict[str, Any]
) -> None:
    service.valkey.stop()

    answer = submit(api, sample)

    assert answer.status == 202
    location = answer.headers["Location"]
    service.valkey.start()
    service.valkey.wait()
    service.wait_until(lambda: status_of(api, location) == "succeeded")


def test_without_the_database_every_answer_is_a_503_problem(
    service: Service, api: Api, sample: dict[str, Any]
) -> None:
    assert api.get("/v1/me").status == 200
    service.postgres.stop()

    for answer in (api.get("/v1/me"), submit(api, sample), api.get("/readyz")):
        assert answer.status == 503, answer.content
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert api.get("/v1/me").headers["Retry-After"]
    assert api.get("/healthz").status == 200

    service.postgres.start()
    service.postgres.wait()
    service.wait_until(lambda: api.get("/v1/me").status == 200)
    location = submit(api, sample).headers["Location"]
    service.wait_until(lambda: status_of(api, location) == "succeeded")
