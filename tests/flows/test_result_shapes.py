"""Results of the running service are as published: of the sample, and of real prices."""

from __future__ import annotations

from typing import Any

import pytest

from tests.flows.service import Api, Service
from tests.result_shapes import complaints


def units_of(cast: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every detail and several ways to ask, by kind."""
    asked = cast["analyses"]
    bear = asked["hedge-effectiveness"]["units"]["bear"]
    drag = asked["leveraged-drag"]["units"]
    benchmark = "SYNSEMI" if cast["synthetic"] else "SMH"
    return {
        "semiconductor-beta": {
            "plain": {},
            "full": {"rolling_series": True, "detail": ["gamma_ladder", "moving_beta"]},
            "straight": {"look_through": False, "window": 120},
        },
        "hedge-effectiveness": {
            "plain": bear,
            "full": {**bear, "detail": ["bootstrap"], "inception": drag["bear"]["from"]},
            "quarter": {**bear, "horizon_sessions": 63, "window": 120},
        },
        "leveraged-drag": {
            "portfolio": {},
            "fund": {**drag["bear"], "quantity": "48000", "detail": ["bootstrap"]},
            "year": drag["bull"],
        },
        "tail-risk": {"plain": {}, "short": {"window": 60, "confidence_levels": [0.999]}},
        "hedge-comparison": {
            "plain": {},
            "chain": {"underlying": benchmark, "notional": "1000000", "horizon_sessions": [1]},
        },
    }


def check(api: Api, cast: dict[str, Any]) -> set[str]:
    """Ask for all of it of every portfolio; the statuses that units came to."""
    seen: set[str] = set()
    for portfolio in cast["portfolios"]:
        for kind, units in units_of(cast).items():
            body = {"portfolio": portfolio["id"], "as_of": cast["as_of"], "units": units}
            answer = api.post(f"/v1/analyses/{kind}", body, Prefer="wait=20")
            assert answer.status == 200, answer.content
            assert complaints(f"{kind.title().replace('-', '')}RequestedRun", answer.json) == []
            for name, unit in answer.json["units"].items():
                seen.add(unit["status"])
                alone = api.get(f"{answer.headers['Location']}/units/{name}")
                assert complaints("StoredUnit", alone.json) == []
            run = api.get(answer.headers["Location"])
            assert complaints("Run", run.json) == []
    return seen


def test_results_of_the_sample_are_as_published(api: Api, sample: dict[str, Any]) -> None:
    assert "ok" in check(api, sample)


def test_results_of_real_prices_are_as_published(service: Service, demo: dict[str, Any]) -> None:
    assert "ok" in check(Api(service.base_url, demo["api_key"]), demo)


@pytest.mark.parametrize("kind", ["semiconductor-beta", "tail-risk"])
def test_units_are_one_to_two_hundred(api: Api, sample: dict[str, Any], kind: str) -> None:
    portfolio = sample["portfolios"][0]["id"]
    few: dict[str, Any] = {}
    units: dict[str, Any]
    for units in (few, {f"u{at}": {} for at in range(201)}):
        refused = api.post(f"/v1/analyses/{kind}", {"portfolio": portfolio, "units": units})
        assert (refused.status, refused.json["errors"][0]["pointer"]) == (400, "/units")
    most = {f"u{at}": {"window": 60 + at} for at in range(200)}
    answer = api.post(
        f"/v1/analyses/{kind}", {"portfolio": portfolio, "units": most}, Prefer="wait=20"
    )
    while answer.json["status"] not in {"succeeded", "partial", "failed"}:
        answer = api.get(f"/v1/runs/{answer.json['id']}?wait=20")
    assert answer.json["progress"] == {"done": 200, "total": 200}
    assert {unit["status"] for unit in answer.json["units"].values()} == {"ok"}
