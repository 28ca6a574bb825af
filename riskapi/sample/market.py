"""The model of the synthetic market. Nothing in it is a real price.

The model. One row of uniform numbers is drawn for each session, so a longer sample is a shorter
one continued: no past price changes when sessions are added. The uniforms come from the raw output
of PCG64 (which numpy keeps stable for good, unlike the distributions of `Generator`) and become
Student-t innovations z of variance 1 by the inverse distribution function.

- Factors. The market earns m = mu_m + sqrt(h_m) z_m and the semiconductor index
  x = mu_x + b (m - mu_m) + sqrt(h_s) z_s. Both variances cluster, and rise more after a fall
  (Glosten, Jagannathan and Runkle 1993, eq. 2):
  h' = omega + (alpha + gamma 1[z < 0]) h z^2 + beta h.
- Names. r_i = mu_i + b_i (x - mu_x) + c_i (m - mu_m) + s_i z_i.
- Funds of multiple M on the index, reset daily, with the closes S of the index as published:
  r = M (S_t / S_{t-1} - 1) + ((1 - M) rf - spread n) / 252 - expense / 252, where rf is the
  bill yield of the session before and n the swapped notional (M - 1 for a bull fund, |M| for an
  inverse one): Cheng and Madhavan 2009 in daily steps. The close is the value times
  1 + a premium of 2 basis points' standard deviation.
- Distributions of a quarter's yield go ex on the first session from the 21st of March, June,
  September and December. A fund or share whose close leaves its range is split, ten sessions
  after: 1 for 10 below the floor, 4 for 1 above the ceiling.
- The 13-week bill yield reverts to 3.8 %.

References: Glosten, Jagannathan, Runkle 1993, Journal of Finance 48(5); Cheng and Madhavan 2009,
Journal of Investment Management 7(4).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from portfolios.feeds.sessions import sessions_between

Floats = NDArray[np.float64]

#: Chosen for a path with a boom, a slump and all that goes with them.
SEED = 37
FIRST_SESSION = date(2022, 10, 3)
#: The date of the documented examples: a sample reaches at least to here.
REFERENCE_SESSION = date(2026, 10, 30)

INDEX, MARKET, FUND, BULL, BEAR = "SYNSEMI", "SYNMKT", "SYNETF", "SYNBULL", "SYNBEAR"
SWAP_SPREAD = 0.005


@dataclass(frozen=True)
class Listing:
    """One line of the market: exposures per day, and how it trades."""

    symbol: str
    name: str
    kind: str
    first_close: float
    multiple: float | None = None
    expense_ratio: float = 0.0
    yield_annual: float = 0.0
    semis_beta: float = 0.0
    market_beta: float = 0.0
    own_volatility_annual: float = 0.0
    ceiling: float = 600.0
    floor: float = 0.0


def _chip(letter: str, close: float, semis_beta: float, *rest: float) -> Listing:
    market_beta, own_volatility_annual, yield_annual = rest
    return Listing(
        f"CHIP{letter}",
        f"Synthetic Chip {letter}",
        "equity",
        close,
        yield_annual=yield_annual,
        semis_beta=semis_beta,
        market_beta=market_beta,
        own_volatility_annual=own_volatility_annual,
    )


LISTINGS = (
    Listing(INDEX, "Synthetic Semiconductor Index", "index", 1000.0, ceiling=np.inf),
    Listing(
        MARKET, "Synthetic Broad Market Fund", "etf", 300.0, yield_annual=0.013, ceiling=np.inf
    ),
    Listing(FUND, "Synthetic Semiconductor Fund", "etf", 100.0, 1, 0.0035, 0.006, ceiling=np.inf),
    Listing(BULL, "Synthetic Semiconductor Bull 3X", "etf", 20.0, 3, 0.0075, 0.002, ceiling=250.0),
    Listing(BEAR, "Synthetic Semiconductor Bear 3X", "etf", 60.0, -3, 0.0102, 0.03, floor=8.0),
    _chip("A", 120.0, 1.35, 0.00, 0.24, 0.000),
    _chip("B", 65.0, 1.20, 0.15, 0.28, 0.000),
    _chip("C", 480.0, 0.95, 0.05, 0.17, 0.020),
    _chip("D", 420.0, 1.05, 0.00, 0.18, 0.010),
    _chip("E", 28.0, 0.75, 0.20, 0.26, 0.015),
    _chip("F", 52.0, 1.15, -0.10, 0.25, 0.005),
    _chip("G", 82.0, 1.10, 0.00, 0.16, 0.009),
    _chip("H", 370.0, 1.12, 0.00, 0.18, 0.012),
    _chip("I", 113.0, 0.80, 0.15, 0.18, 0.022),
    _chip("J", 155.0, 0.65, 0.25, 0.14, 0.028),
    _chip("K", 43.0, 1.30, 0.10, 0.32, 0.004),
    _chip("L", 69.0, 0.90, 0.30, 0.20, 0.021),
)
SYMBOLS = tuple(listing.symbol for listing in LISTINGS)

_TAIL = 6.0  # degrees of freedom of the innovations
_LARGEST_SHOCK = 6.0  # in standard deviations
_LARGEST_INDEX_MOVE = 0.2
_MARKET_VARIANCE, _SEMIS_VARIANCE = 0.16**2 / 252, 0.25**2 / 252
_ALPHA, _GAMMA, _BETA = 0.04, 0.08, 0.90
_MARKET_DRIFT, _INDEX_DRIFT, _INDEX_BETA = 0.09 / 252, 0.20 / 252, 1.45
_NOTICE_SESSIONS = 10
_N = len(LISTINGS)
# Of a session: market, index and bill yield; each line's own shock; its open, high, low, volume.
_DRAWS = 3 + _N + 4 * _N


@dataclass(frozen=True)
class Distribution:
    symbol: str
    ex_date: date
    amount: float


@dataclass(frozen=True)
class Split:
    symbol: str
    effective_date: date
    new_shares: int
    old_shares: int


@dataclass(frozen=True)
class Market:
    """What happened. Arrays are (n_sessions, n_listings), prices as traded."""

    sessions: list[date]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: NDArray[np.int64]
    splits: list[Split]
    distributions: list[Distribution]
    bill_yield_pct: Floats
    market_return: Floats
    market_volatility: Floats
    index_volatility: Floats

    def close_of(self, symbol: str, session: date) -> float:
        """The close as traded."""
        return float(self.close[self.sessions.index(session), SYMBOLS.index(symbol)])


def generate(through: date) -> Market:
    """All sessions from the first one to `through`."""
    days = sessions_between(np.datetime64(FIRST_SESSION), np.datetime64(through), "XNYS")
    sessions: list[date] = days.tolist()
    uniforms = _uniforms(len(sessions))
    z = np.clip(
        stdtrit(_TAIL, uniforms[:, : 3 + _N]) * np.sqrt((_TAIL - 2) / _TAIL),
        -_LARGEST_SHOCK,
        _LARGEST_SHOCK,
    )
    market_variance = _clustered(z[:, 0], _MARKET_VARIANCE)
    semis_variance = _clustered(z[:, 1], _SEMIS_VARIANCE)
    market_shock = np.sqrt(market_variance) * z[:, 0]
    index_shock = _INDEX_BETA * market_shock + np.sqrt(semis_variance) * z[:, 1]
    bill = _bill_yield_pct(z[:, 2])
    index_close, index_return = _index(_INDEX_DRIFT + index_shock)

    returns = np.empty((len(sessions), _N))
    premium = np.zeros_like(returns)
    for column, (listing, own) in enumerate(zip(LISTINGS, z[:, 3:].T, strict=True)):
        if listing.symbol == INDEX:
            returns[:, column] = index_return
        elif listing.symbol == MARKET:
            returns[:, column] = _MARKET_DRIFT + market_shock
        elif listing.multiple is not None:
            returns[:, column] = _fund_return(listing, index_return, bill)
            premium[:, column] = 0.0002 * own
        else:
            returns[:, column] = (
                listing.semis_beta * (_INDEX_DRIFT + index_shock)
                + listing.market_beta * (_MARKET_DRIFT + market_shock)
                + listing.own_volatility_annual / np.sqrt(252) * own
            )
    close, splits, distributions = _trade(sessions, returns, premium)
    close[:, SYMBOLS.index(INDEX)] = index_close
    opened, high, low, volume = _day(close, splits, sessions, uniforms[:, 3 + _N :])
    return Market(
        sessions=sessions,
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=volume,
        splits=splits,
        distributions=distributions,
        bill_yield_pct=bill,
        market_return=_MARKET_DRIFT + market_shock,
        market_volatility=np.sqrt(252 * market_variance),
        index_volatility=np.sqrt(252 * (_INDEX_BETA**2 * market_variance + semis_variance)),
    )


def _uniforms(n_sessions: int) -> Floats:
    """Numbers strictly between 0 and 1, one row a session."""
    raw = np.random.PCG64(SEED).random_raw(n_sessions * _DRAWS)
    drawn: Floats = ((raw >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
    return drawn.reshape(n_sessions, _DRAWS)


def _clustered(z: Floats, long_run: float) -> Floats:
    """The variance of each session, known before its shock."""
    omega = long_run * (1 - _ALPHA - _GAMMA / 2 - _BETA)
    variance = np.empty_like(z)
    variance[0] = long_run
    for t in range(len(z) - 1):
        weight = _ALPHA + (_GAMMA if z[t] < 0 else 0.0)
        variance[t + 1] = omega + variance[t] * (weight * z[t] ** 2 + _BETA)
    return variance


def _bill_yield_pct(z: Floats) -> Floats:
    """Rounded as published: what the funds pay is what the file says."""
    level = np.empty_like(z)
    level[0] = 4.2
    for t in range(1, len(z)):
        level[t] = max(level[t - 1] + 0.004 * (3.8 - level[t - 1]) + 0.02 * z[t], 0.05)
    return np.round(level, 3)


def _index(drawn: Floats) -> tuple[Floats, Floats]:
    """Levels rounded as published, and the returns of those levels (0 in the first session)."""
    moves = np.clip(drawn, -_LARGEST_INDEX_MOVE, _LARGEST_INDEX_MOVE)
    moves[0] = 0.0
    close = np.round(LISTINGS[0].first_close * np.cumprod(1 + moves), 2)
    returns = np.zeros_like(close)
    returns[1:] = close[1:] / close[:-1] - 1
    return close, returns


def _fund_return(listing: Listing, index_return: Floats, bill: Floats) -> Floats:
    multiple = listing.multiple or 0.0
    swapped = multiple - 1 if multiple > 0 else -multiple
    rate = np.concatenate(([bill[0]], bill[:-1])) / 100
    carry = ((1 - multiple) * rate - SWAP_SPREAD * swapped - listing.expense_ratio) / 252
    result: Floats = multiple * index_return + carry
    return result


def _trade(
    sessions: list[date], returns: Floats, premium: Floats
) -> tuple[Floats, list[Split], list[Distribution]]:
    """Turn total returns into closes, distributions and splits, session by session."""
    value = np.array([listing.first_close for listing in LISTINGS])
    ceiling = np.array([listing.ceiling for listing in LISTINGS])
    floor = np.array([listing.floor for listing in LISTINGS])
    quarterly = np.array([listing.yield_annual for listing in LISTINGS]) / 4
    due = np.full(_N, -1)
    close = np.empty_like(returns)
    splits: list[Split] = []
    distributions: list[Distribution] = []
    close[0] = np.round(value, 2)
    for t in range(1, len(sessions)):
        value = value * (1 + returns[t])
        for column in np.flatnonzero(due == t):
            new, old = (1, 10) if value[column] < floor[column] * 5 else (4, 1)
            value[column] *= old / new
            splits.append(Split(SYMBOLS[column], sessions[t], new, old))
        if _goes_ex(sessions[t - 1], sessions[t]):
            paid = np.round(quarterly * value, 4)
            value = value - paid
            distributions += [
                Distribution(SYMBOLS[column], sessions[t], float(paid[column]))
                for column in np.flatnonzero(paid)
            ]
        close[t] = np.round(value * (1 + premium[t]), 2)
        outside = (due < t) & ((value > ceiling) | (value < floor))
        due[outside] = t + _NOTICE_SESSIONS
    return close, splits, distributions


def _goes_ex(before: date, session: date) -> bool:
    """Whether this is the first session from the 21st of a quarter's last month."""
    return session.month % 3 == 0 and session.day >= 21 and before.day < 21


def _day(
    close: Floats, splits: list[Split], sessions: list[date], uniforms: Floats
) -> tuple[Floats, Floats, Floats, NDArray[np.int64]]:
    """Open near the last close, high and low around both, a volume."""
    before = np.vstack([close[:1], close[:-1]])
    for split in splits:
        ratio = split.old_shares / split.new_shares
        before[sessions.index(split.effective_date), SYMBOLS.index(split.symbol)] *= ratio
    gap, up, down, traded = (uniforms[:, part * _N : (part + 1) * _N] for part in range(4))
    opened = np.round(before + (close - before) * gap * 0.6, 2)
    high = np.round(np.maximum(opened, close) * (1 + 0.01 * up), 2)
    low = np.round(np.minimum(opened, close) * (1 - 0.01 * down), 2)
    volume = np.rint(2e6 * np.exp(2 * traded + 8 * np.abs(close / before - 1))).astype(np.int64)
    return opened, high, low, volume
