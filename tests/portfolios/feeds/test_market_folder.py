"""The verdicts on the real files, good and dirty."""

from __future__ import annotations

from datetime import date
from time import perf_counter

import pytest

from portfolios.feeds import FeedHints, FileVerdict, Kind, Status, read_file, read_folder
from tests.portfolios.feeds.market import FUNDS, hints_for, needs_market, series
from tests.switches import MARKET

pytestmark = needs_market


def _dirty(name: str, *, stored: bool = False, hints: FeedHints | None = None) -> FileVerdict:
    path = MARKET / "dirty" / name
    known = hints_for(name.split("_")[0], stored=stored)
    verdict = read_file(path, name=name, hints=known if hints is None else hints)
    assert verdict.rows_in == verdict.rows_accepted + verdict.rows_rejected
    return verdict


@pytest.mark.parametrize("knowing", ["nothing", "actions and leverage", "stored rows too"])
def test_every_good_file_is_accepted_whole(knowing: str) -> None:
    started = perf_counter()
    n_rows = 0
    for path, kind in read_folder(MARKET, after=frozenset(FUNDS)):
        hints = FeedHints()
        if kind is Kind.PRICES and knowing != "nothing":
            hints = hints_for(path.stem, stored=knowing == "stored rows too")
        elif kind is Kind.DISTRIBUTIONS and knowing != "nothing":
            tickers = ("SOXL", "SOXS", "SPY", "BIL", "NVDA", "XOM")
            hints = FeedHints(closes={t: series(t) for t in tickers})
        verdict = read_file(path, name=path.name, hints=hints)
        expected = {"open-outside-range"} if path.stem == "SOX" else set()
        assert verdict.codes == expected, path
        assert verdict.rows_rejected == 0, path
        assert verdict.kind is kind
        n_rows += verdict.rows_in
    assert n_rows > 110_000
    assert perf_counter() - started < 15  # about 1 s on an idle machine


def test_known_defect_of_the_sox_file_costs_one_cell() -> None:
    verdict = read_file(MARKET / "prices" / "SOX.csv", name="SOX.csv", hints=FeedHints("SOX"))
    (problem,) = verdict.problems
    assert (problem.column, problem.value) == ("open", "2906.3")
    row = verdict.accepted["date"].to_pylist().index(date(2023, 4, 26))
    assert verdict.accepted["open"][row].as_py() is None
    assert verdict.accepted["close"][row].as_py() is not None


@pytest.mark.parametrize("hints", [None, FeedHints()])
def test_scale_break_names_day_and_factor(hints: FeedHints | None) -> None:
    verdict = _dirty("SOXS_scale_break.csv", hints=hints)
    assert verdict.status is Status.ACCEPTED_WITH_QUARANTINE
    assert verdict.rejected_rows.tolist() == list(range(2, 12))
    texts = {p.message for p in verdict.problems if p.code == "scale-break"}
    assert texts == {"prices before 2026-05-26 are 15 times the others"}


def test_misscaled_distributions_are_refused_by_name() -> None:
    verdict = _dirty("SOXS_distributions_misscaled.csv")
    assert verdict.status is Status.REFUSED
    assert "distributions-misscaled" in verdict.codes
    assert "2010-12-14" in verdict.problems[0].message


def test_misscaled_distributions_are_refused_without_any_knowledge() -> None:
    verdict = _dirty("SOXS_distributions_misscaled.csv", hints=FeedHints())
    assert verdict.status is Status.REFUSED
    assert "+186.0% on 2010-12-14" in verdict.problems[0].message


def test_two_instruments_under_one_header_are_refused() -> None:
    verdict = _dirty("NXPI_two_tickers_in_one_file.csv")
    assert verdict.status is Status.REFUSED
    assert verdict.codes == {"two-instruments"}


def test_weekend_rows_are_rejected_one_by_one() -> None:
    verdict = _dirty("SOXL_phantom_weekend_rows.csv")
    assert verdict.status is Status.ACCEPTED_WITH_QUARANTINE
    assert verdict.problem_counts["not-a-session"] == verdict.rows_rejected == 29
    assert verdict.rows_accepted == 399
    assert any("15 times the one before" in p.message for p in verdict.problems)


def test_jump_that_leverage_times_index_does_not_explain() -> None:
    verdict = _dirty("NVDS_false_minus79_day.csv")
    assert verdict.status is Status.ACCEPTED_WITH_QUARANTINE
    assert verdict.file_problems[0].code == "unexplained-jump"
    assert "-78.8% where multiple times index gives +7.1%" in verdict.file_problems[0].message
    assert verdict.rejected_rows.tolist() == list(range(2, 49))


def test_us_export_is_read_right() -> None:
    verdict = _dirty("SOXX_us_export_newest_first.csv")
    assert verdict.status is Status.ACCEPTED
    assert {"byte-order-mark", "us-dates", "newest-first", "first-change"} <= {
        n.code for n in verdict.notes
    }
    last = verdict.accepted.slice(verdict.rows_accepted - 1).to_pylist()[0]
    assert last["date"] == date(2025, 8, 29)
    assert (last["close"], last["volume"], last["row"]) == ("245.32", "8670000", 2)


def test_second_header_row_is_skipped() -> None:
    verdict = _dirty("SOXS_multirow_header.csv", stored=True)
    assert verdict.status is Status.ACCEPTED
    assert verdict.rows_in == verdict.rows_accepted == 47
    assert "second-header-row" in {n.code for n in verdict.notes}


def test_stray_first_row_is_rejected() -> None:
    verdict = _dirty("SPY_stray_first_row_one_venue_volume.csv", hints=FeedHints("SPY"))
    assert verdict.status is Status.ACCEPTED_WITH_QUARANTINE
    assert verdict.rejected_rows.tolist() == [2]
    assert verdict.codes == {"stray-row"}
    assert verdict.accepted["date"][0].as_py() == date(2020, 7, 27)


def test_closes_adjusted_for_distributions_are_no_closes() -> None:
    verdict = _dirty("SPY_stray_first_row_one_venue_volume.csv", stored=True)
    assert verdict.status is Status.REFUSED
    assert {"close-is-adjusted", "stray-row"} <= verdict.codes


def test_day_far_from_three_times_the_index_is_real() -> None:
    verdict = read_file(MARKET / "prices" / "SOXL.csv", name="SOXL.csv", hints=hints_for("SOXL"))
    assert date(2020, 3, 17) in verdict.accepted["date"].to_pylist()
    assert verdict.status is Status.ACCEPTED
