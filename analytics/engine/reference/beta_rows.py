"""Answers to the beta rows (B)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analytics.engine import beta
from analytics.engine.reference.questions import Answers, Question, answer_named
from analytics.engine.reference.rows import NotCoveredError
from analytics.engine.regression import (
    Regression,
    automatic_lags,
    design,
    durbin_watson,
    least_squares,
)
from analytics.engine.returns import aligned_returns, simple_returns
from analytics.engine.types import FloatArray


def _position(name: str, factors: Sequence[str]) -> int:
    """Return the coefficient that a name means: exact, else the only factor that contains it."""
    if name in {"const", "intercept", "alpha"}:
        return 0
    lowered = [factor.lower() for factor in factors]
    if name in lowered:
        return 1 + lowered.index(name)
    inside = [index for index, factor in enumerate(lowered) if name in factor]
    if len(inside) == 1:
        return 1 + inside[0]
    raise NotCoveredError(f"coefficient {name!r}")


def _coefficient(question: Question, fit: Regression, factors: Sequence[str]) -> float:
    """Answer for a coefficient, its errors, or the fit as a whole."""
    whole = _fit_statistic(question, fit)
    if whole is not None:
        return whole
    match = question.matches(r"(?:(b|se_b|se|t|hac_se_b|hac_se|hac)_)?(.+)")
    if match is None:
        raise question.refuse()
    kind, position = match[1] or "b", _position(match[2], factors)
    estimate = fit.coefficients[0, position]
    if kind == "b":
        return float(estimate)
    if kind == "t":
        return float(estimate / fit.standard_errors[0, position])
    if kind.startswith("hac"):
        lags = question.integer("lags")
        small_sample = bool(question.inputs.get("small_sample", False))
        return float(fit.hac_standard_errors(lags, small_sample=small_sample)[0, position])
    return float(fit.standard_errors[0, position])


def _fit_statistic(question: Question, fit: Regression) -> float | None:
    r_squared = float(fit.r_squared[0])
    explained = fit.total_sum_of_squares[0] - fit.residual_sum_of_squares[0]
    n_factors = fit.design.n_coefficients - 1
    if question.asks("r2", "r_squared", "rsquared"):
        return r_squared
    if question.asks("adj_r2", "r2_adj"):
        return 1.0 - (1.0 - r_squared) * (fit.design.n_obs - 1) / fit.degrees_of_freedom
    if question.asks("resid_sd", "s", "sigma"):
        return float(fit.residual_standard_deviation[0])
    if question.asks("f", "f_stat"):
        return float(explained / n_factors / fit.residual_standard_deviation[0] ** 2)
    if question.asks("rss", "ssr"):
        return float(fit.residual_sum_of_squares[0])
    if question.asks("dw", "durbin_watson", "durbin-watson"):
        return float(durbin_watson(fit.residuals)[0])
    if question.asks("n", "n_obs", "nobs"):
        return float(fit.design.n_obs)
    if question.asks("dof", "df"):
        return float(fit.degrees_of_freedom)
    return None


def _simple_regression(question: Question) -> float:
    x, y = question.series("x"), question.series("y")
    fit = least_squares(design(x[:, np.newaxis]), y[np.newaxis, :])
    return _coefficient(question, fit, ("slope",))


def _multiple_regression(question: Question) -> float:
    names, factors = question.factors()
    fit = least_squares(design(factors), question.series("y")[np.newaxis, :])
    return _coefficient(question, fit, names)


# Fewer aligned returns than this make no beta; the product asks for more before it serves one.
_LEAST_TO_ESTIMATE = 30


def _semiconductor_beta(question: Question) -> float:
    if question.matches(r"lag[-_]?rule.*|lags.*|auto[-_]?lags?.*"):
        return float(automatic_lags(_sample_size(question)))
    hac = question.matches(r"hac[-_]?(auto|\d+)?([-_]ss)?|(?:se[-_])?hac([-_]ss)?")
    y, x = question.series("y"), question.series("x")
    asked = question.inputs.get("lags", "auto")
    if hac is not None and hac[1] not in {None, "auto"}:
        asked = int(hac[1])
    result = beta.semiconductor_beta(y, x, hac_lags=asked, min_obs=_LEAST_TO_ESTIMATE).at(0)
    if hac is not None:
        # Without the factor it is the textbook's; the engine serves the one with it.
        fit = least_squares(design(x[:, np.newaxis]), y[np.newaxis, :])
        with_factor = bool(hac[2] or hac[3])
        errors = fit.hac_standard_errors(result.hac_lags, small_sample=with_factor)
        return float(errors[0, 1])
    if question.asks("beta", "slope", "b"):
        return result.beta.value
    if question.asks("se", "ols_se", "se-ols"):
        return result.ols_standard_error
    if question.asks("ci_low", "lo", "ci-lo"):
        return result.beta.ci_low
    if question.asks("ci_high", "hi", "ci-hi"):
        return result.beta.ci_high
    if question.asks("corr", "rho"):
        return result.lead_lag_correlation[1]
    fit = least_squares(design(x[:, np.newaxis]), y[np.newaxis, :])
    return _coefficient(question, fit, ("slope",))


def _sample_size(question: Question) -> int:
    if question.has("n"):
        return question.integer("n")
    if question.has("T"):
        return question.integer("T")
    return int(question.series("y").shape[0])


def _ewma(question: Question) -> float:
    decay = question.number("lambda", "lam", "decay")
    if question.matches(r"hl|half.?life"):
        return float(np.log(0.5) / np.log(decay))
    if question.matches(r"n?eff.*|effective.*"):
        return (1.0 + decay) / (1.0 - decay)
    seeds = {"norm": "normalized", "rec": "first_observation"}
    if question.output not in seeds:
        raise question.refuse()
    y, x = question.series("y"), question.series("x")
    return beta.ewma_beta(y, x, decay=decay, seed=seeds[question.output], min_obs=2).beta.value


def _rolling(question: Question) -> float | None:
    y, x = question.series("y"), question.series("x")
    window = question.integer("window", "W")
    result = beta.rolling_beta(y, x, window)
    if question.has("index"):
        index = question.integer("index")
    elif question.matches(r"(se[-_]?)?last.*|last.*|se"):
        index = y.shape[0] - 1
    elif question.matches(r"(se[-_]?)?first.*"):
        index = window - 1
    elif question.matches(r"null.*|warm.*|before.*"):
        digits = re.search(r"\d+", question.output)
        index = min(int(digits[0]), window - 2) if digits else window - 2
    elif question.matches(r"n[-_]?null.*|count.*"):
        return float(np.count_nonzero(~result.valid[0]))
    elif (position := question.matches(r"(?:se[-_]?)?(?:i|idx|index|at)[-_]?(\d+)")) is not None:
        index = int(position[1])
    else:
        raise question.refuse()
    if not result.valid[0, index]:
        return None
    served = result.standard_error if "se" in re.split(r"[-_]", question.output) else result.beta
    return float(served[0, index])


def _up_down(question: Question) -> float:
    result = beta.up_down_beta(
        question.series("y"),
        question.series("x"),
        threshold=question.inputs.get("threshold"),
        target=question.number("tau", "target", default=0.0),
        min_obs_per_side=3,
    )
    answers = {
        "down": result.down.value,
        "up": result.up.value,
        "diff": result.down.value - result.up.value,
        "gap": result.down.value - result.up.value,
        "bl": result.lower_partial,
        "bl-down": result.lower_partial,
        "bl-up": result.upper_partial,
        "n_down": result.n_down,
        "n-down": result.n_down,
        "n_up": result.n_up,
        "n-up": result.n_up,
    }
    return answer_named(question, answers)


def _two_factor(question: Question) -> float:
    names, factors = question.factors()
    y = question.series("y")
    market, semis = factors.T
    n_obs = y.shape[0]
    result = beta.two_factor_beta(y, market, semis, min_obs=n_obs).at(0)
    if question.asks("fwl"):
        return result.semiconductors.value - beta.slope_on_orthogonalized(y, semis, market)
    if question.asks("ovb"):
        gamma = beta.semiconductor_beta(semis, market, min_obs=n_obs).at(0).beta.value
        return result.market_beta_alone - (
            result.market.value + result.semiconductors.value * gamma
        )
    if question.asks("vif"):
        return result.variance_inflation
    if question.matches(r"cond.*"):
        return result.condition_number
    if question.matches(r"uni.*semi|semi[-_]?(uni|alone).*|uni.*"):
        return result.semiconductor_beta_alone
    if question.matches(r"mkt[-_]?(uni|alone|orth).*"):
        return result.market_beta_alone
    match = question.matches(r"(.+)[-_](se|hac\d*|t)")
    fit = least_squares(design(factors), y[np.newaxis, :])
    if match is not None:
        question.output = f"{match[2].rstrip('0123456789')}_{match[1]}"
    return _coefficient(_dashed(question), fit, names)


def _dashed(question: Question) -> Question:
    """Read se-mkt as se_mkt."""
    question.output = question.output.replace("-", "_")
    return question


def _look_through(question: Question) -> float:
    if question.has("delta", "V"):
        return beta.option_beta(
            question.number("delta"),
            question.number("S", "spot"),
            question.number("V"),
            question.number("beta_S", "beta", default=1.0),
        )
    if question.has("m", "r") and not question.has("positions"):
        return beta.intraday_multiple(question.number("m"), question.number("r"))
    if not question.has("positions"):
        raise question.refuse()
    positions = question.inputs["positions"]
    names = [str(position.get("t", "")).lower() for position in positions]
    result = beta.look_through_beta(
        np.array([_effective_exposure(position) for position in positions]),
        np.array([position.get("index_beta", position.get("beta", 0.0)) for position in positions]),
        question.number("nav"),
        headline_exposures=np.array([position.get("mv", 0.0) for position in positions]),
    )
    if question.asks("headline", "naive"):
        return float(result.beta_ignoring_leverage[0])
    if question.matches(r"look.*|beta.*|sum"):
        return float(result.beta[0])
    if question.matches(r"gross.*"):
        return float(result.gross_exposure[0])
    if question.matches(r"net.*"):
        return float(result.net_exposure[0])
    if question.matches(r"gap|diff"):
        return float(result.beta[0] - result.contributions.sum())
    wanted = re.sub(r"^(contrib|c)[-_]?", "", question.output)
    chosen = [index for index, name in enumerate(names) if wanted and wanted in name]
    if len(chosen) == 1:
        return float(result.contributions[0, chosen[0]])
    raise question.refuse()


def _effective_exposure(position: Mapping[str, Any]) -> float:
    if "contracts" in position:
        exposure = beta.option_exposure(
            position["contracts"], position["multiplier"], position["delta"], position["spot"]
        )
    else:
        exposure = beta.fund_exposure(position["mv"], position.get("mult", 1.0))
    return float(exposure)


def _contribution(question: Question) -> float:
    if question.has("positions"):
        return _look_through(question)
    if question.has("contrib"):
        return float(np.sum(question.series("contrib")))
    if question.has("w", "cov"):
        shares = beta.risk_contributions(question.series("w"), np.array(question.inputs["cov"]))
        return float(shares.sum())
    if question.has("nav", "mv"):
        exposure = beta.fund_exposure(question.number("mv"), question.number("mult", default=1.0))
        result = beta.look_through_beta(
            np.atleast_1d(exposure),
            np.array([question.number("index_beta", "beta", default=1.0)]),
            question.number("nav"),
            headline_exposures=np.array([question.number("mv")]),
        )
        return float(result.contributions[0, 0])
    raise question.refuse()


def _portfolio_error(question: Question) -> float:
    returns = np.stack([question.column(name) for name in question.inputs["assets"]], axis=1)
    weights, x = question.series("weights", "w"), question.series("x")
    result = beta.portfolio_beta_standard_error(returns, weights, x)
    aggregated = least_squares(design(x[:, np.newaxis]), (returns @ weights)[np.newaxis, :])
    answers = {
        "se": result.standard_error[0],
        "naive": result.ignoring_residual_correlation[0],
        "beta": result.beta[0],
        "agg": aggregated.standard_errors[0, 1],
        "aggregate": aggregated.standard_errors[0, 1],
        "identity": result.standard_error[0] - aggregated.standard_errors[0, 1],
        "diff": result.standard_error[0] - aggregated.standard_errors[0, 1],
        "gap": result.standard_error[0] - aggregated.standard_errors[0, 1],
    }
    return answer_named(question, answers)


def _horizon_beta(question: Question) -> float:
    if question.has("sigma", "n"):
        return beta.horizon_beta(
            question.number("m"), question.number("sigma"), question.integer("n")
        )
    if question.has("m", "r"):
        return beta.intraday_multiple(question.number("m"), question.number("r"))
    raise question.refuse()


def _gap(question: Question) -> float:
    asset, index = question.series("asset", "y"), question.series("index", "x")
    if question.matches(r".*wrong"):
        # What a join of separately computed returns gives; kept to show the difference.
        y, x = _joined_after_returns(asset, index)
    else:
        pair = aligned_returns(asset, index)
        y, x = pair.returns_y, pair.returns_x
    if question.matches(r".*n(_obs)?") and not question.matches(r".*wrong"):
        return float(y.shape[0])
    fit = least_squares(design(x[:, np.newaxis]), y[np.newaxis, :])
    if question.matches(r".*r2"):
        return float(fit.r_squared[0])
    return float(fit.coefficients[0, 1])


def _joined_after_returns(asset: FloatArray, index: FloatArray) -> tuple[FloatArray, FloatArray]:
    rows = np.flatnonzero(~np.isnan(asset))
    own_calendar = simple_returns(asset[rows])
    return own_calendar, simple_returns(index)[rows[1:] - 1]


ANSWERS: Answers = {
    "B01": _simple_regression,
    "B02": _multiple_regression,
    "B03": _multiple_regression,
    "B04": _semiconductor_beta,
    "B05": _ewma,
    "B06": _rolling,
    "B12": _up_down,
    "B13": _two_factor,
    "B15": _look_through,
    "B16": _contribution,
    "B17": _portfolio_error,
    "B18": _horizon_beta,
    "B19": _gap,
}
