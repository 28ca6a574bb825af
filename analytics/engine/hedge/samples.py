"""Checks that the measures of a hedge share."""

from __future__ import annotations

import numpy as np

from analytics.engine.checks import finite_vector
from analytics.engine.errors import InvalidInputError, error_from
from analytics.engine.regression import answerable_rows
from analytics.engine.types import Failure, FloatArray


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


def refuse_constant(item: FloatArray) -> None:
    failures: list[Failure | None] = [None]
    answerable_rows(np.zeros(1, dtype=np.int64), item[np.newaxis, :], failures, "item_returns")
    if failures[0] is not None:
        raise error_from(failures[0])
