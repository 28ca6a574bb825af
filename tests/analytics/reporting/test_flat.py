"""The flat table: every number once, numeric columns numeric, no formula in a text cell."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest

from analytics.reporting.flat import COLUMNS, csv_of
from tests.analytics.reporting.example import AWKWARD, record


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_of(record()))))


def found(rows: list[dict[str, str]], portfolio: str, figure: str) -> dict[str, str]:
    [row] = [r for r in rows if (r["portfolio_id"], r["figure"]) == (portfolio, figure)]
    return row


def test_a_figure_carries_its_unit_error_and_sample(rows: list[dict[str, str]]) -> None:
    row = found(rows, "pf_1", "beta_nav")
    assert (row["value"], row["unit"], row["se"]) == ("0.7427", "1", "0.0233")
    assert (row["n_obs"], row["first"], row["last"]) == ("252", "2025-11-19", "2026-11-20")
    assert found(rows, "pf_1", "nav")["value"] == "12500000.00"


def test_figures_of_lists_are_named_by_what_they_are_about(rows: list[dict[str, str]]) -> None:
    assert found(rows, "pf_1", "contributions.SOXS.contribution")["value"] == "-0.15"
    assert found(rows, "pf_1", "horizons.21.closed_form.at_minimum_variance")["value"] == "0.794"


def test_value_columns_are_numbers_or_empty(rows: list[dict[str, str]]) -> None:
    for row in rows:
        for name in ("value", "se", "ci95_low", "ci95_high", "n_obs"):
            assert row[name] == "" or Decimal(row[name]).is_finite()


def test_what_is_unavailable_has_a_row_with_its_reason(rows: list[dict[str, str]]) -> None:
    refused = [r for r in rows if r["portfolio_id"] == "pf_2" and r["measure"].startswith("semi")]
    assert [(r["value"], r["reason"]) for r in refused] == [("", "Insufficient history")]
    assert found(rows, "pf_1", "horizons.63.empirical")["reason"] == "4 blocks of at least 8"


def test_text_that_looks_like_a_formula_is_quoted(rows: list[dict[str, str]]) -> None:
    assert {r["portfolio"] for r in rows if r["portfolio_id"] == "pf_3"} == {f"'{AWKWARD}"}


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r"])
def test_every_formula_sign_is_quoted(first: str) -> None:
    made = record()
    made["portfolios"][0]["name"] = f"{first}cmd|' /C calc'!A0"
    text = csv_of(made)
    parsed = list(csv.DictReader(io.StringIO(text, newline="")))
    assert parsed[0]["portfolio"] == f"'{first}cmd|' /C calc'!A0"


def test_columns_are_those_declared() -> None:
    assert csv_of(record()).split("\r\n")[0] == ",".join(COLUMNS)


def test_each_row_says_whether_prices_are_synthetic() -> None:
    for synthetic in (True, False):
        said = record()
        said["client"] = {**said["client"], "synthetic": synthetic}
        rows = list(csv.DictReader(io.StringIO(csv_of(said))))
        assert {row["synthetic"] for row in rows} == {str(synthetic).lower()}
