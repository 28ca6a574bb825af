"""Bad input and what is said about it: never a number, never a bare 500."""

from __future__ import annotations

import copy
import gzip
from typing import Any

import pytest

from tests.flows.service import Answer, Api, Service

AS_OF = "2026-10-30"
_CSV = {"Content_Type": "text/csv", "Idempotency_Key": "zeros"}


@pytest.fixture
def portfolio(api: Api) -> str:
    made = api.post("/v1/portfolios", {"name": "Refusals", "benchmark": "SYNSEMI"})
    assert made.status == 201, made.content
    identity: str = made.json["id"]
    return identity


def put(api: Api, portfolio: str, *lines: tuple[str, Any], as_of: str = AS_OF) -> Answer:
    positions = [{"instrument": symbol, "quantity": quantity} for symbol, quantity in lines]
    return api.put(f"/v1/portfolios/{portfolio}/positions?as_of={as_of}", {"positions": positions})


def beta(api: Api, portfolio: str, **unit: Any) -> dict[str, Any]:
    """The one unit of a finished semiconductor beta."""
    answer = api.post(
        "/v1/analyses/semiconductor-beta",
        {"portfolio": portfolio, "as_of": unit.pop("as_of", AS_OF), "units": {"main": unit}},
        Prefer="wait=20",
    )
    assert answer.status == 200, answer.content
    result: dict[str, Any] = answer.json["units"]["main"]
    return result


def refused(answer: Answer, status: int, code: str) -> dict[str, Any]:
    """Check the shape that all errors share."""
    assert answer.status == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json
    assert problem["status"] == status
    assert problem["code"] == code, problem
    assert {"type", "title", "detail", "instance", "request_id"} <= set(problem)
    return problem


def test_unknown_instrument_comes_with_suggestions(api: Api, portfolio: str) -> None:
    problem = refused(put(api, portfolio, ("SYNBAER", "10")), 422, "unknown-instrument")

    [error] = problem["errors"]
    assert error["pointer"] == "/positions/0/instrument"
    assert error["value"] == "SYNBAER"
    assert error["suggestion"][0] == "SYNBEAR"


def test_positions_on_a_day_without_trading_name_the_session_before(
    api: Api, portfolio: str
) -> None:
    problem = refused(
        put(api, portfolio, ("CHIPA", "10"), as_of="2026-10-31"), 422, "not-a-session"
    )

    assert problem["previous_session"] == "2026-10-30"


def test_seventeen_observations_are_too_few(api: Api, portfolio: str) -> None:
    as_of = "2022-10-26"  # the 18th close on file
    assert put(api, portfolio, ("CHIPA", "10"), as_of=as_of).status == 201

    unit = beta(api, portfolio, as_of=as_of)

    assert unit["status"] == "insufficient_data"
    assert unit["result"] is None
    assert unit["problem"]["code"] == "insufficient-history"
    assert unit["problem"]["available_obs"] == 17
    assert unit["problem"]["required_obs"] == 60


def upload_prices(service: Service, api: Api, symbol: str, closes: dict[str, str]) -> None:
    """Make an instrument of the client's own and give it closes."""
    made = api.post("/v1/instruments", {"symbol": symbol, "kind": "etf", "name": symbol})
    assert made.status == 201, made.content
    sent = api.post(
        "/v1/prices",
        {
            "prices": [
                {"instrument": symbol, "session": day, "close": close}
                for day, close in closes.items()
            ]
        },
    )
    assert sent.status in {200, 201}, sent.content


@pytest.fixture
def sessions(api: Api) -> list[str]:
    """The last sessions to AS_OF, as the prices on file have them."""
    answer = api.get(f"/v1/prices?instrument=SYNSEMI&to={AS_OF}&sort=-session&limit=300")
    assert answer.status == 200, answer.content
    return sorted(row["session"] for row in answer.json["data"])


def test_constant_benchmark_is_degenerate(
    service: Service, api: Api, portfolio: str, sessions: list[str]
) -> None:
    upload_prices(service, api, "FLAT", dict.fromkeys(sessions, "100"))
    assert put(api, portfolio, ("CHIPA", "10")).status == 201

    unit = beta(api, portfolio, benchmark="FLAT")

    assert unit["status"] == "degenerate"
    assert unit["result"] is None
    assert unit["problem"]["code"] == "zero-variance"


def test_missing_exchange_rate_gives_no_value_rather_than_a_wrong_one(
    api: Api, portfolio: str
) -> None:
    assert put(api, portfolio, ("CHIPA", "10"), ("CASH.TWD", "1000000")).status == 201

    unit = beta(api, portfolio)

    assert unit["status"] == "error"
    assert unit["result"] is None
    assert unit["problem"]["code"] == "missing-fx"
    assert unit["problem"]["pair"] == "TWDUSD"


def test_stale_price_is_named(
    service: Service, api: Api, portfolio: str, sessions: list[str]
) -> None:
    closes = {day: f"{100 + n % 7}" for n, day in enumerate(sessions[:-5])}
    upload_prices(service, api, "HALTED", closes)
    assert put(api, portfolio, ("CHIPA", "10"), ("HALTED", "10")).status == 201

    unit = beta(api, portfolio, on_stale="fail")

    assert unit["status"] == "stale"
    assert unit["result"] is None
    assert unit["problem"]["code"] == "stale-price"
    [halted] = unit["problem"]["instruments"]
    assert halted["age_sessions"] == 5


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e400", b'"1e400"'])
def test_what_is_no_finite_number_is_refused(api: Api, portfolio: str, number: bytes) -> None:
    body = b'{"positions": [{"instrument": "CHIPA", "quantity": %s}]}' % number

    answer = api.put(f"/v1/portfolios/{portfolio}/positions?as_of={AS_OF}", body)

    assert answer.status == 400, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert api.get(f"/v1/portfolios/{portfolio}/positions").status == 404


def test_what_is_unknown_in_a_request_is_refused(api: Api, portfolio: str) -> None:
    answer = api.post(
        "/v1/analyses/semiconductor-beta",
        {"portfolio": portfolio, "as_of": AS_OF, "units": {"main": {"windw": 60}}},
    )

    assert answer.status in {400, 422}, answer.content
    assert "windw" in answer.content.decode()


def test_a_foreign_portfolio_does_not_exist(
    service: Service, api: Api, sample: dict[str, Any]
) -> None:
    stranger = Api(service.base_url, service.stranger_key())
    foreign = sample["portfolios"][0]["id"]
    body = copy.deepcopy(sample["analyses"]["semiconductor-beta"])
    done = api.post("/v1/analyses/semiconductor-beta", body, Prefer="wait=20")

    for answer in (
        stranger.get(f"/v1/portfolios/{foreign}"),
        stranger.get(f"/v1/portfolios/{foreign}/positions"),
        put(stranger, foreign, ("CASH.USD", "1")),
        stranger.post("/v1/analyses/semiconductor-beta", body),
        stranger.get(f"/v1/runs/{done.json['id']}"),
        stranger.get("/v1/portfolios/pf_" + "0" * 32),
    ):
        refused(answer, 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/nothing", 404), ("DELETE", "/v1/me", 405), ("GET", "/nothing", 404)],
)
def test_errors_of_the_protocol_are_problems_too(
    api: Api, method: str, path: str, status: int
) -> None:
    answer = api.send(method, path, None)

    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_body_that_is_not_json_is_415(api: Api) -> None:
    answer = api.send("POST", "/v1/portfolios", b"name=x", Content_Type="text/plain")

    assert answer.status == 415
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_two_hundred_megabytes_of_packed_zeros_do_not_hurt(service: Service, api: Api) -> None:
    bomb = gzip.compress(b"date,close\n" + b"0" * 200_000_000)
    assert len(bomb) < 1_000_000

    answer = api.send("POST", "/v1/imports?filename=CHIPA.csv.gz", bomb, **_CSV)

    assert answer.status == 202, answer.content
    path = f"/v1/imports/{answer.json['id']}"
    service.wait_until(lambda: api.get(path).json["status"] in {"refused", "failed", "done"})
    assert api.get(path).json["status"] == "refused"
    assert api.get(f"{path}/errors").json["data"]
    assert api.get("/readyz").status == 200
    assert max(map(service.peak_megabytes, ("web", "worker"))) < 600


def test_two_hundred_megabytes_of_zeros_are_cut_off(service: Service, api: Api) -> None:
    status = service.status_of_upload("/v1/imports?filename=CHIPA.csv", 200_000_000, api, _CSV)

    assert status == 413
    assert api.get("/readyz").status == 200
    assert service.peak_megabytes("web") < 600
