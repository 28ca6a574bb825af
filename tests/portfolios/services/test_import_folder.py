"""Importing a whole market folder, again, and then what vendors really send."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from django.test import TransactionTestCase
from pytest_django import DjangoDbBlocker

from portfolios.feeds import Status
from portfolios.models import CorporateAction, Import, OptionQuote, Price
from portfolios.services.imports import FileOutcome, import_file, import_folder
from portfolios.tenancy import operator_scope
from tests.switches import MARKET, NO_MARKET

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("market"),
    pytest.mark.slow,
    pytest.mark.skipif(not MARKET.is_dir(), reason=NO_MARKET),
]


@pytest.fixture(scope="module")
def market(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[dict[str, FileOutcome]]:
    """The folder, imported once; every test undoes what it adds."""
    with django_db_blocker.unblock():
        yield {outcome.path.name: outcome for outcome in import_folder(MARKET)}
        TransactionTestCase()._fixture_teardown()  # type: ignore[attr-defined]  # Django's flush


def counts() -> tuple[int, int, int]:
    with operator_scope():
        return (
            Price.objects.count(),
            CorporateAction.objects.count(),
            OptionQuote.objects.count(),
        )


def prices_of(symbol: str) -> dict[date, tuple[Decimal | None, float | None]]:
    with operator_scope():
        rows = Price.objects.filter(
            instrument__symbol=symbol, instrument__client=None, superseded_at=None
        ).values_list("session", "close", "total_return_index")
        return {session: (close, level) for session, close, level in rows}


def reconciled(outcome: FileOutcome) -> bool:
    imported = outcome.imported
    return imported.rows_in == imported.rows_accepted + imported.rows_rejected


def test_the_market_folder_is_taken_whole_and_a_second_time_changes_nothing(
    market: dict[str, FileOutcome],
) -> None:
    outcomes = market
    prices = [o for o in outcomes.values() if o.imported.kind == "prices"]
    assert all(reconciled(outcome) for outcome in outcomes.values())
    assert {o.path.name: o.imported.rows_rejected for o in prices if o.imported.rows_rejected} == {}
    before = counts()
    assert before[0] == sum(outcome.imported.rows_accepted for outcome in prices) == 96_700
    assert before[2] == 5_391 + 3_526

    again = import_folder(MARKET)
    assert [outcome.imported.rows_changed for outcome in again] == [0] * len(again)
    assert counts() == before

    soxs = prices_of("SOXS")
    first_close, _ = soxs[date(2010, 3, 11)]
    # 193,344,001 adjusted for eight reverse splits is 40.28 dollars as traded on the first day.
    assert first_close is not None
    assert abs(first_close - Decimal("40.28")) < Decimal("0.001")
    assert np.isfinite([level for _, level in soxs.values()]).all()  # type: ignore[arg-type]  # None fails the test


def test_defective_vendor_files_after_the_good_ones() -> None:
    before = {symbol: prices_of(symbol) for symbol in ("SOXS", "SOXL", "SOXX", "SPY", "NXPI")}
    verdicts = {}
    for path in sorted((MARKET / "dirty").iterdir()):
        with operator_scope():
            outcome = import_file(path)
        assert reconciled(outcome), path.name
        verdicts[path.name] = (outcome.verdict.status, set(outcome.verdict.problem_counts))

    refused = {name for name, (status, _) in verdicts.items() if status is Status.REFUSED}
    assert {"NXPI_two_tickers_in_one_file.csv", "SOXS_distributions_misscaled.csv"} <= refused
    assert verdicts["SOXX_us_export_newest_first.csv"][0] is not Status.REFUSED
    assert verdicts["SOXS_multirow_header.csv"][0] is not Status.REFUSED
    assert "not-a-session" in verdicts["SOXL_phantom_weekend_rows.csv"][1]
    assert "scale-break" in verdicts["SOXS_scale_break.csv"][1]
    assert "stray-row" in verdicts["SPY_stray_first_row_one_venue_volume.csv"][1]
    assert {"unexplained-jump", "scale-break"} & verdicts["NVDS_false_minus79_day.csv"][1]
    # Whatever was taken, no session that was on file before moved by more than rounding.
    for symbol, rows in before.items():
        now = prices_of(symbol)
        for session, (close, _) in rows.items():
            changed = now[session][0]
            assert close is None or changed is None or abs(changed / close - 1) < Decimal("0.01")


def test_a_later_file_in_another_split_basis_makes_no_jump(tmp_path: Path) -> None:
    before = prices_of("SOXS")
    lines = (MARKET / "prices" / "SOXS.csv").read_text().splitlines()
    # The vendor's file after a 1:20 reverse split on 2025-09-02: history times 20, one more day.
    later = [lines[0]]
    for line in lines[-300:]:
        day, *levels, volume = line.split(",")
        later.append(",".join([day, *(repr(float(level) * 20) for level in levels), volume]))
    _, *levels, volume = later[-1].split(",")
    later.append(",".join(["2025-09-02", *(repr(float(level) * 1.01) for level in levels), volume]))
    path = tmp_path / "SOXS.csv"
    path.write_text("\n".join(later) + "\n")

    with operator_scope():
        unexplained = import_file(path)
    assert unexplained.imported.status == Import.Status.REFUSED
    assert (unexplained.imported.rows_accepted, unexplained.imported.rows_rejected) == (0, 301)
    assert prices_of("SOXS") == before

    splits = tmp_path / "splits.csv"
    splits.write_text("ticker,effective_date,new_shares,old_shares\nSOXS,2025-09-02,1,20\n")
    with operator_scope():
        import_file(splits)
        explained = import_file(path)
    assert explained.imported.status == Import.Status.DONE
    after = prices_of("SOXS")
    assert set(after) - set(before) == {date(2025, 9, 2)}
    for session in list(before)[-250:]:
        close, changed = before[session][0], after[session][0]
        assert close is not None
        assert changed is not None
        assert abs(changed / close - 1) < Decimal("1e-6")
    last_close, new_close = after[date(2025, 8, 29)][0], after[date(2025, 9, 2)][0]
    assert last_close is not None
    assert new_close is not None
    assert abs(new_close / last_close - Decimal("20.2")) < Decimal("1e-6")  # as traded: 20 x 1.01
