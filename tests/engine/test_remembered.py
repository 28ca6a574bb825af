"""Answers are remembered by what the arrays hold, and are those of the function itself."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.engine.errors import DegenerateInputError
from analytics.engine.regression import design
from analytics.engine.remembered import remembered
from analytics.engine.types import FloatArray


def test_answers_go_by_the_content_order_and_shape_of_arrays() -> None:
    seen: list[tuple[int, ...]] = []

    @remembered(10)
    def total(array: FloatArray, factor: float) -> float:
        seen.append(array.shape)
        return factor * float(array.sum())

    array = np.arange(6.0).reshape(2, 3)
    asked = [array, array.copy(), np.asfortranarray(array), array.reshape(3, 2), array + 1.0]
    assert [total(one, 2.0) for one in asked] == [30.0, 30.0, 30.0, 30.0, 42.0]
    assert len(seen) == 4
    assert total(array, 3.0) == 45.0
    gaps = np.arange(12.0)[::2]
    assert total(gaps, 1.0) == total(gaps, 1.0) == 30.0
    assert len(seen) == 7


def test_what_the_caller_does_to_its_array_later_changes_nothing() -> None:
    x = np.sin(np.arange(40.0))
    first = design(x[:, np.newaxis])
    kept = first.regressors.copy()
    x *= 2.0
    assert np.array_equal(first.regressors, kept)
    assert design(x[:, np.newaxis]) is not first
    x /= 2.0
    assert design(x[:, np.newaxis]) is first
    assert first.law(1, 3) is first.law(1, 3)
    assert first.law(1, 3) != first.law(1, 4)


def test_refusals_are_made_anew() -> None:
    for _ in range(2):
        with pytest.raises(DegenerateInputError):
            design(np.ones((40, 1)))
