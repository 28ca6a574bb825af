"""What the portfolios of one sample share: factors, factorised once, as the kernels read them."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from analytics.engine.batch.statistics import declining_sums
from analytics.engine.checks import SMALLEST_DEVIATION, enough
from analytics.engine.errors import DegenerateInputError
from analytics.engine.regression import constant_rows, design
from analytics.engine.returns import block_returns
from analytics.engine.tail_risk import tail_size
from analytics.engine.types import BoolArray, FloatArray, IntArray

# Prefix sums carry rounding of this order, as in `beta.rolling`.
_WINDOW_CONSTANT = 1e-12
# Betas on a factor that moves by less would not fit single precision.
_STILL = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """A design as the regression kernel reads it.

    Attributes
    ----------
    centered : float64 array of shape (n_factors, n_obs)
    means : float64 array of shape (n_factors,)
    influence : float64 array of shape (1 + n_factors, n_obs)
    unscaled_variance : float64 array of shape (1 + n_factors,)
        Diagonal of inv(X'X).
    """

    centered: FloatArray
    means: FloatArray
    influence: FloatArray
    unscaled_variance: FloatArray


def factors(*regressors: FloatArray) -> Factors:
    """Factorise regressors of shape (n_obs,) with an intercept.

    Raises
    ------
    InsufficientDataError, DegenerateInputError
    """
    stacked = np.stack(regressors)
    shared = design(stacked.T)
    means = stacked.mean(axis=1)
    centered = stacked - means[:, np.newaxis]
    if np.abs(centered).max(axis=1).min() < _STILL:
        raise DegenerateInputError(
            f"a factor stays within {_STILL:.0e} of its mean; check its unit and scale", std=0
        )
    return Factors(
        centered,
        means,
        np.ascontiguousarray(shared.influence),
        np.diag(shared.unscaled_covariance).copy(),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """The benchmark below and above its mean; arrays have a row for each, 0 off the side.

    Attributes
    ----------
    inside, centered, influence : float64 array of shape (2, n_obs)
        1 on the side; the benchmark less its mean there; weights of the slope.
    counts : float64 array of shape (2,)
    partial_weights : float64 array of shape (2, n_obs)
        Of the co-partial moments, lower and upper.
    partial_constant : float64 array of shape (2,)
        What the target takes off them.
    """

    inside: FloatArray
    centered: FloatArray
    influence: FloatArray
    counts: FloatArray
    partial_weights: FloatArray
    partial_constant: FloatArray


def sides(x: FloatArray, *, target: float, min_obs_per_side: int) -> Sides:
    """Split a benchmark sample at its mean.

    Raises
    ------
    InsufficientDataError, DegenerateInputError
    """
    inside = np.stack([x < x.mean(), x > x.mean()]).astype(np.float64)
    counts = inside.sum(axis=1)
    for name, count in zip(("down", "up"), counts, strict=True):
        enough(int(count), min_obs_per_side, f"the {name} side of the benchmark")
    means = (inside @ x) / counts
    centered = inside * (x - means[:, np.newaxis])
    squares = np.einsum("st,st->s", centered, centered)
    partial = np.stack([np.minimum(x - target, 0.0), np.maximum(x - target, 0.0)])
    moments = np.einsum("st,st->s", partial, partial)
    if min(squares.min(), moments.min()) <= SMALLEST_DEVIATION**2:
        raise DegenerateInputError(
            "the benchmark does not move on one side; choose another target or window",
            series="benchmark",
        )
    weights = partial / moments[:, np.newaxis]
    return Sides(
        inside,
        centered,
        centered / squares[:, np.newaxis],
        counts,
        weights,
        target * weights.sum(axis=1),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """What rolling betas on one benchmark share.

    Attributes
    ----------
    factor, centered_factor : float64 array of shape (n_obs,)
    windows : int64 array of shape (n_windows,)
    decay : float
    means, inverse_squares : float64 array of shape (n_windows, n_obs)
        Of the centered factor inside each window; the inverse is 0 where it does not move.
    inverse_moments : float64 array of shape (2, n_obs)
        One over the weighted sum of squares, 0 where there is no answer; the sum of fourth powers
        with squared weights.
    valid : bool array of shape (n_windows + 1, n_obs)
        Where there is a beta, that with declining weights last.
    """

    factor: FloatArray
    centered_factor: FloatArray
    windows: IntArray
    decay: float
    means: FloatArray
    inverse_squares: FloatArray
    inverse_moments: FloatArray
    valid: BoolArray


def windows(x: FloatArray, lengths: tuple[int, ...], decay: float, min_obs: int) -> Windows:
    """Sum a gap-free benchmark over every window."""
    n_obs = x.shape[0]
    centered = x - x.mean()
    total = float(centered @ centered)
    means, inverses = np.zeros((2, len(lengths), n_obs))
    for row, length in enumerate(lengths):
        if length > n_obs:
            continue
        sums, squares = (_window_sums(values, length) for values in (centered, centered**2))
        squares -= sums * sums / length
        moving = squares > max(_WINDOW_CONSTANT * total, SMALLEST_DEVIATION**2)
        means[row, length - 1 :] = sums / length
        np.divide(1.0, squares, out=inverses[row, length - 1 :], where=moving)
    moments = np.empty((2, n_obs))
    declining_sums(x**2, decay, moments[0])
    declining_sums(x**4, decay * decay, moments[1])
    answered = (moments[0] > SMALLEST_DEVIATION**2) & (np.arange(n_obs) >= min_obs - 1)
    moments[0] = np.divide(1.0, moments[0], out=np.zeros(n_obs), where=answered)
    places = np.array(lengths, dtype=np.int64)
    valid = np.vstack([inverses, moments[:1]]) > 0.0
    return Windows(x, centered, places, decay, means, inverses, moments, valid)


def _window_sums(values: FloatArray, length: int) -> FloatArray:
    prefix = np.concatenate([[0.0], np.cumsum(values)])
    sums: FloatArray = prefix[length:] - prefix[:-length]
    return sums


@dataclass(frozen=True, slots=True, eq=False)
class HedgeBlocks:
    """Block returns of hedges that share a sample, horizons one after another in each row.

    Attributes
    ----------
    horizons, tail_sizes : int64 array of shape (n_horizons,)
    starts : int64 array of shape (n_horizons + 1,)
    quantiles : float64 array of shape (n_horizons,)
        Normal quantile of each tail.
    returns, influence : float64 array of shape (n_hedges, starts[-1])
    moments : float64 array of shape (n_hedges, 2 n_horizons)
        Mean and inverse sum of squares at each horizon.
    """

    horizons: IntArray
    starts: IntArray
    tail_sizes: IntArray
    quantiles: FloatArray
    returns: FloatArray
    influence: FloatArray
    moments: FloatArray


def hedge_blocks(
    hedges: FloatArray, horizons: tuple[int, ...], *, level: float, min_blocks: int
) -> HedgeBlocks:
    """Compound hedges of shape (n_hedges, n_obs), without gaps, over each horizon.

    Raises
    ------
    InsufficientDataError
        If a horizon leaves fewer than `min_blocks`.
    DegenerateInputError
        If a hedge is constant over it.
    """
    blocks, influences, moments = [], [], []
    for horizon in horizons:
        block = hedges if horizon == 1 else block_returns(hedges, horizon)
        enough(block.shape[1], min_blocks, f"the sample of item and hedge in blocks of {horizon}")
        means = block.mean(axis=1)
        centered = block - means[:, np.newaxis]
        squares = np.einsum("ht,ht->h", centered, centered)
        still = constant_rows(squares, block)
        if still.any():
            raise DegenerateInputError(
                f"hedge {int(np.argmax(still))} is constant in blocks of {horizon}; "
                "choose another instrument",
                series="hedge_returns",
                n_obs=int(block.shape[1]),
                std=0,
            )
        blocks.append(block)
        influences.append(centered / squares[:, np.newaxis])
        moments += [means, 1.0 / squares]
    lengths = [block.shape[1] for block in blocks]
    sizes = np.array([tail_size(length, level) for length in lengths], dtype=np.int64)
    return HedgeBlocks(
        np.array(horizons, dtype=np.int64),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        sizes,
        tail_quantiles(sizes, lengths),
        np.ascontiguousarray(np.hstack(blocks)),
        np.ascontiguousarray(np.hstack(influences)),
        np.ascontiguousarray(np.stack(moments, axis=1)),
    )


@functools.lru_cache(maxsize=256)
def tails(n_obs: int, levels: tuple[float, ...]) -> tuple[IntArray, FloatArray]:
    """Return k at each confidence level, and the normal quantile where such a tail begins."""
    sizes = np.array([tail_size(n_obs, level) for level in levels], dtype=np.int64)
    return sizes, tail_quantiles(sizes, n_obs)


def tail_quantiles(sizes: IntArray, lengths: int | list[int]) -> FloatArray:
    """Return how many standard deviations below the mean a normal tail of each size begins."""
    shares = np.minimum(sizes / np.asarray(lengths), 0.5)
    quantiles: FloatArray = -ndtri(shares)
    return quantiles
