"""Answers to the beta rows (B)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import stdtr

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
    # NIST numbers the coefficients: B0 is the constant.
    numbered = re.fullmatch(r"b?(\d+)", name)
    if numbered is not None and int(numbered[1]) <= len(factors):
        return int(numbered[1])
    raise NotCoveredError(f"no coefficient {name!r} among const, {', '.join(factors)}")


def _coefficient(question: Question, fit: Regression, factors: Sequence[str]) -> float:
    """Answer for a coefficient, its errors, or the fit as a whole."""
    whole = _fit_statistic(question, fit)
    if whole is not None:
        return whole
    match = question.matches(r"(?:(b|se_b|se|t|p|hac_se_b|hac_se|hac)_)?(.+)")
    if match is None:
        raise question.refuse()
    kind, position = match[1] or "b", _position(match[2], factors)
    estimate = fit.coefficients[0, position]
    if kind == "b":
        return float(estimate)
    if kind in {"t", "p"}:
        t_statistic = float(estimate / fit.standard_errors[0, position])
        tail = float(stdtr(fit.degrees_of_freedom, -abs(t_statistic)))
        return t_statistic if kind == "t" else 2.0 * tail
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
    if question.has("X"):
        return _multiple_regression(question)
    x, y = question.latest("x"), question.latest("y")
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
    y, x = question.latest("y"), question.latest("x")
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
    if question.matches(r"hl\d*|half.?life"):
        return float(np.log(0.5) / np.log(decay))
    if question.matches(r"n?eff.*|effective.*"):
        return (1.0 + decay) / (1.0 - decay)
    seeds = {"norm": "normalized", "rec": "first_observation"}
    if question.output not in seeds:
        raise question.refuse()
    y, x = question.latest("y"), question.latest("x")
    return beta.ewma_beta(y, x, decay=decay, seed=seeds[question.output], min_obs=2).beta.value


def _rolling(question: Question) -> float | None:
    y, x = question.series("y"), question.series("x")
    window = question.integer("window", "W")
    result = beta.rolling_beta(y, x, window)
    if question.has_any("index", "i", "at"):
        index = question.integer("index", "i", "at")
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
    if not 0 <= index < y.shape[0]:
        raise NotCoveredError(f"index {index} of a series of {y.shape[0]}")
    if not result.valid[0, index]:
        return None
    served = result.standard_error if "se" in re.split(r"[-_]", question.output) else result.beta
    return float(served[0, index])


def _up_down(question: Question) -> float:
    result = beta.up_down_beta(
        question.latest("y"),
        question.latest("x"),
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
    if len(names) != 2:
        raise NotCoveredError(f"two factors are asked of {', '.join(names)}")
    # The market comes first in the rows that do not name it.
    is_swapped = names[0].lower().startswith(("semi", "sox", "chip"))
    market, semis = factors.T[::-1] if is_swapped else factors.T
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
    if question.has("nav", "contracts") or question.has("nav", "mv"):
        exposure = _effective_exposure(
            {k: v for k, v in question.inputs.items() if isinstance(v, int | float)}
        )
        result = beta.look_through_beta(
            np.atleast_1d(exposure),
            np.array([question.number("index_beta", "beta", default=1.0)]),
            question.number("nav"),
            headline_exposures=np.array([question.number("mv", default=0.0)]),
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


def _linear_adjustment(question: Question) -> float:
    vendor = question.matches(r".*(bbg|bloomberg|vendor).*") is not None
    published = beta.VENDOR if vendor else beta.BLUME
    rule = beta.LinearAdjustment(
        "as asked",
        question.number("a", "intercept", default=published.intercept),
        question.number("b", "slope", default=published.slope),
    )
    if question.matches(r".*(prior|fix|mean).*"):
        return rule.implied_prior_mean
    errors = np.array([question.number("se", default=0.0)])
    result = beta.blume_beta(np.array([question.number("beta", "raw")]), errors, rule).at(0)
    if question.matches(r"(.*[-_])?(se|sd)"):
        return result.beta.standard_error
    if question.matches(r"(bbg|bloomberg|vendor|blume).*"):
        return result.beta.value
    return question.otherwise(result.beta.value, "beta", "value", "adjusted")


def _vasicek(question: Question) -> float:
    prior = beta.BetaPrior(
        "as asked",
        question.number("prior_mean", "mu", default=1.0),
        question.number("prior_sd", "sd0"),
    )
    raw = np.array([question.number("beta", "raw", default=prior.mean)])
    result = beta.vasicek_beta(raw, np.array([question.number("se")]), prior).at(0)
    if question.matches(r".*weight.*|w"):
        return result.weight_of_raw
    if question.matches(r"(.*[-_])?(sd|se|std)"):
        return result.beta.standard_error
    if question.matches(r"(.*[-_])?(lo|ci[-_]?lo|ci_low)"):
        return result.beta.ci_low
    if question.matches(r"(.*[-_])?(hi|ci[-_]?hi|ci_high)"):
        return result.beta.ci_high
    return question.otherwise(result.beta.value, "beta", "value", "vasicek", "posterior")


# Rows state small samples; the product asks for more before it serves a summed beta.
_LEAST_TO_SUM = 10


def _dimson(question: Question) -> float:
    lags = question.integer("lags", "lag")
    leads = int(question.number("leads", "lead", default=0))
    hac = question.matches(r"(?:.*[-_])?hac[-_]?(\d+)?.*")
    asked = int(hac[1]) if hac and hac[1] else question.inputs.get("hac_lags", "auto")
    result = beta.dimson_beta(
        question.latest("y"),
        question.latest("x"),
        lags=lags,
        leads=leads,
        hac_lags=asked,
        min_obs=max(_LEAST_TO_SUM, lags + leads + 3),
    ).at(0)
    if hac:
        return result.beta.standard_error
    if question.matches(r"(.*[-_])?se"):
        return result.ols_standard_error
    if question.matches(r"(.*[-_])?t(stat)?"):
        return result.beta.value / result.ols_standard_error
    if question.matches(r"(.*[-_])?r2|.*r_squared"):
        return result.r_squared
    if question.matches(r"(.*[-_])?n([-_]?obs)?"):
        return float(result.n_obs)
    if question.matches(r"(.*[-_])?(alpha|const|intercept)"):
        return result.alpha
    if question.matches(r".*(same|ols|plain|naive).*"):
        return result.same_session_beta
    # One slope by its place: b-lag1 or b-1 is the session before, lead1 or b+1 the one after.
    place = question.matches(r"(?:b|beta|slope|coef)[-_]?(lag|lead|[-+])?[-_]?(\d+)")
    if place is not None:
        later = int(place[2]) * (-1 if place[1] in {"lag", "-"} else 1)
        if not 0 <= lags + later < len(result.slopes):
            raise question.refuse()
        return result.slopes[lags + later]
    return question.otherwise(result.beta.value, "beta", "dimson", "sum", "lagonly", "value")


def _scholes_williams(question: Question) -> float:
    y, x = question.latest("y"), question.latest("x")
    result = beta.scholes_williams_beta(y, x, min_obs=_LEAST_TO_SUM).at(0)
    if question.matches(r".*rho.*|.*autocorr.*"):
        return result.autocorrelation
    if question.matches(r"(.*[-_])?n([-_]?obs)?"):
        return float(result.n_obs)
    if question.matches(r"(.*[-_])?(b|beta|slope)?[-_]?(before|lag|m1|-1|lag[-_]?1)"):
        return result.slopes[0]
    if question.matches(r"(.*[-_])?(b0|same|slope[-_]?0|beta[-_]?0|0)"):
        return result.slopes[1]
    if question.matches(r"(.*[-_])?(b|beta|slope)?[-_]?(after|lead|p1|\+1|lead[-_]?1)"):
        return result.slopes[2]
    if question.matches(r"(.*[-_])?(se|hac).*"):
        return result.beta.standard_error
    return question.otherwise(result.beta.value, "beta", "sw", "value")


def _asynchronous(question: Question) -> float:
    slopes = beta.asynchronous_slopes(
        question.number("beta"), question.number("theta", "same_session_share")
    )
    if question.matches(r".*(lag|next|late|prev).*"):
        return slopes.next_session
    if question.matches(r".*(dimson|sum|total|sw|scholes).*"):
        return slopes.dimson
    if question.matches(r".*(same|day|ols|async|naive).*"):
        return slopes.same_session
    raise question.refuse()


# A prior this wide is the diffuse start to more digits than rows state.
_DIFFUSE = 1e5


def _state_space(question: Question) -> float:
    if question.number("prior_var", "P0", default=np.inf) < _DIFFUSE:
        raise NotCoveredError("the engine's filter starts diffuse")
    if question.has("x"):
        return _walking_beta(question)
    return _local_level(question)


def _walking_beta(question: Question) -> float:
    y, x = question.series("y"), question.series("x")
    fit = least_squares(design(x[:, np.newaxis]), y[np.newaxis, :])
    stated = question.inputs.get("h", question.inputs.get("var_eps"))
    # The text stands for the residual variance of least squares.
    residual_variance = float(fit.residual_standard_deviation[0] ** 2)
    h = residual_variance if isinstance(stated, str) or stated is None else float(stated)
    q = question.inputs.get("q_beta", question.inputs.get("q", question.inputs.get("var_eta")))
    given = q is not None
    result = beta.state_space_beta(
        y,
        x,
        variance_ratio=float(q) / h if given else None,
        observation_variance=h if given else None,
        min_obs=4,
    )
    if question.matches(r".*q0.*|.*diff.*|.*ols.*|.*ident.*|.*gap.*") and (q == 0 or not given):
        return result.at(0).beta.value - float(fit.coefficients[0, 1])
    return _walk(question, result)


def _local_level(question: Question) -> float:
    y = question.series("y") if question.has("y") else _only_column(question)
    given = question.has("var_eps") or question.has("h")
    ratio = h = None
    if given:
        h = question.number("var_eps", "h")
        ratio = question.number("var_eta", "q") / h
    result = beta.state_space_beta(
        y, np.ones_like(y), variance_ratio=ratio, observation_variance=h, intercept=False, min_obs=4
    )
    return _walk(question, result)


def _only_column(question: Question) -> FloatArray:
    for name in ("volume", "nile", "Nile", "level"):
        try:
            return question.column(name)
        except NotCoveredError:
            continue
    raise question.refuse()


def _walk(question: Question, result: beta.StateSpaceBatch) -> float:
    last = result.at(0)
    if question.matches(r"(.*[-_])?(ll|llf|log[-_]?lik\w*)([-_].*)?"):
        return last.log_likelihood
    if question.matches(r"(.*[-_])?(q|var[-_]eta|state[-_]var\w*|sigma2[-_]eta|level[-_]var)"):
        return last.state_variance
    if question.matches(r"(.*[-_])?(h|var[-_]eps|obs[-_]var\w*|sigma2[-_]eps)"):
        return last.observation_variance
    if question.matches(r"(.*[-_])?(ratio|snr|q[-_/]h)"):
        return last.state_variance / last.observation_variance
    if question.matches(r"(.*[-_])?(alpha|const|intercept)"):
        return last.alpha
    index = (
        question.integer("index", "i") if question.has_any("index", "i") else int(result.last[0])
    )
    if question.matches(r"(.*[-_])?(p|var|variance|pt|p[-_]last)"):
        return float(result.standard_deviation[0, index] ** 2)
    if question.matches(r"(.*[-_])?(sd|se|std)"):
        return float(result.standard_deviation[0, index])
    return question.otherwise(float(result.beta[0, index]), "a", "level", "beta", "rw", "first")


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
    return question.otherwise(float(fit.coefficients[0, 1]), "right", "wrong", "beta")


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
    "B07": _linear_adjustment,
    "B08": _vasicek,
    "B09": _dimson,
    "B10": _scholes_williams,
    "B11": _asynchronous,
    "B12": _up_down,
    "B13": _two_factor,
    "B14": _state_space,
    "B15": _look_through,
    "B16": _contribution,
    "B17": _portfolio_error,
    "B18": _horizon_beta,
    "B19": _gap,
}
