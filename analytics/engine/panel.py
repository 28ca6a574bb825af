"""The return panel: every instrument's daily total returns on one calendar."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analytics.engine.checks import enough, masked_rows, session_dates
from analytics.engine.errors import InvalidInputError
from analytics.engine.returns import simple_returns
from analytics.engine.types import DateArray, FloatArray, IntArray, Sample


@dataclass(frozen=True, slots=True, eq=False)
class ReturnPanel:
    """Simple daily total returns of many instruments.

    Attributes
    ----------
    dates : datetime64[D] array of shape (n_obs,)
        Exchange-local session at whose close the return ends, increasing.
    instrument_ids : tuple of str
        Column names.
    returns : float64 array of shape (n_obs, n_instruments)
        Decimals; NaN where the instrument has no price on the session or on the one before.
        Read-only.
    first_index, last_index : int64 array of shape (n_instruments,)
        Rows of the first and last return; -1 where there is none.
    """

    dates: DateArray
    instrument_ids: tuple[str, ...]
    returns: FloatArray
    first_index: IntArray
    last_index: IntArray

    def columns(self, instrument_ids: Sequence[str]) -> IntArray:
        """Return the column of each instrument.

        Raises
        ------
        InvalidInputError
            If one is not in the panel.
        """
        position = {name: index for index, name in enumerate(self.instrument_ids)}
        absent = [name for name in instrument_ids if name not in position]
        if absent:
            raise InvalidInputError(
                f"instruments without a return in the panel: {', '.join(absent)}",
                argument="instrument_ids",
            )
        return np.array([position[name] for name in instrument_ids], dtype=np.int64)

    def column(self, instrument_id: str) -> FloatArray:
        """Return one instrument's returns, shape (n_obs,), NaN where missing."""
        (index,) = self.columns([instrument_id])
        return self.returns[:, index]

    def window(self, as_of: dt.date, n_obs: int | None = None) -> ReturnPanel:
        """Return the last `n_obs` rows that end on or before `as_of` (all of them if None)."""
        end = int(np.searchsorted(self.dates, np.datetime64(as_of), side="right"))
        start = 0 if n_obs is None else max(end - n_obs, 0)
        return _panel(self.dates[start:end], self.instrument_ids, self.returns[start:end])

    def sample(self, series: FloatArray) -> Sample:
        """Describe which of the panel's dates a series of shape (n_obs,) has values on."""
        return sample_of(self.dates, ~np.isnan(series))


def sample_of(dates: DateArray, used: np.typing.NDArray[np.bool_]) -> Sample:
    """Describe the dates that a statistic used.

    Parameters
    ----------
    dates : datetime64[D] array of shape (n_obs,)
    used : bool array of shape (n_obs,)

    Returns
    -------
    Sample
    """
    rows = np.flatnonzero(used)
    requested = int(dates.shape[0])
    return Sample(
        n_obs=int(rows.size),
        first_date=dates[rows[0]].item() if rows.size else None,
        last_date=dates[rows[-1]].item() if rows.size else None,
        missing_share=1.0 - rows.size / requested if requested else 0.0,
        requested=requested,
    )


def return_panel(
    sessions: ArrayLike | Sequence[dt.date],
    instrument_ids: Sequence[str],
    total_return_levels: ArrayLike,
) -> ReturnPanel:
    """Build the panel from total-return index levels.

    Parameters
    ----------
    sessions : array of dates of shape (n_sessions,)
        Exchange-local session dates, increasing, without time zone.
    instrument_ids : sequence of str
        Distinct.
    total_return_levels : float64 array of shape (n_sessions, n_instruments)
        Prices adjusted for splits and distributions, positive; NaN on a session without a price.

    Returns
    -------
    ReturnPanel
        With n_sessions - 1 rows.

    Raises
    ------
    InvalidInputError
        If dates repeat, decrease or carry a time zone, names repeat, or shapes disagree.
    InsufficientDataError
        If there are fewer than two sessions.

    Notes
    -----
    Nothing is filled forward: a gap costs two returns, the one into it and the one out of it,
    because a two-session return must not meet a one-session benchmark return.
    """
    dates = session_dates(sessions, "sessions")
    enough(dates.shape[0], 2, "sessions")
    levels = masked_rows(total_return_levels, "total_return_levels", length=len(instrument_ids))
    if levels.shape[0] != dates.shape[0]:
        raise InvalidInputError(
            f"total_return_levels has {levels.shape[0]} rows for {dates.shape[0]} sessions",
            argument="total_return_levels",
        )
    if len(set(instrument_ids)) != len(instrument_ids):
        raise InvalidInputError("instrument_ids must be distinct", argument="instrument_ids")
    return _panel(dates[1:], tuple(instrument_ids), simple_returns(levels))


def _panel(dates: DateArray, instrument_ids: tuple[str, ...], returns: FloatArray) -> ReturnPanel:
    observed = ~np.isnan(returns)
    any_observed = observed.any(axis=0)
    if returns.shape[0]:
        first = np.where(any_observed, observed.argmax(axis=0), -1)
        last = np.where(any_observed, returns.shape[0] - 1 - observed[::-1].argmax(axis=0), -1)
    else:
        first = last = np.full(len(instrument_ids), -1)
    frozen = returns.view()
    frozen.flags.writeable = False
    return ReturnPanel(
        dates=dates,
        instrument_ids=instrument_ids,
        returns=frozen,
        first_index=first.astype(np.int64),
        last_index=last.astype(np.int64),
    )
