"""Exposure and beta of a book at moves of the benchmark: the delta and gamma ladder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analytics.engine.checks import finite_array, finite_vector, positive
from analytics.engine.errors import DegenerateInputError, InvalidInputError, raise_failure
from analytics.engine.options import OptionBatch, greeks_batch, option_batch, option_prices
from analytics.engine.types import BoolArray, Failure, FloatArray

LADDER_STEPS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)


def ladder_moves(standard_deviation: float, steps: Sequence[float] = LADDER_STEPS) -> FloatArray:
    """Benchmark moves in standard deviations.

    Parameters
    ----------
    standard_deviation : float
        Of the benchmark's return over the time of the move, decimal: daily for a ladder within the
        day.
    steps : sequence of float

    Returns
    -------
    float64 array of shape (n_moves,)

    Raises
    ------
    InvalidInputError
        If a move is a loss of everything.
    """
    moves = positive(standard_deviation, "standard_deviation") * finite_vector(steps, "steps")
    return _moves(moves)


def _moves(moves: ArrayLike) -> FloatArray:
    checked = finite_vector(moves, "moves", min_length=1)
    if (checked <= -1.0).any():
        raise InvalidInputError(
            "moves holds a benchmark return of -100 % or less; returns are decimals",
            argument="moves",
        )
    return checked


@dataclass(frozen=True, slots=True, eq=False)
class ExposureCurves:
    """What one unit of each instrument is worth, and how it moves, at each benchmark move.

    Attributes
    ----------
    moves : float64 array of shape (n_moves,)
        Benchmark returns since the last close.
    start : float64 array of shape (n_instruments,)
        Value of one unit at the last close, currency.
    value : float64 array of shape (n_moves, n_instruments)
        Of one unit after the move.
    exposure : float64 array of shape (n_moves, n_instruments)
        Currency per unit of *further* benchmark return, (1 + R) dV/dR.
    gamma : float64 array of shape (n_moves, n_instruments)
        Curvature, (1 + R)^2 d2V/dR2: what exposure gains per unit of further return beyond a
        position linear in the benchmark; times 0.01 for a move of 1 %.
    wiped_out : bool array of shape (n_moves, n_instruments)
        The move takes all of the instrument; value and exposure stay at 0.
    """

    moves: FloatArray
    start: FloatArray
    value: FloatArray
    exposure: FloatArray
    gamma: FloatArray
    wiped_out: BoolArray

    def beside(self, other: ExposureCurves) -> ExposureCurves:
        """Return the instruments of both, in order.

        Raises
        ------
        InvalidInputError
            If the moves differ.
        """
        if not np.array_equal(self.moves, other.moves):
            raise InvalidInputError("the curves are on different moves", argument="moves")
        return ExposureCurves(
            self.moves,
            np.concatenate([self.start, other.start]),
            np.concatenate([self.value, other.value], axis=1),
            np.concatenate([self.exposure, other.exposure], axis=1),
            np.concatenate([self.gamma, other.gamma], axis=1),
            np.concatenate([self.wiped_out, other.wiped_out], axis=1),
        )


def linear_curves(multiples: ArrayLike, betas: ArrayLike, moves: ArrayLike) -> ExposureCurves:
    """Curves of shares and daily-reset funds, per unit of currency held at the last close.

    Parameters
    ----------
    multiples : float64 array of shape (n_instruments,)
        1 for shares, plain funds and cash; the daily multiple of a reset fund.
    betas : float64 array of shape (n_instruments,)
        Of the share, or of the fund's index; 0 for cash.
    moves : float64 array of shape (n_moves,)

    Returns
    -------
    ExposureCurves

    Raises
    ------
    InvalidInputError
        If shapes disagree or a value is not finite.

    Notes
    -----
    ``V = 1 + m b R``. Exposure over value is ``m b (1 + R)/(1 + m b R)``: for a fund on the
    benchmark itself that is its multiple part way through the day.
    """
    steps = _moves(moves)
    slopes = finite_vector(multiples, "multiples") * 1.0
    sensitivities = finite_vector(betas, "betas")
    if slopes.shape != sensitivities.shape:
        raise InvalidInputError(
            f"multiples has {slopes.shape[0]} entries and betas {sensitivities.shape[0]}; "
            "they must cover the same instruments",
            argument="betas",
        )
    slopes = slopes * sensitivities
    value = 1.0 + np.outer(steps, slopes)
    wiped_out = value <= 0.0
    exposure = np.outer(1.0 + steps, slopes)
    return ExposureCurves(
        moves=steps,
        start=np.ones_like(slopes),
        value=np.where(wiped_out, 0.0, value),
        exposure=np.where(wiped_out, 0.0, exposure),
        gamma=np.zeros_like(value),
        wiped_out=wiped_out,
    )


def option_curves(
    options: OptionBatch,
    volatility: ArrayLike,
    underlying_betas: ArrayLike,
    contract_multipliers: ArrayLike,
    moves: ArrayLike,
    *,
    volatility_changes: ArrayLike = 0.0,
) -> ExposureCurves:
    """Curves of options, repriced at each move, per contract.

    Parameters
    ----------
    options : OptionBatch
        Of shape (n_instruments,), none at its expiry.
    volatility : float64 array of shape (n_instruments,)
        Annual, decimal, today.
    underlying_betas : float64 array of shape (n_instruments,)
        The underlying moves by its beta times the benchmark's move.
    contract_multipliers : float64 array of shape (n_instruments,)
        Shares a contract.
    moves : float64 array of shape (n_moves,)
    volatility_changes : float64 array of shape (n_moves,) or float
        Added to every volatility at each move, 0 by default.

    Returns
    -------
    ExposureCurves

    Raises
    ------
    InvalidInputError
        If shapes disagree, a value is out of range, or a move takes an underlying to 0.

    Notes
    -----
    With S(R) = S (1 + b R): ``dV/dR = mult delta S b`` and ``d2V/dR2 = mult gamma (S b)^2``, delta
    and gamma those at S(R). Time does not pass.
    """
    steps = _moves(moves)
    n_instruments = options.spot.shape[0] if options.spot.ndim == 1 else -1
    columns = {
        "volatility": finite_array(volatility, "volatility"),
        "underlying_betas": finite_array(underlying_betas, "underlying_betas"),
        "contract_multipliers": finite_array(contract_multipliers, "contract_multipliers"),
    }
    for name, column in columns.items():
        if column.shape not in {(), (n_instruments,)}:
            raise InvalidInputError(
                f"{name} has shape {column.shape} for options of shape {options.spot.shape}",
                argument=name,
            )
    changes = finite_array(volatility_changes, "volatility_changes")
    if changes.shape not in {(), steps.shape}:
        raise InvalidInputError(
            f"volatility_changes has shape {changes.shape} for {steps.shape[0]} moves",
            argument="volatility_changes",
        )
    sensitivities = np.broadcast_to(columns["underlying_betas"], (n_instruments,))
    growth = 1.0 + np.outer(steps, sensitivities)
    if (growth <= 0.0).any():
        raise InvalidInputError(
            "a move takes an underlying to 0 or below; use smaller moves", argument="moves"
        )
    moved = option_batch(
        spot=options.spot * growth,
        strike=options.strike,
        years=options.years,
        rate=options.rate,
        dividend_yield=options.dividend_yield,
        is_call=options.is_call,
    )
    greeks = greeks_batch(
        moved, columns["volatility"] + np.broadcast_to(changes, steps.shape)[:, np.newaxis]
    )
    per_move = options.spot * sensitivities * (1.0 + steps)[:, np.newaxis]
    size = columns["contract_multipliers"]
    return ExposureCurves(
        moves=steps,
        start=size * option_prices(options, columns["volatility"]),
        value=size * greeks.price,
        exposure=size * greeks.delta * per_move,
        gamma=size * greeks.gamma * per_move**2,
        wiped_out=np.zeros(greeks.price.shape, dtype=np.bool_),
    )


@dataclass(frozen=True, slots=True, eq=False)
class BetaLadder:
    """Beta, exposure and profit of a batch of portfolios at each benchmark move.

    Arrays have shape (n_portfolios, n_moves); where `failures` has a record they hold the
    placeholder 0, which is not a value.

    Attributes
    ----------
    moves : float64 array of shape (n_moves,)
    profit : float64 array
        Since the last close, currency.
    nav : float64 array
        Net asset value after the move.
    exposure, gamma : float64 array
        See `ExposureCurves`; currency per unit of further benchmark return.
    beta : float64 array
        Exposure over net asset value after the move.
    any_wiped_out : bool array
        A held instrument has lost everything.
    failures : tuple of Failure or None
        Degenerate where a move takes all of the net asset value.
    """

    moves: FloatArray
    profit: FloatArray
    nav: FloatArray
    exposure: FloatArray
    gamma: FloatArray
    beta: FloatArray
    any_wiped_out: BoolArray
    failures: tuple[Failure | None, ...]

    @property
    def ok(self) -> BoolArray:
        """Return which portfolios have an answer."""
        return np.array([failure is None for failure in self.failures], dtype=np.bool_)

    def betas_of(self, index: int) -> FloatArray:
        """Return one portfolio's betas, shape (n_moves,), or raise its failure."""
        raise_failure(self.failures[index])
        betas: FloatArray = self.beta[index]
        return betas


def beta_ladder(quantities: FloatArray, curves: ExposureCurves, nav: ArrayLike) -> BetaLadder:
    """Reprice portfolios at each benchmark move.

    Parameters
    ----------
    quantities : float64 array of shape (n_portfolios, n_instruments) or (n_instruments,)
        Signed units: market value of shares, funds and cash, contracts of options.
    curves : ExposureCurves
        With the same instruments; the move of 0 need not be among its moves.
    nav : float64 array of shape (n_portfolios,) or float
        At the last close, positive.

    Returns
    -------
    BetaLadder

    Raises
    ------
    InvalidInputError
        If shapes disagree, a value is not finite, or nav is not positive.

    Examples
    --------
    >>> curves = linear_curves([1.0, -3.0], [1.0, 1.0], [-0.1, 0.0, 0.1])
    >>> beta_ladder(np.array([900_000.0, 100_000.0]), curves, 1e6).beta.round(3).tolist()
    [[0.574, 0.6, 0.623]]
    """
    holdings = np.atleast_2d(finite_array(quantities, "quantities"))
    values = np.atleast_1d(finite_array(nav, "nav"))
    if holdings.shape[1] != curves.value.shape[1]:
        raise InvalidInputError(
            f"quantities covers {holdings.shape[1]} instruments and curves {curves.value.shape[1]}",
            argument="quantities",
        )
    if values.shape not in {(1,), (holdings.shape[0],)}:
        raise InvalidInputError("nav must have one value, or one per portfolio", argument="nav")
    if (values <= 0.0).any():
        raise InvalidInputError("nav must be positive", argument="nav")
    profit = holdings @ (curves.value - curves.start).T
    after = values[:, np.newaxis] + profit
    exposure = holdings @ curves.exposure.T
    gone: BoolArray = np.any(after <= 0.0, axis=1)
    failures = tuple(
        DegenerateInputError(
            "a move takes all of the net asset value, so there is no beta of it; use smaller moves",
            smallest_nav=float(row.min()),
        ).failure
        if lost
        else None
        for row, lost in zip(after, gone, strict=True)
    )
    keep = ~gone[:, np.newaxis]
    beta = np.divide(exposure, after, out=np.zeros_like(after), where=keep)
    return BetaLadder(
        moves=curves.moves,
        profit=np.where(keep, profit, 0.0),
        nav=np.where(keep, after, 0.0),
        exposure=np.where(keep, exposure, 0.0),
        gamma=np.where(keep, holdings @ curves.gamma.T, 0.0),
        beta=beta,
        any_wiped_out=((holdings != 0.0).astype(np.int64) @ curves.wiped_out.T) > 0,
        failures=failures,
    )
