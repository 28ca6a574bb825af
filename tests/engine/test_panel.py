from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from numpy.testing import assert_allclose

from analytics.engine.errors import InsufficientDataError, InvalidInputError
from analytics.engine.panel import ReturnPanel, return_panel

SESSIONS = np.arange("2024-03-04", "2024-03-09", dtype="datetime64[D]")
LEVELS = np.array(
    [
        [100.0, np.nan, 10.0, np.nan],
        [110.0, np.nan, np.nan, np.nan],
        [99.0, 50.0, 12.0, np.nan],
        [99.0, 55.0, 6.0, np.nan],
        [198.0, 44.0, np.nan, np.nan],
    ]
)


@pytest.fixture
def panel() -> ReturnPanel:
    return return_panel(SESSIONS, ["A", "B", "C", "D"], LEVELS)


def test_a_gap_costs_the_return_into_it_and_the_one_out_of_it(panel: ReturnPanel) -> None:
    expected = [
        [0.1, np.nan, np.nan, np.nan],
        [-0.1, np.nan, np.nan, np.nan],
        [0.0, 0.1, -0.5, np.nan],
        [1.0, -0.2, np.nan, np.nan],
    ]
    assert_allclose(panel.returns, expected, atol=1e-15)


def test_each_instrument_has_its_own_history(panel: ReturnPanel) -> None:
    assert panel.first_index.tolist() == [0, 2, 2, -1]
    assert panel.last_index.tolist() == [3, 3, 2, -1]


def test_a_window_uses_nothing_after_its_date(panel: ReturnPanel) -> None:
    window = panel.window(dt.date(2024, 3, 7), 2)
    assert window.dates.tolist() == [dt.date(2024, 3, 6), dt.date(2024, 3, 7)]
    assert_allclose(window.returns, panel.returns[1:3])
    assert window.first_index.tolist() == [0, 1, 1, -1]
    assert panel.window(dt.date(2024, 1, 1)).returns.shape == (0, 4)


def test_the_sample_of_a_series_tells_what_was_missing(panel: ReturnPanel) -> None:
    sample = panel.sample(panel.column("B"))
    assert (sample.n_obs, sample.requested, sample.missing_share) == (2, 4, 0.5)
    assert (sample.first_date, sample.last_date) == (dt.date(2024, 3, 7), dt.date(2024, 3, 8))
    assert panel.sample(panel.column("D")).first_date is None


def test_the_panel_cannot_be_written_to(panel: ReturnPanel) -> None:
    with pytest.raises(ValueError, match="read-only"):
        panel.returns[0, 0] = 0.0


def test_an_unknown_instrument_is_named(panel: ReturnPanel) -> None:
    with pytest.raises(InvalidInputError, match="SOXZ"):
        panel.columns(["A", "SOXZ"])


@pytest.mark.parametrize(
    ("sessions", "names", "levels", "message"),
    [
        (SESSIONS, ["A", "A"], LEVELS[:, :2], "distinct"),
        (SESSIONS, ["A"], LEVELS[:, :2], "2 observations where 1 are needed"),
        (SESSIONS[:4], ["A"], LEVELS[:, :1], "5 rows for 4 sessions"),
        (SESSIONS, ["A"], np.zeros((5, 1)), "zero is not a price"),
        (SESSIONS, ["A"], np.full((5, 1), np.inf), "infinite"),
    ],
)
def test_levels_that_make_no_panel_are_refused(
    sessions: np.ndarray, names: list[str], levels: np.ndarray, message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        return_panel(sessions, names, levels)


def test_one_session_makes_no_return() -> None:
    with pytest.raises(InsufficientDataError, match="sessions has 1"):
        return_panel(SESSIONS[:1], ["A"], LEVELS[:1, :1])
