"""Checks across the rows of a price file: scale, jumps, adjusted closes, stored rows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from portfolios.feeds.hints import FeedHints, Split, StoredSeries
from portfolios.feeds.ledger import Ledger
from portfolios.feeds.sessions import session_number
from portfolios.feeds.verdict import (
    Basis,
    BasisChange,
    Correction,
    FeedRefused,
    SplitSeen,
    refuse,
)

JUMP = float(np.log(1.4))  # a day beyond +40 % or -29 % needs a reason
QUIET_JUMP = 0.15  # between closes, without the crowd that news brings
CROWDED_JUMP = float(np.log(1.6))  # AMD on 2016-04-22: +52 % on sixteen times its volume
ROBUST_SIGMAS = 6.0
UNEXPLAINED = 0.10  # of log return, beyond multiple times index
SHARE_OF_EXPECTED = 0.75  # SOXL on 2020-03-17: +9.9 % where three times the index was +26 %
MATERIAL_DISTRIBUTION = 0.005  # of the close; a smaller one can not be what made a price jump
SAME_MOVE = 0.001  # of log return
LONG_GAP = 10  # sessions; a change over more is not one day's
#: How a person says that a jump is real.
CONFIRM = (
    "confirm the day as real: `confirm_jump` of POST /v1/prices, or for a shared folder"
    " `import_market --confirm TICKER=DATE`"
)
FACTORS = np.array(
    [
        1.5, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 16, 18, 20, 24, 25, 30, 32, 36, 40, 45, 48, 50, 60,
        64, 75, 80, 100, 120, 125, 144, 150, 180, 200, 240, 250, 300, 400, 500, 600, 800, 1000,
        1200, 1500, 2000, 2500, 3000, 5000, 10_000, 100_000, 1_000_000,
    ]
)  # fmt: skip

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def in_order(ledger: Ledger) -> Ints:
    """Indexes of the kept rows, oldest first."""
    kept = np.flatnonzero(ledger.kept)
    return kept[np.argsort(ledger.days["date"][kept], kind="stable")]


@dataclass(slots=True)
class Closes:
    """Kept rows with a close, oldest first, all in the split basis of the last row."""

    index: Ints
    days: NDArray[np.datetime64]
    close: Floats
    open: Floats
    volume: Floats
    gaps: Ints

    def __len__(self) -> int:
        return len(self.index)


def closes_of(ledger: Ledger, hints: FeedHints, unapplied: tuple[SplitSeen, ...] = ()) -> Closes:
    order = in_order(ledger)
    order = order[np.isfinite(ledger.values["close"][order])]
    days = ledger.days["date"][order]
    scale = np.ones(len(order))
    for split in unapplied:
        before = days < np.datetime64(split.effective_date)
        scale[before] *= split.old_shares / split.new_shares
    return Closes(
        order,
        days,
        ledger.values["close"][order] * scale,
        ledger.values["open"][order] * scale,
        ledger.values["volume"][order] / scale,
        np.diff(session_number(days, hints.calendar)),
    )


# Splits on file


def splits_seen(ledger: Ledger, hints: FeedHints) -> tuple[Basis, tuple[SplitSeen, ...]]:
    """For each known split inside the file, whether the closes jump by it within five rows."""
    closes = closes_of(ledger, hints)
    seen = []
    moves = np.diff(np.log(closes.close))
    for split in hints.splits:
        day = np.datetime64(split.effective_date)
        place = int(np.searchsorted(closes.days, day))
        if not 0 < place < len(closes):
            continue
        factor = np.log(split.old_shares / split.new_shares)
        near = moves[max(0, place - 6) : place + 5]
        best = near[np.argmin(np.abs(near - factor))]
        visible = bool(abs(best - factor) < min(0.25, 0.5 * abs(factor)))
        at = max(0, place - 6) + int(np.argmin(np.abs(near - factor))) + 1
        effective = closes.days[at].item() if visible else split.effective_date
        seen.append(SplitSeen(effective, split.new_shares, split.old_shares, visible))
    if not seen:
        return Basis.UNKNOWN, ()
    if all(split.visible for split in seen):
        ledger.note("as-traded", "prices are as traded: every split on file shows in the closes")
        return Basis.AS_TRADED, tuple(seen)
    return Basis.ADJUSTED, tuple(seen)


# Jumps and levels


@dataclass(slots=True)
class Moves:
    """Close-to-close log returns; `abnormal` is what multiple times index leaves of them."""

    raw: Floats
    abnormal: Floats
    expected: Floats  # NaN where there is no index
    sigma: Floats


def _moves(ledger: Ledger, closes: Closes, hints: FeedHints) -> Moves:
    raw = np.diff(np.log(closes.close))
    for paid in hints.distributions:
        place = int(np.searchsorted(closes.days, np.datetime64(paid.ex_date)))
        if 0 < place < len(closes) and 0 < paid.amount < UNEXPLAINED * closes.close[place]:
            raw[place - 1] += np.log1p(paid.amount / closes.close[place])
    expected = _expected(closes, hints)
    known = np.isfinite(expected)
    if known.sum() >= 5:
        plain, rest = np.median(np.abs(raw[known])), np.median(np.abs((raw - expected)[known]))
        if rest > 0.8 * plain:
            ledger.note(
                "index-does-not-fit",
                "multiple times index does not describe this series; judged without it",
            )
            expected = np.full_like(raw, np.nan)
    abnormal: Floats = np.where(np.isfinite(expected), raw - np.nan_to_num(expected), raw)
    return Moves(raw, abnormal, expected, _local_sigma(abnormal) * np.sqrt(closes.gaps))


def _expected(closes: Closes, hints: FeedHints) -> Floats:
    lever = hints.leverage
    nothing = np.full(len(closes) - 1, np.nan)
    if lever is None or lever.index_dates is None or lever.index_levels is None:
        return nothing
    known = np.isfinite(lever.index_levels) & (lever.index_levels > 0)
    levels, days = lever.index_levels[known], lever.index_dates[known].astype("datetime64[D]")
    if len(levels) < 2:
        return nothing
    daily = np.maximum(lever.multiple * np.diff(levels) / levels[:-1], -0.98)
    path = np.concatenate(([0.0], np.cumsum(np.log1p(daily))))
    place = np.minimum(np.searchsorted(days, closes.days), len(days) - 1)
    at = np.where(days[place] == closes.days, path[place], np.nan)
    steps: Floats = np.diff(at)
    return steps


def _local_sigma(moves: Floats, reach: int = 10) -> Floats:
    """1.4826 times the median size of the neighboring moves, the move itself left out."""
    size = np.abs(moves)
    if len(size) < 4:
        return np.full_like(size, np.median(size) if len(size) else 0.0)
    reach = min(reach, (len(size) - 1) // 2)
    padded = np.pad(size, reach, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    around = np.delete(windows, reach, axis=1)
    sigma: Floats = np.maximum(1.4826 * np.median(around, axis=1), 1e-4)
    return sigma


def _suspicious(closes: Closes, moves: Moves, hints: FeedHints) -> NDArray[np.bool_]:
    size = np.abs(moves.abnormal)
    with_index = np.isfinite(moves.expected)
    beyond_index = size > np.maximum.reduce(
        [
            np.full_like(size, UNEXPLAINED),
            SHARE_OF_EXPECTED * np.abs(np.nan_to_num(moves.expected)),
            8 * moves.sigma,
        ]
    )
    previous, volume = closes.close[:-1], closes.volume
    with np.errstate(invalid="ignore", divide="ignore"):
        overnight = np.log(closes.open[1:] / previous) / moves.raw
        surge = volume[1:] / _median_before(volume)[1:]
        turnover = surge * closes.close[1:] / previous
    traded = overnight < 0.5  # the open stood near the old level: the day's trading moved it
    crowded = (surge >= 3) & (turnover >= 3) & (size < CROWDED_JUMP)
    large = (size > np.maximum(_limit(hints), ROBUST_SIGMAS * moves.sigma)) & ~traded & ~crowded
    quiet = (surge < 2.5) | (np.isnan(surge) & (size > 12 * moves.sigma))
    quiet &= (overnight > 0.5) & (hints.leverage is None)
    small = (size > np.maximum(QUIET_JUMP, 8 * moves.sigma)) & quiet
    suspicious = np.where(with_index, beyond_index, large | small) & (closes.gaps <= LONG_GAP)
    return np.asarray(suspicious)


def _on_file(closes: Closes, moves: Moves, stored: StoredSeries | None) -> NDArray[np.bool_]:
    """Moves that the stored rows make between the same two days: they have been judged once."""
    if stored is None:
        return np.zeros(len(moves.raw), dtype=bool)
    known = np.isfinite(stored.close)
    days, level = stored.dates.astype("datetime64[D]")[known], stored.close[known]
    at = np.searchsorted(days, closes.days)
    there = np.append(days, np.datetime64("NaT"))[at] == closes.days
    before = np.where(there, np.append(level, np.nan)[at], np.nan)
    return np.asarray(np.abs(np.diff(np.log(before)) - moves.raw) < SAME_MOVE)


def _limit(hints: FeedHints) -> float:
    """Log return beyond which a day needs a reason: 20 % in the index for a leveraged fund."""
    if hints.leverage is None:
        return JUMP
    largest = min(0.9, 0.2 * abs(hints.leverage.multiple) + 0.05)
    return max(JUMP, -float(np.log1p(-largest)))


def _median_before(volume: Floats, n_rows: int = 20) -> Floats:
    if len(volume) <= n_rows:
        with np.errstate(invalid="ignore"):
            known = volume[np.isfinite(volume)]
        return np.full_like(volume, np.median(known) if len(known) else np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(volume, n_rows)[:-1]
    medians = np.median(windows, axis=1)
    return np.concatenate((np.full(n_rows, medians[0]), medians))


def check_levels(ledger: Ledger, hints: FeedHints, unapplied: tuple[SplitSeen, ...]) -> None:
    """Finds the sides of each unexplained jump and rejects the rows on the wrong one.

    A side is wrong when it disagrees with the stored rows, or else when it is not the level of the
    latest rows. Where no factor explains the jump, nothing tells which side is right: refused.
    """
    closes = closes_of(ledger, hints, unapplied)
    if len(closes) < 3:
        return
    _refuse_alternating(ledger, closes)
    moves = _moves(ledger, closes, hints)
    suspicious = _suspicious(closes, moves, hints) & ~_on_file(closes, moves, hints.stored)
    days = np.array(sorted(hints.confirmed_days), dtype="datetime64[D]")
    confirmed = suspicious & np.isin(closes.days[1:], days)
    for b in (np.flatnonzero(confirmed) + 1).tolist():
        told = f"{closes.days[b]}: close {_describe(moves, b - 1)}, confirmed as real"
        ledger.note("jump-confirmed", told)
    breaks = np.flatnonzero(suspicious & ~confirmed) + 1
    if not len(breaks):
        return
    steps = moves.abnormal[breaks - 1]
    if len(breaks) > max(10, 0.1 * len(closes)):
        raise refuse(
            "two-instruments",
            f"the closes jump {len(breaks)} times in {len(closes)} rows, first on "
            f"{closes.days[breaks[0]]}: the rows of two instruments mixed, or two price scales",
            row=int(ledger.rows[closes.index[breaks[0]]]),
            column="close",
            value=ledger.cell(int(closes.index[breaks[0]]), "close"),
            suggestion="send one file per instrument",
        )
    bounds = np.concatenate(([0], breaks, [len(closes)]))
    levels = np.concatenate(([0.0], np.cumsum(steps)))
    sides = _clusters(levels, 0.25 * float(np.abs(steps).min()))
    right = _right_side(closes, bounds, sides, hints)
    _report_breaks(ledger, closes, moves, breaks, hints)
    anchor = np.median(levels[sides == right])
    right_prices = closes.close[np.repeat(sides, np.diff(bounds)) == right]
    for s in np.flatnonzero(sides != right).tolist():
        start, stop = int(bounds[s]), int(bounds[s + 1])
        if s > 0 and sides[s - 1] == right:
            step, at = levels[s] - levels[s - 1], start
        elif s + 1 < len(levels) and sides[s + 1] == right:
            step, at = levels[s] - levels[s + 1], stop
        else:
            step, at = levels[s] - anchor, min(stop, len(closes) - 1)
        tolerance = max(3 * float(moves.sigma[at - 1]), 0.02)
        factor = _factor(step, tolerance, closes.close[start:stop], right_prices)
        brief = stop - start <= 0.2 * len(closes)
        returns = brief and 0 < s < len(levels) - 1 and sides[s - 1] == sides[s + 1] == right
        if factor is None and not returns:
            raise _unexplained(ledger, closes, moves, breaks)
        span = _span(closes, start, stop)
        if factor is None:
            code = "price-spike"
            text = f"{span} are about {np.exp(step):.4g} times those around them"
        else:
            code = "scale-break"
            times = f"{factor:g} times" if step > 0 else f"1/{factor:g} of"
            text = f"{span} are {times} the others"
        for i in closes.index[start:stop].tolist():
            ledger.reject(
                i, code, text, column="close", suggestion="send the prices in one scale throughout"
            )


def _refuse_alternating(ledger: Ledger, closes: Closes) -> None:
    """Large moves that the next one takes back, all along: two series row by row."""
    log = np.log(closes.close)
    if len(log) < 10:
        return
    one, two = np.median(np.abs(np.diff(log))), np.median(np.abs(log[2:] - log[:-2]))
    if one > 0.05 and two < 0.5 * one:
        raise refuse(
            "two-instruments",
            f"the closes alternate between two levels {np.exp(one):.3g} times apart: the rows of "
            "two instruments, or two price scales, mixed",
            row=int(ledger.rows[closes.index[1]]),
            column="close",
            value=ledger.cell(int(closes.index[1]), "close"),
            suggestion="send one file per instrument",
        )


def _clusters(levels: Floats, tolerance: float) -> Ints:
    order = np.argsort(levels)
    groups = np.concatenate(([0], np.cumsum(np.diff(levels[order]) > tolerance)))
    sides = np.empty(len(levels), dtype=np.int64)
    sides[order] = groups
    return sides


def _right_side(closes: Closes, bounds: Ints, sides: Ints, hints: FeedHints) -> int:
    lengths = np.diff(bounds)
    totals = np.bincount(sides, weights=lengths)
    if hints.stored is not None:
        ratio = _log_ratio_to_stored(closes, hints.stored)
        of_row = np.repeat(sides, lengths)
        targets = np.array([0.0, *(np.log(f) for f, _ in _split_products(hints.splits))])
        for side in np.argsort(-totals):
            known = ratio[(of_row == side) & np.isfinite(ratio)]
            if len(known) and np.abs(targets - np.median(known)).min() < 0.02:
                return int(side)
    if lengths[-1] >= 4 or sides[-1] == np.argmax(totals):
        return int(sides[-1])
    return int(np.argmax(totals))


def _factor(step: float, tolerance: float, wrong: Floats, right: Floats) -> float | None:
    """The round factor between two levels, if there is one.

    Prices sit on a grid of cents or dimes: a factor that puts the wrong prices back on the grid
    of the right ones may differ more from the jump, which holds a day's return too.
    """
    size = abs(step)
    distance = np.abs(np.log(FACTORS) - size)
    near = np.flatnonzero(distance < 0.3)
    digits = _decimals(right)
    if digits is not None:
        sign = np.sign(step)
        on_grid = [f for f in near if _share_on_grid(wrong * FACTORS[f] ** -sign, digits) > 0.95]
        if on_grid and len(on_grid) < len(near):
            return float(FACTORS[min(on_grid, key=lambda f: distance[f])])
    best = int(np.argmin(distance))
    limit = 0.04 if FACTORS[best] < 4 else 0.2  # 2.3 is no factor of 2: a few per cent may be
    if distance[best] <= min(tolerance, limit):
        return float(FACTORS[best])
    return None


def _decimals(prices: Floats) -> int | None:
    return next((d for d in range(4) if _share_on_grid(prices, d) > 0.98), None)


def _share_on_grid(prices: Floats, digits: int) -> float:
    scaled = prices * 10.0**digits
    return float(np.mean(np.abs(scaled - np.round(scaled)) <= np.maximum(1e-6 * scaled, 1e-6)))


def _describe(moves: Moves, at: int) -> str:
    text = f"{np.expm1(moves.raw[at]):+.1%}"
    if np.isfinite(moves.expected[at]):
        text += f" where multiple times index gives {np.expm1(moves.expected[at]):+.1%}"
    return text


def _report_breaks(
    ledger: Ledger, closes: Closes, moves: Moves, breaks: Ints, hints: FeedHints
) -> None:
    paid = {np.datetime64(d.ex_date): d.amount for d in hints.distributions}
    on_ex_dates = [b for b in breaks.tolist() if closes.days[b] in paid]
    worth = [paid[closes.days[b]] / closes.close[b] for b in on_ex_dates]
    if len(on_ex_dates) > 1 or any(share > MATERIAL_DISTRIBUTION for share in worth):
        first = on_ex_dates[0]
        raise refuse(
            "distributions-misscaled",
            f"the closes jump on {len(on_ex_dates)} distribution dates, first {closes.days[first]} "
            f"({_describe(moves, first - 1)}): adjusted with distributions in a wrong share basis",
            row=int(ledger.rows[closes.index[first]]),
            column="close",
            value=ledger.cell(int(closes.index[first]), "close"),
            suggestion="send closes that are not adjusted for distributions",
        )
    for b in breaks[:20].tolist():
        ledger.of_file(
            "unexplained-jump",
            f"row {ledger.rows[closes.index[b]]}, {closes.days[b]}: close "
            f"{_describe(moves, b - 1)}, no split on file for that day",
            suggestion=f"put the split on file, or {CONFIRM}",
        )


def _unexplained(ledger: Ledger, closes: Closes, moves: Moves, breaks: Ints) -> FeedRefused:
    first = int(breaks[0])
    several = f", and on {len(breaks) - 1} more days" if len(breaks) > 1 else ""
    misscaled = len(breaks) >= 3 and (moves.abnormal[breaks - 1] > 0).mean() > 0.8
    return refuse(
        "distributions-misscaled" if misscaled else "unexplained-jump",
        f"close {_describe(moves, first - 1)} on {closes.days[first]}{several}; no split on file "
        "and no round factor accounts for it"
        + (": adjusted with distributions in a wrong share basis" if misscaled else ""),
        row=int(ledger.rows[closes.index[first]]),
        column="close",
        value=ledger.cell(int(closes.index[first]), "close"),
        suggestion=f"put the corporate action on file, or {CONFIRM}",
    )


def _span(closes: Closes, start: int, stop: int) -> str:
    if start == 0:
        return f"prices before {closes.days[stop]}"
    if stop == len(closes):
        return f"prices from {closes.days[start]} on"
    return f"prices from {closes.days[start]} to {closes.days[stop - 1]}"


# Adjusted closes


def check_adjusted(ledger: Ledger, hints: FeedHints, unapplied: tuple[SplitSeen, ...]) -> None:
    """adj_close / close may only step up, by what a distribution explains."""
    closes = closes_of(ledger, hints, unapplied)
    adjusted = ledger.values["adj_close"][closes.index]
    both = np.isfinite(adjusted)
    if both.sum() < 3:
        return
    rows, days = closes.index[both], closes.days[both]
    quotient = np.log(adjusted[both] / closes.close[both])
    if _is_unadjusted(closes, both, quotient, hints):
        ledger.of_file(
            "adjusted-close-unadjusted",
            "adj_close is the close itself although distributions on file fall inside the file; "
            "adj_close left out",
            suggestion="send adjusted closes, or none",
        )
        for i in rows.tolist():
            ledger.drop_cell(i, "adj_close", "adjusted-close-unadjusted", "equals close")
        return
    steps = np.diff(quotient)
    if _exceeds_distributions(ledger, hints, days, closes.close[both], steps):
        for i in rows.tolist():
            ledger.drop_cell(
                i, "adj_close", "distributions-misscaled", "not by the distributions on file"
            )
        return
    wrong = np.flatnonzero((steps > UNEXPLAINED) | (steps < -0.02)) + 1
    if not len(wrong):
        return
    levels = np.concatenate(([0.0], np.cumsum(steps[wrong - 1])))
    bounds = np.concatenate(([0], wrong, [len(rows)]))
    sides = _clusters(levels, 0.4 * float(np.abs(steps[wrong - 1]).min()))
    keep_side = (
        sides[-1] if bounds[-1] - bounds[-2] >= 4 else sides[int(np.argmax(np.diff(bounds)))]
    )
    first = int(wrong[0])
    ledger.of_file(
        "adjusted-close-jump",
        f"adj_close / close changes by {np.expm1(steps[first - 1]):+.1%} on {days[first]}"
        + (f" and on {len(wrong) - 1} more days" if len(wrong) > 1 else "")
        + "; no distribution explains it: adj_close left out on the other side",
        suggestion="distributions may have been applied in a wrong share basis",
    )
    for s in np.flatnonzero(sides != keep_side).tolist():
        for i in rows[bounds[s] : bounds[s + 1]].tolist():
            ledger.drop_cell(
                i, "adj_close", "adjusted-close-jump", "not comparable with the other side"
            )


def _exceeds_distributions(
    ledger: Ledger, hints: FeedHints, days: NDArray[np.datetime64], close: Floats, steps: Floats
) -> bool:
    """Whether adj_close steps by a multiple of the distributions on file.

    Steps of a small part of them speak against the amounts on file (cents), and are noted only.
    """
    ratios = []
    for paid in hints.distributions:
        place = int(np.searchsorted(days, np.datetime64(paid.ex_date)))
        if 0 < place < len(days) and paid.amount > 1e-4 * close[place - 1]:
            ratios.append(np.expm1(steps[place - 1]) * close[place - 1] / paid.amount)
    middle = float(np.median(ratios)) if len(ratios) >= 3 else 1.0
    text = f"adj_close steps by {middle:.3g} times the distributions on file (of {len(ratios)})"
    if middle > 2:
        ledger.of_file(
            "distributions-misscaled",
            f"{text}: adjusted in a wrong share basis or in cents; adj_close left out",
            suggestion="send adjusted closes in the share basis of the closes, or none",
        )
    elif middle < 0.5:
        ledger.note(
            "distributions-contradict",
            f"{text}: the amounts on file may be in cents or in another share basis",
        )
    return middle > 2


def _is_unadjusted(
    closes: Closes, both: NDArray[np.bool_], quotient: Floats, hints: FeedHints
) -> bool:
    days = closes.days[both]
    inside = [
        d.amount for d in hints.distributions if days[0] < np.datetime64(d.ex_date) <= days[-1]
    ]
    worth = sum(inside) / float(np.median(closes.close[both]))
    return worth > 0.001 and float(np.abs(quotient).max()) < 1e-6


# Stored rows


def _log_ratio_to_stored(closes: Closes, stored: StoredSeries) -> Floats:
    if not len(stored.dates):
        return np.full(len(closes), np.nan)
    days = stored.dates.astype("datetime64[D]")
    place = np.minimum(np.searchsorted(days, closes.days), len(days) - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.log(closes.close / stored.close[place])
    return np.where(days[place] == closes.days, ratio, np.nan)


def _split_products(splits: tuple[Split, ...]) -> list[tuple[float, tuple[Split, ...]]]:
    """Price factors new/old of the last one, two, ... splits.

    Stored closes carry every split on file; a file made earlier lacks the latest ones.
    """
    ordered = sorted(splits, key=lambda s: s.effective_date)
    products = []
    for start in range(len(ordered)):
        lacking = tuple(ordered[start:])
        products.append((float(np.prod([s.new_shares / s.old_shares for s in lacking])), lacking))
    return products


def compare_with_stored(
    ledger: Ledger, hints: FeedHints, unapplied: tuple[SplitSeen, ...]
) -> tuple[BasisChange | None, tuple[Correction, ...]]:
    if hints.stored is None:
        return None, ()
    closes = closes_of(ledger, hints, unapplied)
    ratio = _log_ratio_to_stored(closes, hints.stored)
    known = np.flatnonzero(np.isfinite(ratio))
    if not len(known):
        return _joint_with_stored(ledger, closes, hints, hints.stored), ()
    base = float(np.median(ratio[known]))
    if len(known) < 5 and abs(base) < 0.1:
        base = 0.0  # a few closes that differ a little are corrections, not another basis
    off = known[np.abs(ratio[known] - base) > 0.001]
    if len(known) >= 5 and len(off) > 0.3 * len(known):
        raise _disagrees(ledger, closes, ratio, known, hints)
    change = None
    if abs(base) > 0.002:
        change = _basis_change(float(np.exp(base)), len(known), hints)
        how = "as splits on file explain" if change.explained else "which no split on file explains"
        if change.explained:
            ledger.note("split-basis", f"closes are {change.factor:.6g} times the stored, {how}")
        else:
            ledger.of_file(
                "split-basis",
                f"closes are {change.factor:.6g} times the stored on {len(known)} days, {how}",
                suggestion="put the split on file",
            )
    corrections = []
    stored = hints.stored
    for k in off.tolist():
        place = int(np.searchsorted(stored.dates.astype("datetime64[D]"), closes.days[k]))
        before = float(stored.close[place] * np.exp(base))
        i = int(closes.index[k])
        if abs(ratio[k] - base) > 0.1:
            ledger.reject(
                i, "contradicts-stored", f"the stored close is {before:.6g}", column="close"
            )
        else:
            corrections.append(
                Correction(
                    int(ledger.rows[i]), closes.days[k].item(), before, float(closes.close[k])
                )
            )
    return change, tuple(corrections)


def _joint_with_stored(
    ledger: Ledger, closes: Closes, hints: FeedHints, stored: StoredSeries
) -> BasisChange | None:
    """A file that goes on where the stored rows end: its first change is checked like any other."""
    known = np.flatnonzero(np.isfinite(stored.close))
    if not len(known) or not len(closes):
        return None
    days = stored.dates.astype("datetime64[D]")[known]
    both = session_number(np.array([days[-1], closes.days[0]]), hints.calendar)
    if not 0 < both[1] - both[0] <= LONG_GAP or closes.days[0].item() in hints.confirmed_days:
        return None
    move = float(np.log(closes.close[0] / stored.close[known[-1]]))
    last = closes.days[-1]
    recent = tuple(s for s in hints.splits if np.datetime64(s.effective_date) > last)
    for product, splits in _split_products(recent):
        if abs(move - np.log(product)) < min(0.25, 0.5 * abs(np.log(product))):
            ledger.note("split-basis", f"closes are {product:.6g} times the stored, as splits say")
            dates = tuple(s.effective_date for s in splits)
            return BasisChange(product, explained=True, n_overlap=0, splits=dates)
    before = np.abs(np.diff(np.log(stored.close[known[-60:]])))
    sigma = 1.4826 * float(np.median(before)) if len(before) else 0.0
    if abs(move) > max(_limit(hints), ROBUST_SIGMAS * sigma):
        raise refuse(
            "unexplained-jump",
            f"close {np.expm1(move):+.1%} from the last stored close of {days[-1]} to "
            f"{closes.days[0]}, no split on file between them",
            row=int(ledger.rows[closes.index[0]]),
            column="close",
            value=ledger.cell(int(closes.index[0]), "close"),
            suggestion="put the split on file, or send a file that overlaps the stored rows",
        )
    return None


def _basis_change(factor: float, n_overlap: int, hints: FeedHints) -> BasisChange:
    for product, splits in _split_products(hints.splits):
        if abs(np.log(factor / product)) < 0.002:
            dates = tuple(s.effective_date for s in splits)
            return BasisChange(product, explained=True, n_overlap=n_overlap, splits=dates)
    return BasisChange(factor, explained=False, n_overlap=n_overlap)


def _disagrees(
    ledger: Ledger, closes: Closes, ratio: Floats, known: Ints, hints: FeedHints
) -> FeedRefused:
    first = int(known[0])
    low, high = np.exp(ratio[known].min()), np.exp(ratio[known].max())
    code = "contradicts-stored"
    text = f"file close / stored close runs from {low:.4g} to {high:.4g} over {len(known)} days"
    ex_dates = np.array([d.ex_date for d in hints.distributions], dtype="datetime64[D]")
    steps = known[1:][np.abs(np.diff(ratio[known])) > 0.001]
    if len(ex_dates) and len(steps):
        near = np.searchsorted(np.sort(ex_dates), closes.days[steps])
        ordered = np.append(np.sort(ex_dates), np.datetime64("9999-12-31"))
        if np.mean(ordered[near] == closes.days[steps]) > 0.5:
            code = (
                "distributions-misscaled"
                if _beyond_adjusted(closes, ratio, known, hints)
                else ("close-is-adjusted")
            )
            text += ", changing on distribution dates"
    return refuse(
        code,
        text + ": not the same series",
        row=int(ledger.rows[closes.index[first]]),
        column="close",
        value=ledger.cell(int(closes.index[first]), "close"),
        suggestion="check the symbol, and that closes are not adjusted for distributions",
    )


def _beyond_adjusted(closes: Closes, ratio: Floats, known: Ints, hints: FeedHints) -> bool:
    """Whether file and stored differ by more than all distributions on file are worth."""
    stored = hints.stored
    if stored is None:
        return False
    days = stored.dates.astype("datetime64[D]")
    worth = 0.0
    for paid in hints.distributions:
        place = int(np.searchsorted(days, np.datetime64(paid.ex_date)))
        if 0 < place < len(days) and closes.days[known[0]] < np.datetime64(paid.ex_date):
            worth += abs(float(np.log1p(-min(0.9, paid.amount / stored.close[place - 1]))))
    return float(np.ptp(ratio[known])) > 1.5 * worth + 0.01


def check_volume(ledger: Ledger, hints: FeedHints, change: BasisChange | None) -> None:
    """One exchange's volume is a small and steady part of the stored volume."""
    stored = hints.stored
    if stored is None or stored.volume is None or not len(stored.dates):
        return
    if change is not None and not change.explained:
        return  # volumes in different share bases
    closes = closes_of(ledger, hints)
    days = stored.dates.astype("datetime64[D]")
    place = np.minimum(np.searchsorted(days, closes.days), len(days) - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = closes.volume / stored.volume[place] * (change.factor if change else 1.0)
    share = share[(days[place] == closes.days) & np.isfinite(share)]
    if len(share) >= 5 and float(np.median(share)) < 0.4:
        ledger.of_file(
            "one-venue-volume",
            f"volume is {np.median(share):.1%} of the stored (median of {len(share)} days): one "
            "exchange's volume; volume left out",
        )
        for i in closes.index[np.isfinite(closes.volume)].tolist():
            ledger.drop_cell(i, "volume", "one-venue-volume", "not the consolidated volume")


# Stated changes


def check_stated_change(ledger: Ledger, hints: FeedHints) -> None:
    """A stated daily change that the closes do not show makes the row doubtful."""
    stated = ledger.values.get("change_pct")
    if stated is None:
        return
    closes = closes_of(ledger, hints)
    stated = stated[closes.index] / 100
    if np.isfinite(stated[:1]).all() and abs(stated[0]) > 0.4:
        ledger.note(
            "first-change",
            f"the first row states a change of {stated[0]:+.2%}; nothing to compare it with",
        )
    shown = closes.close[1:] / closes.close[:-1] - 1
    with np.errstate(invalid="ignore"):
        wrong = (np.abs(shown - stated[1:]) > 0.005) & (closes.gaps == 1)
    n_compared = int((np.isfinite(stated[1:]) & (closes.gaps == 1)).sum())
    if wrong.sum() > max(3, 0.2 * n_compared):
        ledger.note("change-column", "the stated changes are not close to close; not compared")
        return
    skip = -1
    for k in np.flatnonzero(wrong).tolist():
        if k == skip:
            continue
        i = int(closes.index[k + 1])
        ledger.reject(
            i,
            "change-mismatch",
            f"states a change of {stated[k + 1]:+.2%}, the closes show {shown[k]:+.2%}",
            column="close",
        )
        if k + 1 < len(wrong) and wrong[k + 1]:
            both = (1 + stated[k + 1]) * (1 + stated[k + 2]) - 1
            if abs(closes.close[k + 2] / closes.close[k] - 1 - both) < 0.005:
                skip = k + 1  # the next row is right: it follows the row before this one
