"""Many callers at once, over kept connections, while the web server is killed: one effect each."""

from __future__ import annotations

import http.client
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any

import pytest

from tests.flows.service import Answer, Api, Service
from tests.sizes import sized

pytestmark = pytest.mark.slow

KEYS = sized(25, 500)
POSTS = 20
KILLS = sized(2, 20)
REQUESTS = 1_000
#: What may be sent again: nobody knows what became of it, or the answer says so.
_AGAIN = {409, 429, 502, 503}


@pytest.fixture(autouse=True)
def mended(service: Service) -> Iterator[None]:
    yield
    service.mend()


@pytest.fixture
def stranger(service: Service) -> Api:
    return Api(service.base_url, service.stranger_key())


def persistent(send: Callable[[], Answer]) -> Answer:
    """Send until there is an answer that counts, as a careful client does."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            answer = send()
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)
            continue
        if answer.status not in _AGAIN:
            return answer
        time.sleep(0.1)
    raise AssertionError("no answer within two minutes")


def kill_now_and_then(service: Service, work: Sequence[Future[Any]]) -> None:
    """Kill the web server and start it again, `KILLS` times, while there is work.

    In the thread that calls: a process we start is told when the thread that started it ends.
    """
    for _ in range(KILLS):
        wait(work, timeout=1.0)
        service.kill("web")
        service.launch("web")
        service.wait_until(lambda: Api(service.base_url, None).get("/healthz").status == 200)


def everybody(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    with ThreadPoolExecutor(POSTS) as pool:
        return [future.result() for future in [pool.submit(job) for job in jobs]]


def pages(api: Api, path: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    address = path
    while address:
        page = persistent(partial(api.get, address)).json
        rows += page["data"]
        address = page["next_url"]
    return rows


def has_succeeded(api: Api, run: str) -> bool:
    return bool(api.get(f"/v1/runs/{run}").json["status"] == "succeeded")


def test_each_key_has_one_effect_while_the_web_server_is_killed(
    service: Service, stranger: Api
) -> None:
    def post(number: int) -> tuple[int, Answer]:
        name = f"keyed-{number}"
        body = {"name": name, "external_id": None}
        return number, persistent(
            lambda: stranger.post("/v1/portfolios", body, Idempotency_Key=name)
        )

    answers: dict[int, set[bytes]] = defaultdict(set)
    with ThreadPoolExecutor(POSTS) as pool:
        # All posts of a key together: that is where they race.
        work = [pool.submit(post, number) for number in range(KEYS) for _ in range(POSTS)]
        kill_now_and_then(service, work)
        for number, answer in (future.result() for future in work):
            assert answer.status == 201, answer.content
            answers[number].add(answer.content)

    assert all(len(bodies) == 1 for bodies in answers.values())
    made = [row for row in pages(stranger, "/v1/portfolios?limit=1000") if "keyed-" in row["name"]]
    assert len(made) == len({row["name"] for row in made}) == KEYS


def test_the_same_analysis_asked_for_by_many_is_one_run(
    service: Service, api: Api, sample: dict[str, Any]
) -> None:
    asked = sample["analyses"]["semiconductor-beta"]

    def post(window: int) -> tuple[int, str]:
        body = {**asked, "units": {"main": {"window": window, "hac_lags": 3}}}
        answer = persistent(lambda: api.post("/v1/analyses/semiconductor-beta", body))
        assert answer.status in (200, 202), answer.content
        return window, answer.json["id"]

    windows = range(300, 300 + sized(5, 60))
    jobs = [partial(post, window) for window in windows for _ in range(POSTS)]
    runs: dict[int, set[str]] = defaultdict(set)
    for window, run in everybody(jobs):
        runs[window].add(run)

    assert {len(ids) for ids in runs.values()} == {1}
    assert len({run for ids in runs.values() for run in ids}) == len(windows)
    for ids in runs.values():
        for run in ids:
            service.wait_until(partial(has_succeeded, api, run))


def test_requests_of_two_clients_on_kept_connections_never_mix(
    service: Service, api: Api, stranger: Api
) -> None:
    mine = {row["id"] for row in pages(api, "/v1/portfolios?limit=1000")}
    persistent(lambda: stranger.post("/v1/portfolios", {"name": "a stranger's own"}))
    theirs = {row["id"] for row in pages(stranger, "/v1/portfolios?limit=1000")}
    assert mine
    assert theirs
    assert not mine & theirs
    seen = everybody([lambda: _interleaved(service, api, stranger)] * 4)
    assert sum(len(found) for found in seen) == REQUESTS
    for found in seen:
        for owner, ids in found:
            assert ids <= (mine if owner is api else theirs)
            assert ids


def _interleaved(service: Service, *callers: Api) -> list[tuple[Api, set[str]]]:
    """A quarter of the requests over one connection, its callers by turns."""
    found = []
    connection = http.client.HTTPConnection(service.base_url.removeprefix("http://"), timeout=60)
    for number in range(REQUESTS // 4):
        caller = callers[number % len(callers)]
        headers = {"Authorization": f"Bearer {caller.key}"}
        connection.request("GET", "/v1/portfolios?limit=1000", headers=headers)
        answer = connection.getresponse()
        body = json.loads(answer.read())
        assert answer.status == 200, body
        found.append((caller, {row["id"] for row in body["data"]}))
    connection.close()
    return found
