from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import entropy

from analytics.engine.concentration import concentration, leadership
from analytics.engine.errors import DegenerateInputError, InsufficientDataError, InvalidInputError


def test_published_index_of_four_firms() -> None:
    assert round(10_000 * concentration(np.array([30.0, 30, 20, 20])).herfindahl) == 2600


@given(st.lists(st.floats(0.001, 100), min_size=1, max_size=30), st.floats(0.01, 100))
def test_numbers_lie_between_one_and_all(weights: list[float], scale: float) -> None:
    values = np.array(weights)
    found = concentration(scale * values)
    count = len(weights)
    assert 1 - 1e-9 <= found.effective_number <= found.entropy_number * (1 + 1e-9)
    assert found.entropy_number <= count * (1 + 1e-9)
    assert_allclose(found.entropy_number, np.exp(entropy(values)), rtol=1e-9)
    assert found.n_members == count


def test_equal_weights_count_their_members() -> None:
    found = concentration(np.full(7, 0.3))
    assert_allclose([found.effective_number, found.entropy_number], [7, 7], rtol=1e-12)


def test_short_positions_count_by_their_size() -> None:
    found = concentration(np.array([0.6, -0.4, 0.0]))
    assert found.is_signed
    assert found.herfindahl == pytest.approx(0.52)
    assert found.n_members == 2


def test_leaders_move_with_the_index() -> None:
    up = leadership(np.array([3.0, 1.5, 0.8, -0.6]), 2)
    assert up.leaders.tolist() == [0, 1]
    down = leadership(np.array([-3.0, 1.5, -0.8, -0.6]), 1)
    assert down.leaders.tolist() == [0]
    assert down.share == pytest.approx(3.0 / 2.9)


def test_shares_of_nothing_are_refused() -> None:
    with pytest.raises(DegenerateInputError, match="share of it is undefined"):
        leadership(np.array([0.01, -0.01]), 1)
    with pytest.raises(DegenerateInputError, match="all 0"):
        concentration(np.zeros(3))
    with pytest.raises(InsufficientDataError, match="contributions has 2"):
        leadership(np.array([0.1, 0.2]), 3)
    with pytest.raises(InvalidInputError, match="not finite"):
        concentration(np.array([0.5, np.nan]))
