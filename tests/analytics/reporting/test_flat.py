"""A report as a flat table: every number once, each with its book, its error and its reason."""

from __future__ import annotations

from typing import Any

import pytest

from analytics.reporting.flat import record_rows
from tests.analytics.reporting.example import record

Row = dict[str, Any]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return list(record_rows(record()))


def found(rows: list[Row], portfolio: str, measure: str, **keys: Any) -> Row:
    wanted = {"portfolio": portfolio, "measure": measure, **keys}
    [row] = [r for r in rows if wanted.items() <= r.items()]
    return row


def test_a_figure_carries_its_unit_error_and_sample(rows: list[Row]) -> None:
    row = found(rows, "pf_1", "beta_nav")
    assert (row["value"], row["unit_of_measure"], row["se"]) == (0.7427, "1", 0.0233)
    assert (row["n_obs"], row["first"], row["last"]) == (252, "2025-11-19", "2026-11-20")
    assert found(rows, "pf_1", "nav")["value_decimal"] == "12500000.00"


def test_figures_of_lists_are_named_by_what_they_are_about(rows: list[Row]) -> None:
    part = found(rows, "pf_1", "contributions.contribution", instrument="SOXS")
    assert part["value"] == -0.15
    closed = found(rows, "pf_1", "horizons.closed_form.at_minimum_variance", horizon_sessions=21)
    assert closed["value"] == 0.794


def test_what_is_unavailable_has_a_row_with_its_reason(rows: list[Row]) -> None:
    [refused] = [r for r in rows if (r["portfolio"], r["kind"]) == ("pf_2", "semiconductor-beta")]
    assert refused["status"] == "insufficient_data"
    assert refused["reason"]
    assert "value" not in refused
    empirical = found(rows, "pf_1", "horizons.empirical", horizon_sessions=63)
    assert empirical["reason"] == "4 blocks of at least 8"


def test_each_row_says_whether_prices_are_synthetic() -> None:
    for synthetic in (True, False):
        said = record()
        said["client"] = {**said["client"], "synthetic": synthetic}
        assert {row["synthetic"] for row in record_rows(said)} == {synthetic}
