"""What the caller already knows about the instrument of a file. Everything is optional."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from numpy.typing import NDArray

from portfolios.feeds.verdict import Kind


@dataclass(frozen=True, slots=True)
class Split:
    """new_shares for old_shares from the open of effective_date; a reverse split has new < old."""

    effective_date: date
    new_shares: float
    old_shares: float


@dataclass(frozen=True, slots=True)
class Distribution:
    """Cash per share in the share basis of the file's closes."""

    ex_date: date
    amount: float


@dataclass(frozen=True, slots=True)
class LeverageHint:
    """Daily multiple of a fund and levels of its index; dates datetime64[D], ascending.

    Without levels only the size of a plausible day is known from the multiple.
    """

    multiple: float
    index_dates: NDArray[np.datetime64] | None = None
    index_levels: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True)
class StoredSeries:
    """Rows already stored; dates datetime64[D] ascending and unique, NaN for not known.

    Closes are adjusted for every split of the hints.
    """

    dates: NDArray[np.datetime64]
    close: NDArray[np.float64]
    adj_close: NDArray[np.float64] | None = None
    volume: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True)
class FeedHints:
    """`confirmed_days`: jumps a person has confirmed as real. `closes`: stored closes by ticker,
    against which the amounts of a distributions file are judged."""

    symbol: str | None = None
    calendar: str = "XNYS"
    today: date | None = None
    splits: tuple[Split, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    leverage: LeverageHint | None = None
    stored: StoredSeries | None = None
    kind: Kind | None = None
    confirmed_days: frozenset[date] = frozenset()
    closes: Mapping[str, StoredSeries] = field(default_factory=dict)
