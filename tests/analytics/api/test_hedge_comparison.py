"""The comparison over HTTP: for a book, and strict about its parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from portfolios.models import Instrument
from tests.callers import Caller
from tests.market_facts import closes_of, make_portfolio, simulated_returns

PATH = "/v1/analyses/hedge-comparison"


def test_notional_of_a_book_is_its_net_exposure(
    caller: Caller, instruments: dict[str, Instrument], work: Callable[[], int]
) -> None:
    book = make_portfolio(caller.client, instruments, {"NVDA": "100", "SOXS": "1"})
    accepted = caller.post(PATH, {"portfolio": book.public_id})
    assert accepted.status == 202, accepted.body
    work()
    unit = caller.get(accepted.headers["Location"]).body["units"]["main"]
    assert unit["status"] == "ok", unit
    notional = float(unit["result"]["notional"]["value"])
    returns = simulated_returns()
    nvda, soxs = (closes_of(returns[name])[-1] for name in ("NVDA", "SOXS"))
    assert notional == pytest.approx(100 * nvda - 3 * soxs, abs=0.01)
    short = unit["result"]["hedges"][0]
    assert float(short["legs"][0]["value"]) == pytest.approx(-notional)


@pytest.mark.parametrize(
    ("unit", "pointer"),
    [
        ({}, "/units/main/notional"),
        ({"notional": "100"}, "/units/main/underlying"),
        ({"notional": "-5", "underlying": "SOX"}, "/units/main/notional"),
        ({"notional": "100", "underlying": "SOX", "moves": [-1.0]}, "/units/main/moves/0"),
        ({"notional": "100", "underlying": "SOX", "strikes": [1]}, "/units/main/strikes"),
    ],
)
def test_bad_parameters_are_refused_by_name(
    caller: Caller, instruments: dict[str, Instrument], unit: dict[str, Any], pointer: str
) -> None:
    answer = caller.post(PATH, {"units": {"main": unit}})
    assert answer.status in {400, 422}, answer.body
    assert answer.body["errors"][0]["pointer"] == pointer
