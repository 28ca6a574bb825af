from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from analytics.engine.batch.panel_tiles import (
    SESSIONS_PER_TILE,
    panel_tiles,
    panel_tiles_from_levels,
)
from analytics.engine.batch.portfolio_returns import BookReturns, book_returns, books, tiled_product
from analytics.engine.errors import InvalidInputError
from analytics.engine.returns import portfolio_returns, simple_returns
from analytics.engine.types import FloatArray
from tests.engine.batch.ragged import ragged_market, sparse


def assert_same(got: BookReturns, panel: FloatArray, exposures: FloatArray) -> None:
    """The compiled product and the readable one give the same numbers and the same exclusions."""
    plain = portfolio_returns(panel, exposures)
    assert_array_equal(got.observed, ~np.isnan(plain.series))
    assert_allclose(got.coverage, plain.coverage, rtol=0, atol=1e-14)
    assert_allclose(got.series, np.nan_to_num(plain.series), rtol=1e-13, atol=1e-16)
    assert_array_equal(got.n_excluded, np.isnan(plain.series).sum(axis=1))


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 127, SESSIONS_PER_TILE, 129, 300]),
    st.floats(0.0, 0.5),
)
def test_ragged_panels_give_the_numbers_of_the_readable_form(
    seed: int, n_obs: int, missing: float
) -> None:
    rng = np.random.default_rng(seed)
    panel = 0.02 * rng.standard_normal((n_obs, 11))
    panel[rng.random(panel.shape) < missing] = np.nan
    panel[: rng.integers(0, n_obs), 3] = np.nan
    panel[rng.integers(0, n_obs) :, 4] = np.nan
    panel[:, 5] = np.nan
    exposures = rng.normal(size=(7, 11)) * (rng.random((7, 11)) < 0.6)
    exposures[0] = 0.0
    assert_same(book_returns(panel_tiles(panel), sparse(exposures)), panel, exposures)


def test_a_ragged_market_excludes_days_and_says_so() -> None:
    case = ragged_market()
    got = book_returns(panel_tiles(case.panel), case.books)
    assert_same(got, case.panel, case.exposures)
    assert 0 < np.count_nonzero(got.n_excluded) < got.n_excluded.size


@pytest.mark.parametrize("weights", [[0.5, 0.5], [0.3, 0.2, 0.1, 0.4], [0.1, 0.2, 0.3], [0.1] * 10])
def test_coverage_of_exactly_half_counts_in_both_forms(weights: list[float]) -> None:
    exposures = np.array([weights])
    missing = {2: [1], 3: [2], 4: [0, 1], 10: [0, 2, 4, 6, 8]}[len(weights)]
    panel = np.full((3, len(weights)), 0.01)
    panel[1, missing] = np.nan
    got = book_returns(panel_tiles(panel), sparse(exposures))
    assert got.observed.all()
    assert_same(got, panel, exposures)


def test_levels_and_their_returns_make_the_same_tiles() -> None:
    rng = np.random.default_rng(3)
    levels = 100 * np.exp(np.cumsum(0.02 * rng.standard_normal((150, 9)), axis=0))
    levels[rng.random(levels.shape) < 0.05] = np.nan
    levels.flags.writeable = False
    from_levels, from_returns = panel_tiles_from_levels(levels), panel_tiles(simple_returns(levels))
    for name in ("tiles", "by_session", "first", "stop", "gap_offsets", "gaps"):
        assert_array_equal(getattr(from_levels, name), getattr(from_returns, name))


@pytest.mark.parametrize("level", [0.0, -1.0, np.inf])
def test_what_is_no_price_is_refused(level: float) -> None:
    levels = np.full((4, 2), 10.0)
    levels[2, 1] = level
    with pytest.raises(InvalidInputError, match="zero is not a price"):
        panel_tiles_from_levels(levels)


@pytest.mark.parametrize(
    ("offsets", "instruments", "exposures", "message"),
    [
        ([0, 3], [0, 1], [0.5, 0.5], "offsets must ascend"),
        ([1, 2], [0, 1], [0.5, 0.5], "offsets must ascend"),
        ([0, 2, 1, 2], [0, 1], [0.5, 0.5], "offsets must ascend"),
        ([0, 2], [0], [0.5, 0.5], "offsets must ascend"),
        ([0, 2], [0, 5], [0.5, 0.5], "columns of the panel, 0 to 4"),
        ([0, 2], [-1, 3], [0.5, 0.5], "columns of the panel, 0 to 4"),
        ([0, 2], [0, 1], [0.5, np.nan], "exposures must be finite"),
        ([0, 2], [0, 1], [0.5, np.inf], "exposures must be finite"),
    ],
)
def test_positions_that_would_read_elsewhere_are_refused(
    offsets: list[int], instruments: list[int], exposures: list[float], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        books(np.array(offsets), np.array(instruments), np.array(exposures), n_instruments=5)


def test_a_kernel_refuses_types_it_was_not_compiled_for() -> None:
    tiles: Any = np.zeros((1, 2, SESSIONS_PER_TILE), dtype=np.float32)
    batch = sparse(np.ones((1, 2)))
    held = (batch.offsets, batch.instruments, batch.exposures)
    with pytest.raises(TypeError, match="No matching definition"):
        tiled_product(tiles, *held, np.zeros((1, 5)))


def test_chunks_give_what_the_whole_gives() -> None:
    case = ragged_market()
    tiles = panel_tiles(case.panel)
    whole = book_returns(tiles, case.books)
    for first, chunk in case.books.chunks(5):
        part = book_returns(tiles, chunk)
        assert_array_equal(part.series, whole.series[first : first + chunk.n_portfolios])
