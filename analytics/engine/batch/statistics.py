"""Kernels that turn return series into the full set of statistics, one series in cache at a time.

Every kernel reads row ``sources[i]`` of `series` and writes row ``targets[i]`` of its outputs. What
depends on factors alone comes precomputed, as influence: a slope is ``influence @ series``. Rows
whose `status` is not 0 are left as they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analytics.engine.batch.compiling import (
    codes,
    codes3,
    flags2,
    floats,
    floats2,
    helper,
    integer,
    integers,
    kernel,
    narrow,
    out,
    out2,
    out4,
    real,
    single4,
)
from analytics.engine.checks import SMALLEST_DEVIATION
from analytics.engine.types import BoolArray, FloatArray, IntArray

Codes = NDArray[np.int8]

OK, INSUFFICIENT, DEGENERATE, NON_FINITE = range(4)

# No daily return is larger; betas of what is would not fit single precision.
_LARGEST_RETURN = 1e15
# As in `regression`: a series is constant when its deviations are rounding of its level.
_CONSTANT = 1e-13
# A sum of changes that is rounding of its terms has canceled.
_CANCELED = 1e-12
# Where a tail is looked for first, in standard deviations from the mean per normal quantile.
_TAIL_CUT = 0.75


@helper
def _mean(values: FloatArray) -> float:
    total = 0.0
    for value in values:
        total += value
    return total / values.size


@helper
def _dot(left: FloatArray, right: FloatArray) -> float:
    total = 0.0
    for i in range(left.size):
        total += left[i] * right[i]
    return total


@helper
def _bartlett(scores: FloatArray, lags: int) -> float:
    """Variance of the sum of scores; `regression.bartlett_variance` is the definition."""
    n = scores.size
    variance = _dot(scores, scores)
    for lag in range(1, min(lags, n - 1) + 1):
        covariance = 0.0
        for i in range(n - lag):
            covariance += scores[i + lag] * scores[i]
        variance += 2.0 * (1.0 - lag / (lags + 1.0)) * covariance
    return max(variance, 0.0)


@helper
def _state(values: FloatArray, total: float) -> int:
    """Return the status of a series whose squared deviations sum to `total`."""
    squares = _dot(values, values)
    if not squares <= _LARGEST_RETURN**2:
        return NON_FINITE
    constant = total <= max(_CONSTANT**2 * squares, values.size * SMALLEST_DEVIATION**2)
    return DEGENERATE if constant else OK


@helper
def _select(values: FloatArray, n: int, k: int) -> None:
    """Bring the k smallest of the first n values to the front (Hoare's FIND)."""
    left, right = 0, n - 1
    while left < right:
        pivot = values[(left + right) >> 1]
        i, j = left, right
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if j < k - 1:
            left = i
        if i > k - 1:
            right = j


@helper
def _tail(values: FloatArray, k: int, cut: float, tail: FloatArray) -> int:
    """Bring the k smallest values to the front of `tail`; return how many it holds.

    Without branches, what is below the cut is kept; if that was too little, everything is.
    """
    n = values.size
    held = 0
    for i in range(n):
        tail[held] = values[i]
        held += values[i] < cut
    if held < k:
        for i in range(n):
            tail[i] = values[i]
        held = n
    _select(tail, held, k)
    return held


@helper
def _lower_sum(values: FloatArray, k: int) -> float:
    total = 0.0
    for i in range(k):
        total += values[i]
    return total


@helper
def _greatest(values: FloatArray, k: int) -> float:
    greatest: float = values[0]
    for i in range(1, k):
        greatest = max(greatest, values[i])
    return greatest


@helper
def _compound(values: FloatArray, length: int, blocks: FloatArray) -> None:
    """Write the returns of blocks of `length` sessions that end at the last one."""
    day = values.size - blocks.size * length
    for block in range(blocks.size):
        if length == 1:
            blocks[block] = values[day]
            day += 1
            continue
        growth = 1.0
        for _ in range(length):
            growth *= 1.0 + values[day]
            day += 1
        blocks[block] = growth - 1.0


@helper
def _worst_days(
    values: FloatArray, usable: BoolArray, worst: float, k: int, days: IntArray
) -> None:
    """Write the first k sessions, ties at `worst` in their order, that lose at least as much."""
    held = 0
    for t in range(values.size):
        days[held] = t
        held += usable[t] and values[t] <= worst
    surplus = held - k
    for place in range(held - 1, -1, -1):
        if surplus == 0:
            break
        if values[days[place]] == worst:
            for later in range(place, held - 1):
                days[later] = days[later + 1]
            held -= 1
            surplus -= 1


@helper
def _members_by_day(days: IntArray, sizes: IntArray, n_obs: int) -> tuple[IntArray, IntArray]:
    """Turn each row's days into each day's rows; those of day t end where t + 1 begins."""
    starts = np.zeros(n_obs + 2, dtype=np.int64)
    for row in range(days.shape[0]):
        for place in range(sizes[row]):
            starts[days[row, place] + 2] += 1
    for t in range(n_obs + 1):
        starts[t + 1] += starts[t]
    members = np.empty(starts[n_obs + 1], dtype=np.int64)
    for row in range(days.shape[0]):
        for place in range(sizes[row]):
            day = days[row, place]
            members[starts[day + 1]] = row
            starts[day + 1] += 1
    return starts, members


@kernel(floats2, integers, integers, codes)
def screen(series: FloatArray, sources: IntArray, targets: IntArray, status: Codes) -> None:
    """Flag series that are constant or absurd."""
    for i in range(sources.size):
        values = series[sources[i]]
        mean, total = _mean(values), 0.0
        for value in values:
            total += (value - mean) ** 2
        state = _state(values, total)
        if state != OK:
            status[targets[i]] = state


@kernel(floats2, integers, integers, codes, floats2, floats, floats2, floats, integer, out2)
def regressions(  # noqa: PLR0917 - numba takes arguments by place
    series: FloatArray,
    sources: IntArray,
    targets: IntArray,
    status: Codes,
    centered_factors: FloatArray,
    factor_means: FloatArray,
    influence: FloatArray,
    unscaled_variance: FloatArray,
    lags: int,
    estimates: FloatArray,
) -> None:
    """Least squares on shared factors: coefficients, errors, HAC errors, R2.

    `estimates` has 3 (1 + k) + 1 columns, intercept first in each group.
    """
    k, n = centered_factors.shape
    terms = k + 1
    freedom = n - terms
    residuals, scores = np.empty(n), np.empty(n)
    for i in range(sources.size):
        row = targets[i]
        if status[row] != OK:
            continue
        values = series[sources[i]]
        mean = _mean(values)
        for t in range(n):
            residuals[t] = values[t] - mean
        total = _dot(residuals, residuals)
        estimates[row, 0] = mean
        for j in range(k):
            estimates[row, 1 + j] = _dot(influence[1 + j], residuals)
        for j in range(k):
            slope, factor = estimates[row, 1 + j], centered_factors[j]
            estimates[row, 0] -= slope * factor_means[j]
            for t in range(n):
                residuals[t] -= slope * factor[t]
        remaining = _dot(residuals, residuals)
        for j in range(terms):
            weights = influence[j]
            for t in range(n):
                scores[t] = residuals[t] * weights[t]
            estimates[row, terms + j] = np.sqrt(remaining / freedom * unscaled_variance[j])
            estimates[row, 2 * terms + j] = np.sqrt(_bartlett(scores, lags) * n / freedom)
        estimates[row, 3 * terms] = (total - remaining) / total


@kernel(
    floats2,
    integers,
    integers,
    codes,
    floats2,
    floats2,
    floats2,
    floats,
    floats2,
    floats,
    integer,
    out2,
)
def sided_betas(  # noqa: PLR0917
    series: FloatArray,
    sources: IntArray,
    targets: IntArray,
    status: Codes,
    inside: FloatArray,
    centered_factor: FloatArray,
    influence: FloatArray,
    counts: FloatArray,
    partial_weights: FloatArray,
    partial_constant: FloatArray,
    lags: int,
    estimates: FloatArray,
) -> None:
    """Betas below and above a threshold, their difference, HAC errors, co-partial moments.

    `inside` is 1 on the sessions of each side and 0 off it; so are the other weights 0 off it.
    `estimates` has columns down, up, difference, their errors, lower and upper partial.
    """
    n = series.shape[1]
    centered, scores = np.empty(n), np.empty((2, n))
    difference = np.empty(n)
    for i in range(sources.size):
        row = targets[i]
        if status[row] != OK:
            continue
        values = series[sources[i]]
        mean = _mean(values)
        for t in range(n):
            centered[t] = values[t] - mean
        for side in range(2):
            weights, own, mask = influence[side], scores[side], inside[side]
            factor = centered_factor[side]
            slope = _dot(weights, centered)
            level = _dot(mask, centered) / counts[side]
            for t in range(n):
                own[t] = weights[t] * (centered[t] - level - slope * factor[t])
            estimates[row, side] = slope
            correction = counts[side] / (counts[side] - 2.0)
            estimates[row, 3 + side] = np.sqrt(_bartlett(own, lags) * correction)
            partial = _dot(partial_weights[side], values) - partial_constant[side]
            estimates[row, 6 + side] = partial
        down, up = scores[0], scores[1]
        for t in range(n):
            difference[t] = down[t] - up[t]
        used = counts[0] + counts[1]
        estimates[row, 2] = estimates[row, 0] - estimates[row, 1]
        estimates[row, 5] = np.sqrt(_bartlett(difference, lags) * used / (used - 4.0))


@kernel(
    floats2,
    integers,
    integers,
    codes,
    floats,
    floats,
    integers,
    floats2,
    floats2,
    real,
    floats2,
    single4,
)
def rolling_betas(  # noqa: PLR0917
    series: FloatArray,
    sources: IntArray,
    targets: IntArray,
    status: Codes,
    factor: FloatArray,
    centered_factor: FloatArray,
    windows: IntArray,
    window_means: FloatArray,
    inverse_squares: FloatArray,
    decay: float,
    inverse_moments: FloatArray,
    betas: NDArray[np.float32],
) -> None:
    """Betas on moving windows and with declining weights, and their standard errors, each session.

    Shared by all series: `window_means` and `inverse_squares` of the centered factor in each
    window, and the rows of `inverse_moments`: one over the weighted sum of x2, and the weighted
    sum of x4 with squared weights; an inverse is 0 where there is no answer. `betas` has shape
    (n_portfolios, n_windows + 1, 2, n_obs), the declining weights last.
    """
    n = series.shape[1]
    sums = np.zeros((3, n + 1))
    sum_y, sum_xy, sum_yy = sums[0], sums[1], sums[2]
    weighted = np.empty((3, n))
    for i in range(sources.size):
        row = targets[i]
        if status[row] != OK:
            continue
        values = series[sources[i]]
        mean = _mean(values)
        y1, y2, y3, z1, z2, z3 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for t in range(n):
            y, x = values[t] - mean, centered_factor[t]
            y1 += y
            y2 += x * y
            y3 += y * y
            sum_y[t + 1], sum_xy[t + 1], sum_yy[t + 1] = y1, y2, y3
            raw = factor[t]
            product = raw * values[t]
            z1 = decay * z1 + product
            z2 = decay * decay * z2 + product * product
            z3 = decay * decay * z3 + product * raw * raw
            weighted[0, t], weighted[1, t], weighted[2, t] = z1, z2, z3
        for w in range(windows.size):
            window = windows[w]
            means, inverses = window_means[w], inverse_squares[w]
            beta, error = betas[row, w, 0], betas[row, w, 1]
            share, freedom = 1.0 / window, 1.0 / (window - 2.0)
            for t in range(window - 1, n):
                before = t + 1 - window
                in_y = sum_y[t + 1] - sum_y[before]
                in_xy = sum_xy[t + 1] - sum_xy[before] - means[t] * in_y
                in_yy = sum_yy[t + 1] - sum_yy[before] - in_y * in_y * share
                slope = in_xy * inverses[t]
                beta[t] = slope
                unexplained = max(in_yy - slope * in_xy, 0.0)
                error[t] = np.sqrt(unexplained * inverses[t] * freedom)
        beta, error = betas[row, windows.size, 0], betas[row, windows.size, 1]
        for t in range(n):
            inverse = inverse_moments[0, t]
            slope = weighted[0, t] * inverse
            beta[t] = slope
            meat = weighted[1, t] - 2.0 * slope * weighted[2, t]
            meat += slope * slope * inverse_moments[1, t]
            error[t] = np.sqrt(max(meat, 0.0)) * inverse


@kernel(floats, real, out)
def declining_sums(values: FloatArray, decay: float, sums: FloatArray) -> None:
    """Write sums over the past with declining weights."""
    total = 0.0
    for t in range(values.size):
        total = decay * total + values[t]
        sums[t] = total


@kernel(floats2, integers, integers, codes, integers, floats, out2)
def series_risk(  # noqa: PLR0917
    series: FloatArray,
    sources: IntArray,
    targets: IntArray,
    status: Codes,
    tail_sizes: IntArray,
    quantiles: FloatArray,
    measures: FloatArray,
) -> None:
    """Standard deviation, drawdown, and VaR and ES at tail sizes in descending order.

    `measures` has columns mean, standard deviation, drawdown, VaR at each level, ES at each level.
    """
    n, levels = series.shape[1], tail_sizes.size
    tail = np.empty(n + 1)
    for i in range(sources.size):
        row = targets[i]
        if status[row] != OK:
            continue
        values = series[sources[i]]
        mean, total = _mean(values), 0.0
        wealth, peak, depth = 1.0, 1.0, 0.0
        for value in values:
            total += (value - mean) ** 2
        for value in values:
            wealth *= 1.0 + value
            peak = max(peak, wealth)
            depth = max(depth, 1.0 - wealth / peak)
        deviation = np.sqrt(total / (n - 1.0))
        measures[row, 0], measures[row, 1], measures[row, 2] = mean, deviation, depth
        held = n
        for level in range(levels):
            k = tail_sizes[level]
            if level == 0:
                cut = mean - _TAIL_CUT * quantiles[0] * np.sqrt(total / n)
                held = _tail(values, k, cut, tail)
            else:
                _select(tail, held, k)
            held = k
            measures[row, 3 + level] = -_greatest(tail, k)
            measures[row, 3 + levels + level] = -_lower_sum(tail, k) / k


@kernel(
    floats2,
    integers,
    integers,
    integers,
    integers,
    integers,
    floats,
    floats2,
    floats2,
    floats2,
    integers,
    out4,
    codes3,
)
def hedge_grid(  # noqa: PLR0917
    series: FloatArray,
    sources: IntArray,
    targets: IntArray,
    horizons: IntArray,
    starts: IntArray,
    tail_sizes: IntArray,
    quantiles: FloatArray,
    hedges: FloatArray,
    influence: FloatArray,
    moments: FloatArray,
    columns: IntArray,
    grid: FloatArray,
    flags: Codes,
) -> None:
    """Regress block returns of each series on those of each hedge, at each horizon.

    Blocks of horizon h lie at ``starts[h]`` to ``starts[h + 1]`` of a row of `hedges`; `moments`
    holds each hedge's mean and inverse sum of squares at each horizon; hedge j goes to place
    ``columns[j]`` of `grid`, which has shape (n_portfolios, n_hedges, n_horizons, 6): ratio, its
    standard error, intercept, variance reduction, dollar offset, ES reduction. `flags` is a status,
    plus 4 if there is no offset and 8 if there is no ES reduction.
    """
    n, longest = series.shape[1], starts[horizons.size]
    blocks, hedged, tail = np.empty(longest), np.empty(n), np.empty(n + 1)
    for i in range(sources.size):
        row = targets[i]
        values = series[sources[i]]
        for h in range(horizons.size):
            first, last, length = starts[h], starts[h + 1], horizons[h]
            m = last - first
            item = blocks[first:last]
            _compound(values, length, item)
            mean = _mean(item)
            total, sum_of_sizes = 0.0, 0.0
            for value in item:
                total += (value - mean) ** 2
                sum_of_sizes += abs(value)
            state = _state(item, total)
            k = tail_sizes[h]
            cut_width = _TAIL_CUT * quantiles[h]
            _tail(item, k, mean - cut_width * np.sqrt(total / m), tail)
            shortfall = -_lower_sum(tail, k) / k
            no_offset = abs(mean) * m <= _CANCELED * sum_of_sizes
            no_reduction = not shortfall > 0.0
            for j in range(columns.size):
                flags[row, columns[j], h] = state + 4 * no_offset + 8 * no_reduction
                if state != OK:
                    continue
                hedge, weights = hedges[j, first:last], influence[j, first:last]
                hedge_mean, inverse = moments[j, 2 * h], moments[j, 2 * h + 1]
                ratio = 0.0
                for t in range(m):
                    ratio += weights[t] * (item[t] - mean)
                hedged_mean = mean - ratio * hedge_mean
                remaining = 0.0
                for t in range(m):
                    value = item[t] - ratio * hedge[t]
                    hedged[t] = value
                    remaining += (value - hedged_mean) ** 2
                answer = grid[row, columns[j], h]
                answer[0] = ratio
                answer[1] = np.sqrt(remaining / (m - 2.0) * inverse)
                answer[2] = hedged_mean
                answer[3] = 1.0 - remaining / total
                if not no_offset:
                    answer[4] = ratio * hedge_mean / mean
                if not no_reduction:
                    cut = hedged_mean - cut_width * np.sqrt(remaining / m)
                    _tail(hedged[:m], k, cut, tail)
                    answer[5] = 1.0 + _lower_sum(tail, k) / (k * shortfall)


@kernel(floats2, floats2, flags2, integers, narrow, floats, floats2, codes, floats, integers, out)
def shortfall_components(  # noqa: PLR0917
    series: FloatArray,
    coverage: FloatArray,
    observed: BoolArray,
    offsets: IntArray,
    instruments: NDArray[np.int32],
    exposures: FloatArray,
    by_session: FloatArray,
    status: Codes,
    value_at_risk: FloatArray,
    tail_sizes: IntArray,
    components: FloatArray,
) -> None:
    """Split expected shortfall among positions: each one's mean loss over the k worst sessions.

    Of sessions that tie for the last place the earliest count, so that exactly k do. Portfolios
    share bad days: going through them day by day keeps the day's returns in the first cache.
    """
    n_books, n = series.shape
    sizes, longest = np.zeros(n_books, dtype=np.int64), 0
    for row in range(n_books):
        sizes[row] = tail_sizes[row] if status[row] == OK else 0
        longest = max(longest, sizes[row])
    days = np.zeros((n_books, longest), dtype=np.int64)
    found = np.empty(n + 1, dtype=np.int64)
    for row in range(n_books):
        if status[row] == OK:
            k = sizes[row]
            _worst_days(series[row], observed[row], -value_at_risk[row], k, found)
            days[row, :k] = found[:k]
    starts, members = _members_by_day(days, sizes, n)
    for day in range(n):
        returns = by_session[day]
        for member in range(starts[day], starts[day + 1]):
            row = members[member]
            share = 1.0 / (sizes[row] * coverage[row, day])
            for position in range(offsets[row], offsets[row + 1]):
                components[position] += share * returns[instruments[position]]
    for row in range(n_books):
        for position in range(offsets[row], offsets[row + 1]):
            components[position] *= -exposures[position]
