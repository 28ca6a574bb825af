"""One defect at a time, put into good files: it is named, and nothing good is lost."""

from __future__ import annotations

from datetime import date
from io import BytesIO

import pandas as pd
import pytest

from portfolios.feeds import FeedHints, FileVerdict, Status, read_file
from tests.portfolios.feeds.market import frame_of, hints_for, needs_market
from tests.portfolios.feeds.mutations import MUTATIONS, Mutant, csv_of, synthetic


def _verdict_on(text: str, hints: FeedHints) -> FileVerdict:
    return read_file(BytesIO(text.encode()), name="mutant.csv", hints=hints)


def _assert_right(verdict: FileVerdict, mutant: Mutant, frame: pd.DataFrame) -> None:
    assert verdict.codes & mutant.codes, verdict.problem_counts
    assert verdict.rows_in == verdict.rows_accepted + verdict.rows_rejected
    if mutant.bad is None or (mutant.refusable and verdict.status is Status.REFUSED):
        assert verdict.status is Status.REFUSED
        assert verdict.rows_accepted == 0
        return
    assert verdict.status is Status.ACCEPTED_WITH_QUARANTINE
    accepted = set(verdict.accepted["date"].to_pylist())
    assert not accepted & mutant.bad
    good = {date.fromisoformat(d) for d in frame["date"] if d in mutant.text} - mutant.bad
    assert accepted == good
    stated = dict(zip(frame["date"], frame["close"], strict=True))
    for day, close in zip(
        verdict.accepted["date"].to_pylist(), verdict.accepted["close"].to_pylist(), strict=True
    ):
        assert close == stated[str(day)]


@pytest.mark.parametrize("seed", [3, 7])
@pytest.mark.parametrize("name", MUTATIONS)
def test_defect_in_a_synthetic_file_is_named_and_good_rows_stay(name: str, seed: int) -> None:
    frame = synthetic(seed=seed)
    mutant = MUTATIONS[name](frame)
    _assert_right(_verdict_on(mutant.text, FeedHints()), mutant, frame)


@pytest.mark.parametrize("seed", range(20))
def test_good_synthetic_file_is_accepted_whole(seed: int) -> None:
    frame = synthetic(seed=seed)
    verdict = _verdict_on(csv_of(frame), FeedHints())
    assert verdict.status is Status.ACCEPTED
    assert verdict.rows_accepted == len(frame)


STRETCHES = {
    "SOXS": slice(0, 700),  # prices in hundreds of millions
    "SOXL": slice(2300, 3000),  # March 2020
    "NVDA": slice(1700, 2400),
    "SPY": slice(2000, 2700),
    "KO": slice(0, 700),
}


@needs_market
@pytest.mark.parametrize("ticker", STRETCHES)
@pytest.mark.parametrize("name", MUTATIONS)
def test_defect_in_a_real_file_is_named_and_good_rows_stay(name: str, ticker: str) -> None:
    frame = frame_of(ticker).iloc[STRETCHES[ticker]].reset_index(drop=True)
    mutant = MUTATIONS[name](frame)
    _assert_right(_verdict_on(mutant.text, hints_for(ticker)), mutant, frame)
