"""What a person sees of the first results."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from riskapi.embedded.results_table import results_table


def lines(run: dict[str, Any]) -> list[str]:
    output = io.StringIO()
    Console(file=output, width=160).print(results_table([run], "First results"))
    return output.getvalue().splitlines()


def line_with(text: str, run: dict[str, Any]) -> str:
    return next(line for line in lines(run) if text in line)


def test_number_is_shown_with_error_unit_and_sample() -> None:
    beta = {"value": 0.49, "unit": "1", "se": 0.0233, "ci95": [0.4443, 0.5357], "n_obs": 252}
    beta |= {"first": "2025-11-19", "last": "2026-11-20"}
    run = {
        "kind": "semiconductor-beta",
        "status": "succeeded",
        "units": {"main": {"status": "ok", "result": {"beta_nav": beta}}},
    }
    row = line_with("leverage looked through", run)
    for part in ("0.4900 ± 0.0233", "252 obs 2025-11-19/2026-11-20", "ok"):
        assert part in row


def test_bare_ratio_takes_the_sample_of_its_result() -> None:
    result = {"fund_return": -0.21299, "sample": {"n_obs": 15, "first": "a", "last": "b"}}
    run = {
        "kind": "leveraged-drag",
        "status": "succeeded",
        "units": {"bear": {"status": "ok", "result": result}},
    }
    row = line_with("return of the fund", run)
    assert "-0.2130" in row
    assert "15 obs a/b" in row


def test_unit_without_a_number_shows_its_reason() -> None:
    unit = {"status": "insufficient_data", "result": None, "problem": {"detail": "17 of 60 days"}}
    run = {"kind": "hedge-effectiveness", "status": "partial", "units": {"main": unit}}
    assert "insufficient_data" in line_with("17 of 60 days", run)


def test_unavailable_figure_shows_why_and_its_own_status() -> None:
    absent = {"value": None, "unit": "1", "status": "degenerate", "reason": "no net exposure"}
    unit = {"status": "ok", "result": {"coverage_now": absent}}
    run = {"kind": "hedge-effectiveness", "status": "succeeded", "units": {"main": unit}}
    assert "degenerate" in line_with("no net exposure", run)


def test_run_that_was_refused_shows_the_problem() -> None:
    run = {"kind": "leveraged-drag", "status": "failed", "problem": {"title": "Not Found"}}
    assert "failed" in line_with("Not Found", run)
