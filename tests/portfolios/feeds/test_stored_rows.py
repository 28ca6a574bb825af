"""A later file against the rows already stored, and against the splits on file."""

from __future__ import annotations

from datetime import date
from io import BytesIO

import numpy as np
import pandas as pd
import pytest

from portfolios.feeds import (
    Basis,
    Distribution,
    FeedHints,
    FileVerdict,
    LeverageHint,
    Split,
    Status,
    StoredSeries,
    read_file,
)
from tests.portfolios.feeds.mutations import csv_of, scaled, synthetic

FRAME = synthetic()
DAYS = FRAME["date"].to_numpy(dtype="datetime64[D]")
CLOSE = FRAME["close"].to_numpy(dtype=np.float64)
SPLIT = Split(date(2023, 3, 1), 4.0, 1.0)
SPLIT_ROW = int(np.searchsorted(DAYS, np.datetime64("2023-03-01")))


def _stored(*, upto: int = 300, factor: float = 1.0) -> StoredSeries:
    volume = FRAME["volume"].to_numpy(dtype=np.float64)[:upto] / factor
    return StoredSeries(DAYS[:upto], CLOSE[:upto] * factor, volume=volume)


def _verdict(frame: pd.DataFrame, hints: FeedHints) -> FileVerdict:
    return read_file(BytesIO(csv_of(frame).encode()), name="later.csv", hints=hints)


def test_same_rows_again_change_nothing() -> None:
    verdict = _verdict(FRAME, FeedHints(stored=_stored()))
    assert verdict.status is Status.ACCEPTED
    assert verdict.basis_change is None
    assert verdict.corrections == ()


def test_file_made_before_the_latest_split_is_explained_by_it() -> None:
    early = FRAME.iloc[: SPLIT_ROW - 5]
    verdict = _verdict(early, FeedHints(stored=_stored(factor=0.25), splits=(SPLIT,)))
    assert verdict.status is Status.ACCEPTED
    assert verdict.basis_change is not None
    assert verdict.basis_change.explained
    assert verdict.basis_change.factor == 4.0
    assert verdict.basis_change.splits == (SPLIT.effective_date,)


def test_a_single_corrected_close_is_a_correction() -> None:
    one = FRAME.iloc[100:101].copy()
    one["close"] = [repr(float(CLOSE[100]) * 1.005)]
    one["high"] = [repr(max(float(one["high"].iloc[0]), float(CLOSE[100]) * 1.006))]
    verdict = _verdict(one, FeedHints(stored=_stored()))
    assert verdict.status is Status.ACCEPTED
    assert verdict.basis_change is None
    assert [correction.row for correction in verdict.corrections] == [2]


def test_splits_of_long_ago_do_not_explain_another_basis() -> None:
    long_ago = (Split(date(2022, 3, 1), 2.0, 1.0), Split(date(2022, 6, 1), 2.0, 1.0), SPLIT)
    hints = FeedHints(stored=_stored(factor=0.5), splits=long_ago)
    verdict = _verdict(FRAME, hints)
    assert verdict.basis_change is not None
    assert not verdict.basis_change.explained


def test_other_basis_that_no_split_explains_is_a_problem() -> None:
    verdict = _verdict(FRAME, FeedHints(stored=_stored(factor=4.0)))
    assert verdict.codes == {"split-basis"}
    assert verdict.basis_change is not None
    assert not verdict.basis_change.explained
    assert verdict.basis_change.factor == pytest.approx(0.25)


def test_file_that_follows_in_the_basis_of_an_earlier_day_is_joined_by_the_split() -> None:
    hints = FeedHints(stored=_stored(upto=100, factor=0.25), splits=(SPLIT,))
    verdict = _verdict(FRAME.iloc[100 : SPLIT_ROW - 5], hints)
    assert verdict.status is Status.ACCEPTED
    assert verdict.basis_change is not None
    assert (verdict.basis_change.factor, verdict.basis_change.n_overlap) == (4.0, 0)


def test_file_that_follows_with_an_unexplained_jump_is_refused() -> None:
    verdict = _verdict(
        FRAME.iloc[SPLIT_ROW:], FeedHints(stored=_stored(upto=SPLIT_ROW, factor=4.0))
    )
    assert verdict.status is Status.REFUSED
    assert verdict.codes == {"unexplained-jump"}


def test_prices_as_traded_are_recognized() -> None:
    traded = scaled(FRAME, slice(0, SPLIT_ROW), 4.0)
    verdict = _verdict(traded, FeedHints(splits=(SPLIT,)))
    assert verdict.basis is Basis.AS_TRADED
    assert [s.visible for s in verdict.splits_seen] == [True]
    assert verdict.rows_rejected == 0


def test_split_applied_to_some_splits_only_is_a_defect() -> None:
    other = Split(date(2022, 6, 1), 3.0, 1.0)
    traded = scaled(FRAME, slice(0, SPLIT_ROW), 4.0)
    verdict = _verdict(traded, FeedHints(splits=(other, SPLIT)))
    assert {"mixed-split-basis", "scale-break"} <= verdict.codes
    assert verdict.accepted["date"][0].as_py() == date(2023, 3, 1)


def test_small_differences_are_listed_as_corrections() -> None:
    closes = FRAME["close"].tolist()
    closes[100] = str(FRAME["high"][100])
    changed = FRAME.assign(close=closes)
    verdict = _verdict(changed, FeedHints(stored=_stored()))
    (correction,) = verdict.corrections
    assert (correction.row, str(correction.date)) == (102, FRAME["date"][100])
    assert correction.new_close == float(str(FRAME["high"][100]))
    assert verdict.status is Status.ACCEPTED


def test_row_far_from_the_stored_is_rejected() -> None:
    changed = scaled(FRAME, slice(100, 101), 1.12)
    verdict = _verdict(changed, FeedHints(stored=_stored()))
    assert verdict.codes == {"contradicts-stored"}
    assert verdict.rejected_rows.tolist() == [102]


def test_stored_rows_decide_which_side_of_a_scale_break_is_wrong() -> None:
    broken = scaled(FRAME, slice(200, None), 10.0)
    verdict = _verdict(broken, FeedHints(stored=_stored(upto=150)))
    assert verdict.rows_accepted == 200
    assert verdict.accepted["date"].to_pylist()[-1] == DAYS[199].item()


def test_another_instrument_under_the_same_name_is_refused() -> None:
    verdict = _verdict(synthetic(seed=99), FeedHints(stored=_stored()))
    assert verdict.status is Status.REFUSED
    assert verdict.codes >= {"contradicts-stored"}


def test_closes_adjusted_for_distributions_are_refused() -> None:
    paid = tuple(Distribution(DAYS[k].item(), 0.35) for k in range(40, len(FRAME), 63))
    adjusted = FRAME.assign(close=FRAME["adj_close"])[["date", "close", "volume"]]
    verdict = _verdict(adjusted, FeedHints(stored=_stored(upto=420), distributions=paid))
    assert "close-is-adjusted" in verdict.codes


def test_one_venue_volume_is_left_out() -> None:
    thin = FRAME.assign(volume=[str(int(v) // 20) for v in FRAME["volume"]])
    verdict = _verdict(thin, FeedHints(stored=_stored()))
    assert verdict.codes == {"one-venue-volume"}
    assert verdict.accepted["volume"].null_count == verdict.rows_accepted == len(FRAME)


def test_adjusted_closes_in_a_wrong_distribution_basis_are_left_out() -> None:
    wrong = FRAME.copy()
    wrong.loc[:102, "adj_close"] = [f"{float(t) * 0.7:.4f}" for t in wrong["adj_close"][:103]]
    verdict = _verdict(wrong, FeedHints())
    assert verdict.codes == {"adjusted-close-jump"}
    assert verdict.rows_rejected == 0
    assert verdict.accepted["adj_close"].null_count == 103
    assert verdict.accepted["close"].to_pylist() == FRAME["close"].tolist()


def test_adjusted_close_that_is_the_close_is_left_out() -> None:
    paid = (Distribution(DAYS[103].item(), 0.35),)
    verdict = _verdict(FRAME.assign(adj_close=FRAME["close"]), FeedHints(distributions=paid))
    assert verdict.codes == {"adjusted-close-unadjusted"}
    assert verdict.accepted["adj_close"].null_count == len(FRAME)


def _fund(multiple: float) -> pd.DataFrame:
    returns = multiple * np.diff(CLOSE) / CLOSE[:-1]
    close = np.concatenate(([50.0], 50.0 * np.cumprod(1 + returns)))
    return pd.DataFrame({"date": FRAME["date"], "close": [f"{c:.6f}" for c in close]})


def test_day_that_multiple_times_index_explains_is_accepted() -> None:
    crash = CLOSE.copy()
    crash[200:] *= 0.82
    returns = -3 * np.diff(crash) / crash[:-1]
    close = np.concatenate(([50.0], 50.0 * np.cumprod(1 + returns)))
    fund = pd.DataFrame({"date": FRAME["date"], "close": [f"{c:.6f}" for c in close]})
    knowing = _verdict(fund, FeedHints(leverage=LeverageHint(-3.0, DAYS, crash)))
    assert knowing.status is Status.ACCEPTED
    unknowing = _verdict(fund, FeedHints())
    assert "unexplained-jump" in unknowing.codes


def test_day_that_multiple_times_index_does_not_explain_is_refused() -> None:
    fund = _fund(3.0)
    fund.loc[200:, "close"] = [f"{float(c) * 1.23:.6f}" for c in fund["close"][200:]]
    verdict = _verdict(fund, FeedHints(leverage=LeverageHint(3.0, DAYS, CLOSE)))
    assert verdict.status is Status.REFUSED
    assert "unexplained-jump" in verdict.codes


def test_confirmed_day_is_accepted() -> None:
    jumpy = FRAME[["date", "close"]].copy()
    jumpy.loc[200:, "close"] = [f"{float(c) * 1.6:.2f}" for c in jumpy["close"][200:]]
    assert _verdict(jumpy, FeedHints()).rows_accepted < len(jumpy)
    confirmed = FeedHints(confirmed_days=frozenset({DAYS[200].item()}))
    assert _verdict(jumpy, confirmed).status is Status.ACCEPTED


def test_distributions_in_cents_are_noted_against_adjusted_closes() -> None:
    days = [DAYS[k].item() for k in range(40, len(FRAME), 63)]
    dollars = FeedHints(distributions=tuple(Distribution(d, 0.35) for d in days))
    assert "distributions-contradict" not in {n.code for n in _verdict(FRAME, dollars).notes}
    cents = FeedHints(distributions=tuple(Distribution(d, 35.0) for d in days))
    verdict = _verdict(FRAME, cents)
    assert verdict.status is Status.ACCEPTED
    assert "distributions-contradict" in {n.code for n in verdict.notes}


@pytest.mark.parametrize("times", [4, 40])
def test_adjusted_closes_by_misscaled_distributions_are_left_out(times: int) -> None:
    places = range(40, len(FRAME), 63)
    factor = np.ones(len(FRAME))
    for k in places:
        factor[:k] *= 1 - times * 0.35 / CLOSE[k - 1]
    wrong = FRAME.assign(adj_close=[f"{c:.6f}" for c in CLOSE * factor])
    paid = tuple(Distribution(DAYS[k].item(), 0.35) for k in places)
    verdict = _verdict(wrong, FeedHints(distributions=paid))
    assert verdict.codes == {"distributions-misscaled"}
    assert verdict.accepted["adj_close"].null_count == verdict.rows_accepted == len(FRAME)
