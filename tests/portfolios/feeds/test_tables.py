"""Splits, distributions, rates, fund facts, holdings and options."""

from __future__ import annotations

from datetime import date
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from portfolios.feeds import (
    Distribution,
    FeedHints,
    FileVerdict,
    Kind,
    Status,
    StoredSeries,
    distributions_of,
    kind_of_path,
    read_file,
    read_folder,
    splits_of,
)

SPLITS = "ticker,effective_date,new_shares,old_shares,kind\n"
PAID = "ticker,ex_date,amount_per_share\n"
CHAIN = "contract,expiration,side,strike,bid,ask,last,volume,open_interest,iv,delta\n"
QUOTE = "NVDA260717C00140000,2026-07-17,call,140.0,65.8,66.75,67.2,77,39,0.4,0.99\n"
HOLDINGS = "date,holding,weight_pct\n"


def _verdict(text: str, hints: FeedHints | None = None, name: str = "file.csv") -> FileVerdict:
    verdict = read_file(BytesIO(text.encode()), name=name, hints=hints or FeedHints())
    assert verdict.rows_in == verdict.rows_accepted + verdict.rows_rejected
    return verdict


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (SPLITS + "NVDA,2024-06-10,10,1,forward\n", Kind.SPLITS),
        (PAID + "SPY,2024-06-21,1.75902\n", Kind.DISTRIBUTIONS),
        ("date,dtb3_pct\n2024-06-21,5.2\n", Kind.RATES),
        ("ticker,name,as_of,expense_ratio_pct\nSPY,S,2024-06-21,0.0945\n", Kind.FUND_FACTS),
        (HOLDINGS + "2024-06-28,NVDA,9.9\n", Kind.HOLDINGS),
        (CHAIN + QUOTE, Kind.OPTION_CHAIN),
        (
            "symbol,quoted_at,underlying_price\nSMH,2026-07-15T13:23:33-04:00,585.1\n",
            Kind.OPTION_SNAPSHOTS,
        ),
        ("Date,Close\n2024-06-21,5.2\n", Kind.PRICES),
    ],
)
def test_kind_is_known_by_its_header(text: str, kind: Kind) -> None:
    verdict = _verdict(text)
    assert (verdict.kind, verdict.status, verdict.rows_accepted) == (kind, Status.ACCEPTED, 1)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (SPLITS + "SOXS,2024-04-15,10,1,reverse\n", "split-direction"),
        (SPLITS + "SOXS,2024-04-15,0,1,\n", "non-positive"),
        (SPLITS + "SOXS,2024-04-14,1,10,reverse\n", "not-a-session"),
        (SPLITS + "SOXS,2024-04-15,1,,reverse\n", "missing-value"),
        (SPLITS + "SOXS,2024-04-15,1,100000,reverse\n", "extreme-split"),
        (SPLITS + "SOXS,2024-04-15,1,1,\n", "no-split"),
        (PAID + "SPY,2024-06-21,-1\n", "non-positive"),
        (PAID + "SPY,2024-06-22,1.7\n", "not-a-session"),
        (PAID + "=SPY(),2024-06-21,1.7\n", "bad-ticker"),
        (HOLDINGS + "2024-06-28,NVDA,199\n", "out-of-range"),
        (CHAIN + QUOTE.replace("65.8,66.75", "66.75,65.8"), "crossed-quote"),
        (CHAIN + QUOTE.replace("call", "put"), "contract-contradicts"),
        (CHAIN + QUOTE.replace(",140.0,", ",150.0,"), "contract-contradicts"),
        (CHAIN + QUOTE.replace(",140.0,", ",-140.0,"), "non-positive"),
        (CHAIN + QUOTE.replace("call", "both"), "bad-side"),
        ("symbol,quoted_at,underlying_price\nSMH,2026-07-15T13:23:33,585.1\n", "no-time-zone"),
        ("symbol,quoted_at,underlying_price\nSMH,yesterday,585.1\n", "bad-date"),
    ],
)
def test_bad_row_is_named(text: str, code: str) -> None:
    verdict = _verdict(text)
    assert code in verdict.codes
    assert verdict.rows_accepted == 0


def test_distributions_in_cents_are_known_by_the_closes() -> None:
    days = np.arange("2024-01-01", "2024-12-31", dtype="datetime64[D]")
    days = days[np.is_busday(days)]
    closes = {"SPY": StoredSeries(days, np.full(len(days), 500.0))}
    rows = [f"SPY,2024-{m}-15,{{}}\n" for m in ("03", "05", "08", "10", "11")]
    good = PAID + "".join(r.format("1.75") for r in rows)
    assert _verdict(good, FeedHints(closes=closes)).status is Status.ACCEPTED
    cents = PAID + "".join(r.format("175") for r in rows)
    verdict = _verdict(cents, FeedHints(closes=closes))
    assert verdict.problem_counts["distributions-misscaled"] == 5
    one = PAID + "".join(r.format("175" if k == 2 else "1.75") for k, r in enumerate(rows))
    verdict = _verdict(one, FeedHints(closes=closes))
    assert verdict.rejected_rows.tolist() == [4]


def test_one_distribution_out_of_scale_is_known_without_closes() -> None:
    months = ("03", "05", "08", "10", "11")
    rows = [f"SPY,2024-{m}-15,{'175' if m == '08' else '1.75'}\n" for m in months]
    verdict = _verdict(PAID + "".join(rows))
    assert verdict.codes == {"distributions-misscaled"}
    assert verdict.rejected_rows.tolist() == [4]


def test_weights_as_fractions_are_rejected() -> None:
    rows = "".join(f"2024-06-28,T{k},0.25\n" for k in range(4))
    assert _verdict(HOLDINGS + rows).codes >= {"wrong-unit"}


def test_weights_of_more_than_the_whole_are_rejected() -> None:
    rows = "".join(f"2024-06-28,T{k},40\n" for k in range(4))
    assert _verdict(HOLDINGS + rows).codes >= {"weights-sum"}


def test_options_on_two_underlyings_are_refused() -> None:
    verdict = _verdict(CHAIN + QUOTE + QUOTE.replace("NVDA", "AMD"))
    assert verdict.status is Status.REFUSED
    assert verdict.codes >= {"two-instruments"}


def test_rate_beyond_reason_costs_its_cell() -> None:
    verdict = _verdict("date,dtb3_pct,vixcls\n2024-06-21,520,13.2\n")
    assert verdict.codes == {"out-of-range"}
    assert verdict.accepted["dtb3_pct"].to_pylist() == [None]
    assert verdict.accepted["vixcls"].to_pylist() == ["13.2"]


def test_conflicting_keys_are_both_rejected_and_equal_ones_once() -> None:
    rows = "SPY,2024-06-21,1.7\nSPY,2024-06-21,1.8\nQQQ,2024-06-24,0.7\nQQQ,2024-06-24,0.7\n"
    verdict = _verdict(PAID + rows)
    assert verdict.problem_counts == {"conflicting-duplicate": 2, "duplicate-row": 1}
    assert verdict.accepted["ticker"].to_pylist() == ["QQQ"]


def test_instrument_of_a_chain_and_of_holdings() -> None:
    assert _verdict(CHAIN + QUOTE).instrument == "NVDA"
    row = "2024-06-28,NVDA,9.9\n"
    assert _verdict(HOLDINGS + row, name="holdings/SMH_month_end.csv").instrument == "SMH"


def test_folder_is_read_in_loading_order(tmp_path: Path) -> None:
    for name in (
        "prices/SOXL.csv", "prices/SOXX.csv", "splits.csv", "distributions.csv", "rates.csv",
        "dirty/SOXS_bad.csv", "README.md", "options/SMH.csv", "options/snapshots.csv", "notes.txt",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    order = [
        p.relative_to(tmp_path).as_posix()
        for p, _ in read_folder(tmp_path, after=frozenset({"SOXL"}))
    ]
    assert order == [
        "splits.csv", "rates.csv", "prices/SOXX.csv", "prices/SOXL.csv", "distributions.csv",
        "options/snapshots.csv", "options/SMH.csv",
    ]  # fmt: skip
    assert kind_of_path(Path("holdings/SMH_month_end.csv")) is Kind.HOLDINGS


def test_dates_are_given_as_dates() -> None:
    verdict = _verdict(SPLITS + "NVDA,2024-06-10,10,1,forward\n")
    assert verdict.accepted["effective_date"].to_pylist() == [date(2024, 6, 10)]


def test_actions_become_hints_by_ticker() -> None:
    splits = _verdict(SPLITS + "NVDA,2024-06-10,10,1,forward\nNVDA,2021-07-20,4,1,forward\n")
    dates = [(s.effective_date, s.new_shares) for s in splits_of(splits)["NVDA"]]
    assert dates == [(date(2021, 7, 20), 4.0), (date(2024, 6, 10), 10.0)]
    paid = distributions_of(_verdict(PAID + "SPY,2024-06-21,1.75902\n"))
    assert paid == {"SPY": (Distribution(date(2024, 6, 21), 1.75902),)}
