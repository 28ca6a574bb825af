"""Checks that the measures of a hedge share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from analytics.engine.checks import (
    enough,
    finite_array,
    finite_vector,
    masked_rows,
    masked_vector,
)
from analytics.engine.errors import InsufficientDataError, InvalidInputError, error_from
from analytics.engine.regression import answerable_rows, common_samples
from analytics.engine.types import BoolArray, Failure, FloatArray, IntArray


def series_pair(
    item: FloatArray, hedge: FloatArray, min_obs: int, unit: str = "returns"
) -> tuple[FloatArray, FloatArray]:
    first = finite_vector(item, f"item_{unit}", min_length=min_obs)
    second = finite_vector(hedge, f"hedge_{unit}", min_length=min_obs)
    if first.shape != second.shape:
        raise InvalidInputError(
            f"item_{unit} has {first.shape[0]} entries and hedge_{unit} {second.shape[0]}; "
            "align their dates first",
            argument=f"hedge_{unit}",
        )
    return first, second


# Ten years of so many items are 1.3 MB: what is computed between two of them stays in cache.
_ROWS_AT_ONCE = 64


def in_parts(members: IntArray) -> Iterator[IntArray]:
    """Yield the members in parts small enough for the cache."""
    for start in range(0, members.size, _ROWS_AT_ONCE):
        yield members[start : start + _ROWS_AT_ONCE]


class HeldSample(NamedTuple):
    """Items that share a sample, with the instrument on it and the holding of each.

    Attributes
    ----------
    members : int64 array of shape (n_rows,)
    items : float64 array of shape (n_rows, n_obs)
    hedge : float64 array of shape (n_obs,)
    notional : float64 array of shape (n_rows,)
    """

    members: IntArray
    items: FloatArray
    hedge: FloatArray
    notional: FloatArray

    @property
    def hedged(self) -> FloatArray:
        """Returns of items and holdings together."""
        return self.items + self.notional[:, np.newaxis] * self.hedge


class HeldRows:
    """A batch of items with one instrument; failures are collected while samples are read.

    Attributes
    ----------
    failures : list of Failure or None
        One an item.
    n_obs : int64 array of shape (n_items,)
        Common observations of item and instrument.
    """

    def __init__(
        self, item_returns: FloatArray, hedge_returns: FloatArray, hedge_notional: ArrayLike
    ) -> None:
        self._items = masked_rows(item_returns, "item_returns")
        self._hedge = masked_vector(hedge_returns, "hedge_returns", length=self._items.shape[1])
        notional = finite_array(hedge_notional, "hedge_notional")
        if notional.shape not in {(), (1,), self._items.shape[:1]}:
            raise InvalidInputError(
                f"hedge_notional has shape {notional.shape} where one value or "
                f"{self._items.shape[0]} are needed",
                argument="hedge_notional",
            )
        self.notional = np.broadcast_to(notional, self._items.shape[:1]).copy()
        self.failures: list[Failure | None] = [None] * self._items.shape[0]
        self.n_obs = np.zeros(self._items.shape[0], dtype=np.int64)

    def samples(self, min_obs: int) -> Iterator[HeldSample]:
        """Yield the items that can be answered, by common sample."""
        for members, columns in common_samples(~np.isnan(self._items) & ~np.isnan(self._hedge)):
            self.n_obs[members] = columns.size
            try:
                enough(columns.size, min_obs, "the common sample of item and hedge")
            except InsufficientDataError as error:
                for member in members:
                    self.failures[member] = error.failure
                continue
            instrument = self._hedge[columns]
            for part in in_parts(members):
                answered, items = answerable_rows(
                    part, self._items[np.ix_(part, columns)], self.failures, "item_returns"
                )
                if answered.size:
                    yield HeldSample(answered, items, instrument, self.notional[answered])


class BatchAnswers:
    """What batches of answers share: which members have one, and why the others do not."""

    failures: tuple[Failure | None, ...]

    @property
    def ok(self) -> BoolArray:
        """Return which items have an answer."""
        return np.array([failure is None for failure in self.failures], dtype=np.bool_)

    def raise_failure(self, index: int) -> None:
        """Raise the failure of a member that has one."""
        failure = self.failures[index]
        if failure is not None:
            raise error_from(failure)
