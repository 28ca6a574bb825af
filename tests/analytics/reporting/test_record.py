"""The record adds up, names its data, and says what changed."""

from __future__ import annotations

import json
from datetime import date

import pytest

from analytics.reporting.record import canonical_json, content_hash
from tests.analytics.reporting.example import record, with_previous


def test_totals_are_the_sum_of_the_items() -> None:
    made = record()
    statuses = [
        item["status"] for entry in made["portfolios"] for item in entry["measures"].values()
    ]
    assert made["totals"]["portfolios"] == 3
    assert made["totals"]["items"] == len(statuses) == 9
    assert made["totals"]["by_status"] == {name: statuses.count(name) for name in set(statuses)}


def test_record_names_its_data_and_methods() -> None:
    made = record()
    assert made["data_as_of"] == "2026-11-20"
    assert made["known_at"] == "2026-11-21T02:10:04Z"
    assert made["method_versions"]["semiconductor-beta"] == "semi-beta/1.0.0"


def test_first_report_compares_with_nothing() -> None:
    made = record()
    assert made["previous"] is None
    assert made["changes"] == []


def test_changes_are_the_figures_that_moved() -> None:
    [change] = with_previous()["changes"]
    assert (change["portfolio"], change["change"]) == ("pf_1", "beta_nav")
    assert (change["before"], change["after"]) == (0.7011, 0.7427)


def test_the_last_digits_of_a_number_are_no_change() -> None:
    before = record(day=date(2026, 11, 19), beta=0.7427 * (1 + 1e-15))
    assert record(previous={"id": "rep_1", "record": before})["changes"] == []


def test_a_changed_status_and_a_lost_portfolio_are_said() -> None:
    before = record(day=date(2026, 11, 19))
    before["portfolios"][1]["measures"]["semiconductor-beta"]["status"] = "ok"
    before["portfolios"].append({**before["portfolios"][0], "id": "pf_9", "name": "Gone"})
    changes = record(previous={"id": "rep_1", "record": before})["changes"]
    assert [(c["portfolio"], c["change"]) for c in changes] == [
        ("pf_2", "status of semiconductor-beta"),
        ("pf_9", "removed"),
    ]


def test_equal_records_have_equal_hashes_and_no_nan() -> None:
    assert content_hash(record()) == content_hash(json.loads(canonical_json(record())))
    assert content_hash(record()) != content_hash(record(revision=2))
    with pytest.raises(ValueError, match="Out of range"):
        canonical_json({"beta": float("nan")})
