"""What daily resets trade at the close, by fund, in sum and by constituent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analytics.engine.checks import (
    finite,
    finite_result,
    finite_vector,
    not_negative,
    positive,
    same_shape,
)
from analytics.engine.errors import InvalidInputError
from analytics.engine.types import FloatArray

# Forced trading per 1 % move of the broad index, all leveraged and inverse equity funds of the
# United States, billion dollars: Tuzun (2013), FEDS 2013-48, abstract. Context, not computed here.
AGGREGATE_FLOW_PER_ONE_PERCENT_USD_BILLION = 1.04


def rebalancing_multiplier(multiple: float) -> float:
    """Trade at the reset per unit of assets and index return, ``m (m - 1)``; 12 for -3x."""
    return finite(multiple, "multiple") * (multiple - 1.0)


def rebalancing_flow(
    multiple: float, assets: float, index_return: float, *, net_creations: float = 0.0
) -> float:
    """Index exposure a fund must buy at the close.

    Parameters
    ----------
    multiple : float
    assets : float
        At the previous close, currency.
    index_return : float
        Of the day, decimal.
    net_creations : float
        Same currency; negative for redemptions.

    Returns
    -------
    float
        ``m (m - 1) A r + m F``; positive is a purchase.

    References
    ----------
    Cheng, M. and Madhavan, A. (2009); Ivanov, I. and Lenkey, S. (2018), Journal of Financial
    Markets 41 (creations that offset).
    """
    trade = rebalancing_multiplier(multiple) * not_negative(assets, "assets")
    return trade * finite(index_return, "index_return") + multiple * finite(
        net_creations, "net_creations"
    )


def neutralizing_creations(multiple: float, assets: float, index_return: float) -> float:
    """Net creations that cancel the rebalancing trade, ``-(m - 1) A r``."""
    finite(multiple, "multiple")
    return -(multiple - 1.0) * not_negative(assets, "assets") * finite(index_return, "index_return")


def share_of_volume(flow: float, daily_volume: float, close_share: float = 1.0) -> float:
    """Share of the volume at the close that a flow takes.

    Parameters
    ----------
    flow : float
        Currency, signed.
    daily_volume : float
        Average daily volume of what is traded, the basket, same currency.
    close_share : float
        Part of the volume that trades in the closing auction, above 0, at most 1.

    Returns
    -------
    float
        Signed like the flow; 1 is all of it.
    """
    if not 0 < close_share <= 1:
        raise InvalidInputError(
            f"close_share must lie above 0 and be at most 1, got {close_share}",
            argument="close_share",
        )
    return finite(flow, "flow") / (positive(daily_volume, "daily_volume") * close_share)


def days_to_cover(position: float, daily_volume: float, participation: float = 1.0) -> float:
    """Days that trading a position takes at a share of the daily volume.

    Parameters
    ----------
    position : float
        Currency or shares; its size counts.
    daily_volume : float
        In the same unit.
    participation : float
        Share of the volume that one may be, above 0, at most 1.

    Returns
    -------
    float
    """
    return abs(share_of_volume(position, daily_volume, participation))


def square_root_impact(
    flow: float, daily_volume: float, daily_volatility: float, coefficient: float = 1.0
) -> float:
    """Expected price move of a flow, ``Y sigma_d sqrt(abs(D)/ADV)`` with the flow's sign.

    Parameters
    ----------
    flow : float
    daily_volume : float
    daily_volatility : float
        Decimal.
    coefficient : float
        Y, of order 1; state it with the number.

    Returns
    -------
    float
        Decimal.

    References
    ----------
    Almgren, R., Thum, C., Hauptmann, E. and Li, H. (2005), Risk 18. Toth, B. et al. (2011),
    Physical Review X 1.
    """
    size = np.sqrt(abs(finite(flow, "flow")) / positive(daily_volume, "daily_volume"))
    move = not_negative(coefficient, "coefficient") * not_negative(
        daily_volatility, "daily_volatility"
    )
    return float(np.sign(flow) * move * size)


@dataclass(frozen=True, slots=True, eq=False)
class RebalancingFlows:
    """What resets trade at one close for given index moves.

    Attributes
    ----------
    index_returns : float64 array of shape (n_moves,)
    by_fund : float64 array of shape (n_funds, n_moves)
        m (m - 1) A r, currency; positive is a purchase.
    gross : float64 array of shape (n_moves,)
        Sum over the funds.
    adjusted : float64 array of shape (n_moves,)
        With m times net creations added; equal to gross if none were given.
    share_of_volume, share_of_volume_adjusted : float64 array of shape (n_moves,)
        Of the basket's volume at the close.
    days_to_cover : float64 array of shape (n_moves,)
        Of the gross flow at the participation given.
    impact : float64 array of shape (n_moves,)
        Of the gross flow on the basket, decimal.
    """

    index_returns: FloatArray
    by_fund: FloatArray
    gross: FloatArray
    adjusted: FloatArray
    share_of_volume: FloatArray
    share_of_volume_adjusted: FloatArray
    days_to_cover: FloatArray
    impact: FloatArray


def aggregate_rebalancing(
    multiples: FloatArray,
    assets: FloatArray,
    index_returns: FloatArray,
    *,
    daily_volume: float,
    daily_volatility: float,
    net_creations: FloatArray | None = None,
    close_share: float = 0.1,
    participation: float = 0.1,
    impact_coefficient: float = 1.0,
) -> RebalancingFlows:
    """Rebalancing of all funds on one index over a grid of moves.

    Parameters
    ----------
    multiples, assets : float64 array of shape (n_funds,)
        Assets at the previous close, currency; a same-day estimate is best.
    index_returns : float64 array of shape (n_moves,)
        Decimals, such as +-1, 3 and 5 %.
    daily_volume : float
        Of the basket the funds trade, currency.
    daily_volatility : float
        Of the basket, decimal.
    net_creations : float64 array of shape (n_funds,), optional
        Currency; negative for redemptions.
    close_share, participation, impact_coefficient : float

    Returns
    -------
    RebalancingFlows

    Notes
    -----
    Creations usually run against the reset on large days, so both sums are given.

    References
    ----------
    Cheng, M. and Madhavan, A. (2009). Ivanov, I. and Lenkey, S. (2018), Journal of Financial
    Markets 41. Shum, P., Hejazi, W., Haryanto, E. and Rodier, A. (2016), Review of Finance 20.

    Examples
    --------
    >>> day = aggregate_rebalancing(np.array([3.0, -3.0]), np.array([10e9, 1.418e9]),
    ...     np.array([0.03]), daily_volume=30e9, daily_volatility=0.025)
    >>> round(day.gross.item()), round(day.share_of_volume.item(), 5)
    (2310480000, 0.77016)
    """
    m = finite_vector(multiples, "multiples")
    held = finite_vector(assets, "assets")
    same_shape(m, held, "multiples", "assets")
    if (held < 0).any():
        raise InvalidInputError("assets must not be negative", argument="assets")
    moves = finite_vector(index_returns, "index_returns")
    by_fund = (m * (m - 1.0) * held)[:, np.newaxis] * moves
    gross = by_fund.sum(axis=0)
    adjusted = gross
    if net_creations is not None:
        created = finite_vector(net_creations, "net_creations")
        same_shape(created, m, "net_creations", "multiples")
        adjusted = gross + float(m @ created)
    finite_result(np.concatenate([gross, adjusted]), "the flow")
    return RebalancingFlows(
        index_returns=moves,
        by_fund=by_fund,
        gross=gross,
        adjusted=adjusted,
        share_of_volume=_each(share_of_volume, gross, daily_volume, close_share),
        share_of_volume_adjusted=_each(share_of_volume, adjusted, daily_volume, close_share),
        days_to_cover=_each(days_to_cover, gross, daily_volume, participation),
        impact=_each(square_root_impact, gross, daily_volume, daily_volatility, impact_coefficient),
    )


def _each(law: Callable[..., float], flows: FloatArray, *rest: float) -> FloatArray:
    return np.array([law(float(flow), *rest) for flow in flows])


@dataclass(frozen=True, slots=True, eq=False)
class ConstituentFlows:
    """A basket flow by member, each of shape (n_members,).

    Attributes
    ----------
    flow : float64 array
        Weight times the basket's flow, currency.
    share_of_volume, days_to_cover, impact : float64 array
        Of each member's own volume; the smallest members hurt first.
    most_strained : int
        Row of the member with the largest share of volume.
    weight_covered : float
        Sum of the weights given; 1 if the basket is complete.
    """

    flow: FloatArray
    share_of_volume: FloatArray
    days_to_cover: FloatArray
    impact: FloatArray
    most_strained: int
    weight_covered: float


def constituent_rebalancing(
    flow: float,
    weights: FloatArray,
    daily_volumes: FloatArray,
    daily_volatilities: FloatArray,
    *,
    close_share: float = 0.1,
    participation: float = 0.1,
    impact_coefficient: float = 1.0,
) -> ConstituentFlows:
    """Split a basket flow over the index's members.

    Parameters
    ----------
    flow : float
        Of the basket, currency; flows of funds on a single member are to be added by the caller.
    weights : float64 array of shape (n_members,)
        Index weights, decimals; they sum to at most 1.
    daily_volumes : float64 array of shape (n_members,)
        Currency, positive.
    daily_volatilities : float64 array of shape (n_members,)
        Decimals.
    close_share, participation, impact_coefficient : float

    Returns
    -------
    ConstituentFlows
    """
    share = finite_vector(weights, "weights")
    volumes = finite_vector(daily_volumes, "daily_volumes")
    volatilities = finite_vector(daily_volatilities, "daily_volatilities")
    same_shape(volumes, share, "daily_volumes", "weights")
    same_shape(volatilities, share, "daily_volatilities", "weights")
    if (share < 0).any() or share.sum() > 1.0 + 1e-6:
        raise InvalidInputError(
            f"weights must not be negative nor sum to more than 1, got {share.sum():.6g}; give "
            "decimals",
            argument="weights",
        )
    flows = share * finite(flow, "flow")
    of_volume = np.array(
        [
            share_of_volume(float(one), float(volume), close_share)
            for one, volume in zip(flows, volumes, strict=True)
        ]
    )
    return ConstituentFlows(
        flow=flows,
        share_of_volume=of_volume,
        days_to_cover=np.array(
            [
                days_to_cover(float(one), float(volume), participation)
                for one, volume in zip(flows, volumes, strict=True)
            ]
        ),
        impact=np.array(
            [
                square_root_impact(float(one), float(volume), float(sigma), impact_coefficient)
                for one, volume, sigma in zip(flows, volumes, volatilities, strict=True)
            ]
        ),
        most_strained=int(np.argmax(np.abs(of_volume))),
        weight_covered=float(share.sum()),
    )
