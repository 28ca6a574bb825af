from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from arch.bootstrap import StationaryBootstrap
from arch.bootstrap import optimal_block_length as arch_block_length
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chisquare, ks_2samp

from analytics.engine.bootstrap import (
    circular_block_rows,
    mean_block_length,
    optimal_block_length,
    stationary_growth,
)
from analytics.engine.errors import (
    DegenerateInputError,
    InsufficientDataError,
    InvalidInputError,
)
from analytics.engine.types import FloatArray


@pytest.mark.parametrize("n_obs", [60, 252, 1000, 3000])
@pytest.mark.parametrize("persistence", [0.0, 0.6, 0.95])
def test_block_length_agrees_with_arch(
    n_obs: int, persistence: float, rng: np.random.Generator
) -> None:
    series = rng.normal(size=n_obs)
    for row in range(1, n_obs):
        series[row] += persistence * series[row - 1]
    for values in (series, series**2):
        ours = optimal_block_length(values)
        oracle = arch_block_length(values).to_numpy()[0]
        assert_allclose([ours.stationary, ours.circular], oracle, rtol=1e-9)


@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 1e6), st.floats(-10, 10))
def test_block_length_ignores_scale_and_level(seed: int, scale: float, level: float) -> None:
    series = np.random.default_rng(seed).normal(size=80)
    moved = scale * (series + level)
    assert_allclose(
        optimal_block_length(moved).stationary, optimal_block_length(series).stationary, rtol=1e-6
    )


@pytest.mark.parametrize(
    ("series", "error", "message"),
    [
        (np.zeros(50), DegenerateInputError, "constant"),
        (np.arange(20.0), InsufficientDataError, "series has 20 observations where 30"),
        (np.full(50, np.nan), InvalidInputError, "series has 50 entries that are not finite"),
    ],
)
def test_series_without_a_block_length_are_refused(
    series: FloatArray, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        optimal_block_length(series)


def _paths(returns: FloatArray, mean_block: float, n_paths: int) -> FloatArray:
    paths = stationary_growth(
        np.log1p(3.0 * returns), [63], mean_block=mean_block, n_paths=n_paths, seed=3
    )
    return np.ravel(paths)


def test_paths_have_the_distribution_of_arch(rng: np.random.Generator) -> None:
    returns = 0.02 * rng.standard_t(5, 300)
    bootstrap = StationaryBootstrap(10, returns, seed=1)
    theirs = np.array([np.log1p(3.0 * data[0][0][:63]).sum() for data in bootstrap.bootstrap(4000)])
    ours = _paths(returns, 10.0, 20_000)
    assert ks_2samp(ours, theirs).pvalue > 0.01
    assert_allclose(ours.std(), theirs.std(), rtol=0.05)


def test_paths_have_the_distribution_of_the_readable_form(rng: np.random.Generator) -> None:
    growth = np.log1p(0.02 * rng.standard_normal(100))
    growth[1:] += 0.5 * growth[:-1]
    n_paths, n_days = 20_000, 21
    rows = np.empty((n_paths, n_days), dtype=np.int64)
    rows[:, 0] = rng.integers(0, 100, n_paths)
    for day in range(1, n_days):
        restart = rng.random(n_paths) < 1.0 / 7.0
        rows[:, day] = np.where(
            restart, rng.integers(0, 100, n_paths), (rows[:, day - 1] + 1) % 100
        )
    readable = growth[rows].sum(axis=1)
    compiled = stationary_growth(growth, [n_days], mean_block=7.0, n_paths=n_paths, seed=9)[0, 0]
    assert ks_2samp(compiled, readable).pvalue > 0.01


def test_blocks_start_everywhere_and_have_geometric_lengths() -> None:
    # Two horizons one day apart show the last day, whose rows must be equally likely.
    rows = np.arange(10.0)
    sums = stationary_growth(rows, [4, 5], mean_block=3.0, n_paths=50_000, seed=2)[0]
    last = np.rint(sums[1] - sums[0]).astype(int)
    assert chisquare(np.bincount(last, minlength=10)).pvalue > 0.001
    step = sums[1] - sums[0]
    first = stationary_growth(rows, [1, 2], mean_block=3.0, n_paths=50_000, seed=4)[0]
    followed = np.isclose((first[1] - first[0] - first[0]) % 10, 1.0).mean()
    assert followed == pytest.approx(2 / 3 + 1 / 30, abs=0.01)
    assert step.min() >= 0


def test_paths_depend_on_the_seed_and_not_on_threads_or_their_number() -> None:
    growth = np.random.default_rng(1).normal(0, 0.02, (2, 500))
    paths = partial(stationary_growth, growth, [5, 63], mean_block=9.0)
    one = paths(n_paths=10_000, seed=5, threads=1)
    assert_array_equal(one, paths(n_paths=10_000, seed=5, threads=2))
    longer = paths(n_paths=20_000, seed=5)
    assert_array_equal(one[..., :8192], longer[..., :8192])
    other = paths(n_paths=10_000, seed=6)
    assert (one != other).all(axis=(0, 1)).mean() > 0.99


def test_series_share_their_days() -> None:
    growth = np.random.default_rng(1).normal(0, 0.02, 400)
    both = stationary_growth(
        np.stack([growth, -2 * growth]), [21], mean_block=8, n_paths=500, seed=1
    )
    assert_allclose(both[1], -2 * both[0], rtol=0, atol=1e-12)


def test_blocks_of_one_are_independent_days() -> None:
    alternating = np.tile([0.01, -0.01], 100)
    sums = stationary_growth(alternating, [2], mean_block=1.0, n_paths=20_000, seed=1)[0, 0]
    assert np.isclose(sums, 0.0, atol=1e-12).mean() == pytest.approx(0.5, abs=0.02)


def test_whole_circular_blocks_are_rotations() -> None:
    rows = circular_block_rows(5, 5, 5, np.arange(5)[:, None])
    assert all(sorted(path) == [0, 1, 2, 3, 4] for path in rows.tolist())
    assert rows[3].tolist() == [3, 4, 0, 1, 2]


def test_mean_length_is_one_over_the_restart_probability() -> None:
    assert mean_block_length(0.1) == 10.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"horizons": [21, 5]}, "horizons must increase"),
        ({"horizons": [0]}, "horizons must be an integer of at least 1"),
        ({"mean_block": 0.5}, "mean_block must be at least 1"),
        ({"n_paths": 0}, "n_paths must be an integer"),
        ({"seed": -1}, "seed must be an integer"),
        ({"threads": 0}, "threads must be an integer"),
    ],
)
def test_settings_out_of_range_are_refused(change: dict[str, object], message: str) -> None:
    settings = {"horizons": [5], "mean_block": 5.0, "n_paths": 10, "seed": 1, **change}
    horizons = settings.pop("horizons")
    with pytest.raises(InvalidInputError, match=message):
        stationary_growth(np.full(10, 0.01), horizons, **settings)  # type: ignore[arg-type]


def test_circular_paths_need_enough_blocks() -> None:
    with pytest.raises(InvalidInputError, match="starts has 1 blocks a path where 3"):
        circular_block_rows(10, 2, 5, np.zeros((4, 1), dtype=np.int64))
    with pytest.raises(InvalidInputError, match="restart_probability"):
        mean_block_length(0.0)
