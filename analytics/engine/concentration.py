"""How much of a book or of an index's move rests on few names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import xlogy

from analytics.engine.checks import SMALLEST_DEVIATION, at_least, enough, finite_vector
from analytics.engine.errors import DegenerateInputError
from analytics.engine.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Concentration:
    """Concentration of gross weights.

    Attributes
    ----------
    herfindahl : float
        Sum of squared shares, 1/n to 1; times 10,000 it is in points.
    effective_number : float
        1/herfindahl, Hill number of order 2.
    entropy_number : float
        exp of Shannon entropy, Hill number of order 1; between the former and n.
    largest_share : float
    n_members : int
        Members with a weight other than 0.
    is_signed : bool
        True if weights of both signs were given: shares are then of gross exposure.
    """

    herfindahl: float
    effective_number: float
    entropy_number: float
    largest_share: float
    n_members: int
    is_signed: bool


def concentration(weights: FloatArray) -> Concentration:
    """Concentration of weights.

    Parameters
    ----------
    weights : float64 array of shape (n_members,)
        Of any scale: shares of their absolute sum are used.

    Returns
    -------
    Concentration

    Raises
    ------
    DegenerateInputError
        If all are 0.

    References
    ----------
    Hirschman, A. (1964), American Economic Review 54. Hill, M. (1973), Ecology 54.

    Examples
    --------
    >>> book = concentration(np.array([30.0, 30.0, 20.0, 20.0]))
    >>> round(10_000 * book.herfindahl), round(book.effective_number, 4)
    (2600, 3.8462)
    """
    values = finite_vector(weights, "weights")
    gross = float(np.abs(values).sum())
    if gross <= SMALLEST_DEVIATION:
        raise DegenerateInputError("weights are all 0", gross=gross)
    shares = np.abs(values) / gross
    herfindahl = float(shares @ shares)
    return Concentration(
        herfindahl=herfindahl,
        effective_number=1.0 / herfindahl,
        entropy_number=float(np.exp(-xlogy(shares, shares).sum())),
        largest_share=float(shares.max()),
        n_members=int(np.count_nonzero(shares)),
        is_signed=bool((values < 0).any() and (values > 0).any()),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Leadership:
    """Share of an index's return that its leaders made.

    Attributes
    ----------
    share : float
        May exceed 1 where the rest lost.
    total : float
        The index return, in the unit of the contributions.
    leaders : int64 array of shape (k,)
        Rows of the leaders, the largest first.
    """

    share: float
    total: float
    leaders: IntArray


def leadership(
    contributions: FloatArray, n_leaders: int, *, smallest_return: float = 1e-4
) -> Leadership:
    """Share of the index's return from its k largest contributions in the direction of the index.

    Parameters
    ----------
    contributions : float64 array of shape (n_members,)
        Weight times return of each member; they sum to the index return.
    n_leaders : int
        k.
    smallest_return : float
        Below this the share divides by next to nothing and is refused.

    Returns
    -------
    Leadership

    Raises
    ------
    DegenerateInputError
        If the index hardly moved.

    Examples
    --------
    >>> week = leadership(np.array([3.0, 1.5, 0.8, 0.4, 0.2, -0.3, -0.6]), 2)
    >>> round(week.share, 12)
    0.9
    """
    values = finite_vector(contributions, "contributions")
    k = at_least(n_leaders, 1, "n_leaders")
    enough(values.shape[0], k, "contributions")
    total = float(values.sum())
    if abs(total) <= smallest_return:
        raise DegenerateInputError(
            f"the index moved by {total:.3g}; a share of it is undefined", total=total
        )
    leaders = np.argsort(-values * np.sign(total), kind="stable")[:k]
    return Leadership(
        share=float(values[leaders].sum() / total),
        total=total,
        leaders=leaders.astype(np.int64),
    )
