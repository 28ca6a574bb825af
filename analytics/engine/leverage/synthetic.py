"""Funds before they were there: splits, slippage and histories rebuilt from an index."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from analytics.engine.errors import InvalidInputError


def cumulative_split_factor(ratios: Sequence[int | Fraction]) -> Fraction:
    """Exact product of split ratios.

    Parameters
    ----------
    ratios : sequence of int or Fraction
        Old shares per new share of each reverse split, positive.

    Returns
    -------
    Fraction
        Never rounded: SOXS's is 96,000,000.

    Examples
    --------
    >>> int(cumulative_split_factor([5, 4, 4, 5, 10, 12, 10, 10, 20]))
    96000000
    """
    product = Fraction(1)
    for ratio in ratios:
        if ratio <= 0:
            raise InvalidInputError(f"split ratios must be positive, got {ratio}")
        product *= Fraction(ratio)
    return product
