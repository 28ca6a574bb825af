"""Betas drawn toward a named prior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from analytics.engine.checks import (
    enough,
    finite,
    finite_vector,
    masked_vector,
    open_unit,
    positive,
)
from analytics.engine.errors import DegenerateInputError, InvalidInputError, raise_failure
from analytics.engine.types import BoolArray, Estimate, Failure, FloatArray


@dataclass(frozen=True, slots=True)
class BetaPrior:
    """What is known of a beta before its own returns are seen.

    Attributes
    ----------
    name : str
        Of the group it comes from, such as "semiconductor shares on the semiconductor index".
    mean, standard_deviation : float
        Of true betas in the group.
    """

    name: str
    mean: float
    standard_deviation: float

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise InvalidInputError("name must say which group the prior is of", argument="name")
        finite(self.mean, "mean")
        positive(self.standard_deviation, "standard_deviation")


@dataclass(frozen=True, slots=True)
class LinearAdjustment:
    """A forecast that is linear in the raw beta.

    Attributes
    ----------
    name : str
    intercept, slope : float
    """

    name: str
    intercept: float
    slope: float

    @property
    def implied_prior_mean(self) -> float:
        """Raw beta that is left as it is."""
        return self.intercept / (1.0 - self.slope)


#: Betas of US shares on the US market, 1926-1968: towards 1.06.
BLUME = LinearAdjustment("Blume: US shares on the US market", 0.343, 0.677)
#: The rule of data vendors: towards 1.
VENDOR = LinearAdjustment("data vendors: any share on its market", 0.33, 0.67)


@dataclass(frozen=True, slots=True)
class ShrunkBeta:
    """One adjusted beta beside the raw one; see `ShrunkBetas`."""

    beta: Estimate
    raw: float
    weight_of_raw: float
    prior: str


@dataclass(frozen=True, slots=True, eq=False)
class ShrunkBetas:
    """Adjusted betas of a batch.

    Arrays have shape (n_instruments,); where `failures` has a record they hold the placeholder 0.

    Attributes
    ----------
    beta, standard_deviation, ci_low, ci_high : float64 array
    raw : float64 array
        As given.
    weight_of_raw : float64 array
        0 to 1.
    prior : str
        Name of the prior or rule.
    failures : tuple of Failure or None
    """

    beta: FloatArray
    standard_deviation: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    raw: FloatArray
    weight_of_raw: FloatArray
    prior: str
    failures: tuple[Failure | None, ...]

    @property
    def ok(self) -> BoolArray:
        """Return which instruments have an answer."""
        return np.array([failure is None for failure in self.failures], dtype=np.bool_)

    def at(self, index: int) -> ShrunkBeta:
        """Return one instrument's adjusted beta, or raise its failure."""
        raise_failure(self.failures[index])
        return ShrunkBeta(
            beta=Estimate(
                float(self.beta[index]),
                float(self.standard_deviation[index]),
                float(self.ci_low[index]),
                float(self.ci_high[index]),
            ),
            raw=float(self.raw[index]),
            weight_of_raw=float(self.weight_of_raw[index]),
            prior=self.prior,
        )


def vasicek_beta(
    betas: FloatArray,
    standard_errors: FloatArray,
    prior: BetaPrior,
    *,
    known_multiples: FloatArray | None = None,
    confidence_level: float = 0.95,
) -> ShrunkBetas:
    """Posterior betas under a normal prior.

    Parameters
    ----------
    betas, standard_errors : float64 array of shape (n_instruments,)
        Raw; HAC errors where residuals are serially correlated. An error of 0 keeps the raw beta.
    prior : BetaPrior
    known_multiples : float64 array of shape (n_instruments,), optional
        Daily multiple of a leveraged or inverse fund, NaN where there is none. Such a beta is a
        contract, not a draw from a group of peers: it is refused.
    confidence_level : float

    Returns
    -------
    ShrunkBetas

    Raises
    ------
    InvalidInputError
        If shapes disagree, a value is not finite or an error is negative.

    Notes
    -----
    ``(mu/sd0^2 + b/se^2)/(1/sd0^2 + 1/se^2)``, computed as
    ``(mu se^2 + b sd0^2)/(se^2 + sd0^2)``; standard deviation ``(1/sd0^2 + 1/se^2)^(-1/2)``. The
    interval is normal.

    References
    ----------
    Vasicek, O. (1973), A note on using cross-sectional information in Bayesian estimation of
    security betas, Journal of Finance 28, eq. 12.

    Examples
    --------
    >>> prior = BetaPrior("semiconductor shares", 1.3, 0.25)
    >>> round(vasicek_beta(np.array([1.8]), np.array([0.3]), prior).at(0).beta.value, 4)
    1.5049
    """
    raw = finite_vector(betas, "betas")
    errors = _errors_of(standard_errors, raw)
    weight = prior.standard_deviation**2 / (errors**2 + prior.standard_deviation**2)
    value = prior.mean + weight * (raw - prior.mean)
    return _shrunk(
        raw=raw,
        value=value,
        deviation=errors * np.sqrt(weight),
        weight=weight,
        prior=prior.name,
        known_multiples=known_multiples,
        confidence_level=confidence_level,
    )


def blume_beta(
    betas: FloatArray,
    standard_errors: FloatArray,
    rule: LinearAdjustment = BLUME,
    *,
    known_multiples: FloatArray | None = None,
    confidence_level: float = 0.95,
) -> ShrunkBetas:
    """Linear forecast of betas.

    Parameters
    ----------
    betas, standard_errors : float64 array of shape (n_instruments,)
        Raw.
    rule : LinearAdjustment
        Its coefficients were estimated on shares against a broad market: against a semiconductor
        index, on which semiconductor shares average about 1, use `vasicek_beta` with their prior.
    known_multiples : float64 array of shape (n_instruments,), optional
        As in `vasicek_beta`: a fund with a known multiple is refused.
    confidence_level : float

    Returns
    -------
    ShrunkBetas
        Standard deviations are the raw errors times the slope; the rule's own error is not known.

    Raises
    ------
    InvalidInputError
        If shapes disagree, a value is not finite or an error is negative.

    References
    ----------
    Blume, M. (1971), On the assessment of risk, Journal of Finance 26; (1975), Betas and their
    regression tendencies, Journal of Finance 30.
    """
    raw = finite_vector(betas, "betas")
    errors = _errors_of(standard_errors, raw)
    return _shrunk(
        raw=raw,
        value=rule.intercept + rule.slope * raw,
        deviation=rule.slope * errors,
        weight=np.full_like(raw, rule.slope),
        prior=rule.name,
        known_multiples=known_multiples,
        confidence_level=confidence_level,
    )


def peer_prior(name: str, betas: FloatArray, standard_errors: FloatArray) -> BetaPrior:
    """Prior of a group from the raw betas of its members.

    Parameters
    ----------
    name : str
        Of the group.
    betas, standard_errors : float64 array of shape (n_members,)
        Raw, at least 5.

    Returns
    -------
    BetaPrior
        Mean of the raw betas; variance of the raw betas less the mean of their squared errors.

    Raises
    ------
    InvalidInputError, InsufficientDataError
    DegenerateInputError
        If the members differ by no more than their errors: then the group has one beta.
    """
    raw = finite_vector(betas, "betas", min_length=1)
    enough(raw.shape[0], _SMALLEST_GROUP, "betas")
    errors = _errors_of(standard_errors, raw)
    variance = float(raw.var(ddof=1) - np.mean(errors**2))
    if not variance > 0.0:
        raise DegenerateInputError(
            f"the betas of {name} differ by no more than their errors, so no spread of true betas "
            "can be told; name another group or give the prior yourself",
            n_obs=raw.shape[0],
        )
    return BetaPrior(name, float(raw.mean()), float(np.sqrt(variance)))


_SMALLEST_GROUP = 5


def _errors_of(standard_errors: FloatArray, raw: FloatArray) -> FloatArray:
    errors = finite_vector(standard_errors, "standard_errors")
    if errors.shape != raw.shape:
        raise InvalidInputError(
            f"standard_errors has {errors.shape[0]} entries for {raw.shape[0]} betas",
            argument="standard_errors",
        )
    if (errors < 0.0).any():
        raise InvalidInputError("standard_errors must not be negative", argument="standard_errors")
    return errors


def _shrunk(
    *,
    raw: FloatArray,
    value: FloatArray,
    deviation: FloatArray,
    weight: FloatArray,
    prior: str,
    known_multiples: FloatArray | None,
    confidence_level: float,
) -> ShrunkBetas:
    open_unit(confidence_level, "confidence_level")
    half_width = float(ndtri(0.5 + confidence_level / 2.0)) * deviation
    failures: list[Failure | None] = [None] * raw.shape[0]
    answered = np.ones(raw.shape[0], dtype=np.bool_)
    if known_multiples is not None:
        multiples = masked_vector(known_multiples, "known_multiples", length=raw.shape[0])
        answered = np.isnan(multiples)
        for index in np.flatnonzero(~answered):
            failures[index] = InvalidInputError(
                f"the fund moves by {multiples[index]:g} times its index by contract, so its beta "
                "is not shrunk; serve the multiple, or the raw estimate as a check of it",
                argument="known_multiples",
                multiple=float(multiples[index]),
            ).failure
    value, deviation, low, high, weight = (
        np.where(answered, column, 0.0)
        for column in (value, deviation, value - half_width, value + half_width, weight)
    )
    return ShrunkBetas(value, deviation, low, high, raw, weight, prior, tuple(failures))
