"""Reference rows in the form of reference_values.csv, answered by the engine.

A row is dispatched on its family (the id up to the first dash) and on what it asks for: the
``output`` input if there is one, else the rest of its id. Nothing here computes a method; a row
that the engine has no method for is reported as not covered.
"""

from __future__ import annotations

import ast
import csv
import json
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

import numpy as np

from analytics.engine import beta, hedge, leverage
from analytics.engine.errors import DegenerateInputError, EngineError, InsufficientDataError
from analytics.engine.regression import (
    Regression,
    automatic_lags,
    design,
    durbin_watson,
    least_squares,
)
from analytics.engine.returns import aligned_returns, simple_returns
from analytics.engine.types import FloatArray

Columns = Mapping[str, FloatArray]
Datasets = Mapping[str, Columns]

DATASET_METHOD = "dataset"


class NotCoveredError(Exception):
    """The engine has no method for what the row asks."""


@dataclass(frozen=True, slots=True)
class ReferenceRow:
    """One checkable value.

    Attributes
    ----------
    row_id, method : str
    inputs : mapping
        With references to other rows replaced by what they stand for.
    expected : float or None
        None means that the answer must be null.
    tolerance : float
        Absolute.
    """

    row_id: str
    method: str
    inputs: Mapping[str, Any]
    expected: float | None
    tolerance: float

    @property
    def family(self) -> str:
        """The method prefix, such as B04."""
        return self.row_id.partition("-")[0]

    @property
    def output(self) -> str:
        """What is asked for, in lower case."""
        return str(self.inputs.get("output", self.row_id.partition("-")[2])).lower()


class ReferenceFormatError(ValueError):
    """The file is not in the form of reference_values.csv."""


_COLUMNS = ("id", "method", "inputs(json)", "expected", "tolerance")


def parse_rows(lines: Iterable[str]) -> tuple[ReferenceRow, ...]:
    """Read reference rows, resolving references from one row to another.

    Parameters
    ----------
    lines : iterable of str
        Of a CSV file with the columns id, method, inputs(json), expected, tolerance.

    Returns
    -------
    tuple of ReferenceRow

    Raises
    ------
    ReferenceFormatError
        Naming the line and what is wrong with it.
    """
    reader = csv.DictReader(lines)
    absent = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
    if absent:
        raise ReferenceFormatError(f"columns missing: {', '.join(absent)}")
    rows: dict[str, ReferenceRow] = {}
    for record in reader:
        where = f"line {reader.line_num}, row {record['id']!r}"
        try:
            inputs = json.loads(record["inputs(json)"] or "{}")
            expected = float(record["expected"]) if record["expected"].strip() else None
            tolerance = float(record["tolerance"] or 0)
        except (ValueError, TypeError, AttributeError) as error:
            raise ReferenceFormatError(f"{where}: {error}") from error
        if record["id"] in rows:
            raise ReferenceFormatError(f"{where}: the id is used twice")
        rows[record["id"]] = ReferenceRow(
            record["id"], record["method"] or "", inputs, expected, tolerance
        )
    return tuple(_resolved(row, rows) for row in rows.values())


def _resolved(row: ReferenceRow, rows: Mapping[str, ReferenceRow]) -> ReferenceRow:
    inputs = dict(row.inputs)
    seen = {row.row_id}
    while str(inputs.get("data", "")).startswith("as "):
        source = inputs.pop("data").removeprefix("as ")
        if source not in rows or source in seen:
            # Left for `evaluate` to report: the row it points to may be in another file.
            inputs["unresolved"] = source
            break
        seen.add(source)
        borrowed = {k: v for k, v in rows[source].inputs.items() if k != "output"}
        inputs = {**borrowed, **inputs}
    return ReferenceRow(row.row_id, row.method, inputs, row.expected, row.tolerance)


def datasets_of(rows: Iterable[ReferenceRow]) -> dict[str, dict[str, FloatArray]]:
    """Return the data sets that the rows themselves carry."""
    return {
        row.row_id: {name: _floats(values) for name, values in row.inputs.items()}
        for row in rows
        if row.method == DATASET_METHOD
    }


def external_datasets(rows: Iterable[ReferenceRow]) -> frozenset[str]:
    """Return the names of data sets that must be handed in, such as statsmodels.datasets.nile."""
    rows = tuple(rows)
    own = datasets_of(rows)
    named = {str(row.inputs["dataset"]) for row in rows if "dataset" in row.inputs}
    return frozenset(named - own.keys())


def evaluate(row: ReferenceRow, datasets: Datasets) -> float | None:
    """Answer a row with the engine.

    Parameters
    ----------
    row : ReferenceRow
    datasets : mapping of name to columns

    Returns
    -------
    float or None
        None where the engine says that there is too little data or nothing to divide by.

    Raises
    ------
    NotCoveredError
        If the engine has no method for it.
    """
    answer = _FAMILIES.get(row.family)
    if answer is None:
        raise NotCoveredError(row.row_id)
    if "unresolved" in row.inputs:
        raise NotCoveredError(f"{row.row_id} uses {row.inputs['unresolved']}, which is not there")
    try:
        return answer(_Question(row, datasets))
    except (InsufficientDataError, DegenerateInputError):
        return None


class Outcome(StrEnum):
    """What came of a row."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_COVERED = "not_covered"


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """A row's expected and actual answer.

    Attributes
    ----------
    error : float or None
        Absolute difference; None where one side is null or there was no answer.
    note : str
        Why it failed, if it did not answer with a number.
    """

    row: ReferenceRow
    outcome: Outcome
    actual: float | None = None
    error: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class FamilySummary:
    """Rows of one method prefix.

    Attributes
    ----------
    max_error : float
        Largest absolute error.
    max_error_in_tolerances : float or None
        Largest error over its tolerance; None if a row of tolerance 0 was missed.
    """

    family: str
    rows: int
    passed: int
    failed: int
    not_covered: int
    max_error: float
    max_error_in_tolerances: float | None


def check(rows: Iterable[ReferenceRow], datasets: Datasets) -> tuple[CheckedRow, ...]:
    """Check every row that is not itself a data set.

    Parameters
    ----------
    rows : iterable of ReferenceRow
    datasets : mapping of name to columns
        Those the rows carry are added to them.

    Returns
    -------
    tuple of CheckedRow
    """
    rows = tuple(rows)
    available = {**datasets, **datasets_of(rows)}
    return tuple(_checked(row, available) for row in rows if row.method != DATASET_METHOD)


def _checked(row: ReferenceRow, datasets: Datasets) -> CheckedRow:
    try:
        actual = evaluate(row, datasets)
    except NotCoveredError:
        return CheckedRow(row, Outcome.NOT_COVERED)
    except (EngineError, KeyError, TypeError, ValueError, IndexError) as error:
        # A malformed row must be told from a wrong number, and must not stop the others.
        return CheckedRow(row, Outcome.FAILED, note=f"{type(error).__name__}: {error}")
    if actual is None or row.expected is None:
        agrees = actual is None and row.expected is None
        note = "" if agrees else f"expected {row.expected}, answered {actual}"
        return CheckedRow(row, Outcome.PASSED if agrees else Outcome.FAILED, actual, None, note)
    error_size = abs(actual - row.expected)
    outcome = Outcome.PASSED if error_size <= row.tolerance else Outcome.FAILED
    return CheckedRow(row, outcome, actual, error_size)


def summarize(checked: Iterable[CheckedRow]) -> tuple[FamilySummary, ...]:
    """Summarize by method prefix, in order of first appearance."""
    groups: dict[str, list[CheckedRow]] = {}
    for result in checked:
        groups.setdefault(result.row.family, []).append(result)
    return tuple(_summary(family, members) for family, members in groups.items())


def _summary(family: str, members: Sequence[CheckedRow]) -> FamilySummary:
    counts = {outcome: sum(m.outcome is outcome for m in members) for outcome in Outcome}
    measured = [(m.error, m.row.tolerance) for m in members if m.error is not None]
    ratios = [error / tolerance for error, tolerance in measured if tolerance > 0]
    missed_exact = any(error > 0 and tolerance == 0 for error, tolerance in measured)
    return FamilySummary(
        family=family,
        rows=len(members),
        passed=counts[Outcome.PASSED],
        failed=counts[Outcome.FAILED],
        not_covered=counts[Outcome.NOT_COVERED],
        max_error=max((error for error, _ in measured), default=0.0),
        max_error_in_tolerances=None if missed_exact else max(ratios, default=0.0),
    )


def _floats(values: object) -> FloatArray:
    if not isinstance(values, list | tuple | np.ndarray):
        raise NotCoveredError("not a list of numbers")
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


class _Question:
    """A row with typed access to its inputs."""

    def __init__(self, row: ReferenceRow, datasets: Datasets) -> None:
        self.row = row
        self.inputs = row.inputs
        self.output = row.output
        self._datasets = datasets

    def asks(self, *names: str) -> bool:
        return self.output in names

    def matches(self, pattern: str) -> re.Match[str] | None:
        return re.fullmatch(pattern, self.output)

    def has(self, *names: str) -> bool:
        return all(name in self.inputs for name in names)

    def number(self, *names: str, default: float | None = None) -> float:
        """Return the first of the named inputs; fractions may be written as text."""
        for name in names:
            if name in self.inputs:
                value = self.inputs[name]
                return float(Fraction(value)) if isinstance(value, str) else float(value)
        if default is None:
            raise NotCoveredError(f"no input {' or '.join(names)}")
        return default

    def integer(self, *names: str) -> int:
        value = self.number(*names)
        if value != int(value):
            raise NotCoveredError(f"{names[0]} is not whole")
        return int(value)

    def series(self, *names: str) -> FloatArray:
        """Return the first of the named inputs: numbers, or a column of the data set."""
        for name in names:
            if name in self.inputs:
                return self._series(self.inputs[name])
        raise NotCoveredError(f"no input {' or '.join(names)}")

    def _series(self, value: object) -> FloatArray:
        return self.column(value) if isinstance(value, str) else _floats(value)

    def column(self, expression: str) -> FloatArray:
        name = str(self.inputs.get("dataset", ""))
        if name not in self._datasets:
            raise NotCoveredError(f"data set {name!r} is not there")
        return _expression(expression, self._datasets[name])

    def factors(self) -> tuple[tuple[str, ...], FloatArray]:
        """Return names and values of the regressors listed in X, the constant left out."""
        names = tuple(name for name in self.inputs["X"] if name != "const")
        return names, np.stack([self.column(name) for name in names], axis=1)

    def refuse(self) -> NotCoveredError:
        return NotCoveredError(self.row.row_id)


_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_FUNCTIONS: dict[str, Callable[[Any], Any]] = {"log": np.log, "diff": np.diff, "exp": np.exp}


def _expression(text: str, columns: Columns) -> FloatArray:
    """Evaluate a column expression such as ``400*diff(log(realgdp))`` or ``realint[:-1]``."""

    def value(node: ast.expr) -> Any:
        match node:
            case ast.Name(id=name) if name in columns:
                return np.asarray(columns[name], dtype=np.float64)
            case ast.Constant(value=int() | float() as constant):
                return constant
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -value(operand)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return _BINARY[type(op)](value(left), value(right))
            case ast.Call(func=ast.Name(id=name), args=[argument]) if name in _FUNCTIONS:
                return _FUNCTIONS[name](value(argument))
            case ast.Subscript(value=base, slice=ast.Slice(lower=low, upper=high, step=None)):
                bounds = (None if bound is None else value(bound) for bound in (low, high))
                return value(base)[slice(*bounds)]
        raise NotCoveredError(f"expression {text!r}")

    return np.asarray(value(ast.parse(text, mode="eval").body), dtype=np.float64)


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


def _coefficient(question: _Question, fit: Regression, factors: Sequence[str]) -> float:
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


def _fit_statistic(question: _Question, fit: Regression) -> float | None:
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


def _simple_regression(question: _Question) -> float:
    x, y = question.series("x"), question.series("y")
    fit = least_squares(design(x[:, np.newaxis]), y[np.newaxis, :])
    return _coefficient(question, fit, ("slope",))


def _multiple_regression(question: _Question) -> float:
    names, factors = question.factors()
    fit = least_squares(design(factors), question.series("y")[np.newaxis, :])
    return _coefficient(question, fit, names)


# Fewer aligned returns than this make no beta; the product asks for more before it serves one.
_LEAST_TO_ESTIMATE = 30


def _semiconductor_beta(question: _Question) -> float:
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


def _sample_size(question: _Question) -> int:
    if question.has("n"):
        return question.integer("n")
    if question.has("T"):
        return question.integer("T")
    return int(question.series("y").shape[0])


def _ewma(question: _Question) -> float:
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


def _rolling(question: _Question) -> float | None:
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


def _up_down(question: _Question) -> float:
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
    return _answer(question, answers)


def _answer(question: _Question, answers: Mapping[str, float]) -> float:
    if question.output not in answers:
        raise question.refuse()
    return float(answers[question.output])


def _two_factor(question: _Question) -> float:
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


def _dashed(question: _Question) -> _Question:
    """Read se-mkt as se_mkt."""
    question.output = question.output.replace("-", "_")
    return question


def _look_through(question: _Question) -> float:
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


def _contribution(question: _Question) -> float:
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


def _portfolio_error(question: _Question) -> float:
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
    return _answer(question, answers)


def _horizon_beta(question: _Question) -> float:
    if question.has("sigma", "n"):
        return beta.horizon_beta(
            question.number("m"), question.number("sigma"), question.integer("n")
        )
    if question.has("m", "r"):
        return beta.intraday_multiple(question.number("m"), question.number("r"))
    raise question.refuse()


def _gap(question: _Question) -> float:
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


def _pair(question: _Question) -> tuple[FloatArray, FloatArray]:
    return question.series("dS", "item", "s"), question.series("dF", "hedge", "f")


def _minimum_variance(question: _Question) -> float:
    item, instrument = _pair(question)
    result = hedge.minimum_variance_hedge(item, instrument, min_obs=3).at(0)
    effectiveness = result.effectiveness.value
    answers = {
        "sigs": float(np.std(item, ddof=1)),
        "sigf": float(np.std(instrument, ddof=1)),
        "hstar": result.hedge_ratio.value,
        "hstar-full": result.hedge_ratio.value,
        "h": result.hedge_ratio.value,
        "he": effectiveness,
        "r2": effectiveness,
        "rho": float(np.sign(result.hedge_ratio.value) * np.sqrt(effectiveness)),
        "corr": float(np.sign(result.hedge_ratio.value) * np.sqrt(effectiveness)),
        "cov": result.hedge_ratio.value * float(np.var(instrument, ddof=1)),
        "se": result.ols_standard_error,
    }
    return _answer(question, answers)


def _given_ratio(question: _Question) -> float:
    item, instrument = _pair(question)

    def effectiveness(hedge_notional: float) -> float:
        return hedge.variance_reduction(
            item, instrument, hedge_notional=hedge_notional, min_obs=3
        ).effectiveness.value

    if question.matches(r"max.*"):
        best = hedge.minimum_variance_hedge(item, instrument, min_obs=3).at(0).effectiveness.value
        # Effectiveness is a parabola in the ratio: three values give every point of the grid.
        at_zero, at_one, at_minus_one = (effectiveness(h) for h in (0.0, 1.0, -1.0))
        grid = np.linspace(-3.0, 3.0, 6001)
        curvature = (at_one + at_minus_one) / 2.0 - at_zero
        values = at_zero + (at_one - at_minus_one) / 2.0 * grid + curvature * grid**2
        return best - float(values.max())
    # The rows sell h units against the item.
    return effectiveness(-question.number("h"))


def _contracts(question: _Question) -> float:
    contracts = hedge.hedge_contracts(
        question.number("h"),
        question.number("Qa", "QA", "Va", "VA") * question.number("S", default=1.0),
        question.number("Qf", "QF", "Vf", "VF") * question.number("F", default=1.0),
    )
    return float(round(contracts)) if question.matches(r".*(round|int|whole).*") else contracts


def _futures(question: _Question) -> float:
    return hedge.index_futures_contracts(
        question.number("beta"),
        question.number("V"),
        question.number("F"),
        question.number("mult"),
        target_beta=question.number("target", default=0.0),
    )


_UNRESTRICTED = hedge.EffectivenessPolicy(min_obs=3)


def _effectiveness_test(question: _Question) -> float:
    item, instrument = _pair(question)
    by_name = question.inputs.get("h") in {"hstar", "h*"}
    ratio = 1.0 if by_name else question.number("h", default=1.0)
    if by_name or (ratio == 1.0 and question.matches(r".*[-_]sized.*|sized.*")):
        ratio = hedge.minimum_variance_hedge(item, instrument, min_obs=3).at(0).hedge_ratio.value
    result = hedge.regression_test(item, instrument, hedge_notional=-ratio, policy=_UNRESTRICTED)
    if question.matches(r"verdict.*"):
        return float(result.meets_thresholds)
    # The rows regress on the change of the instrument, the engine on the result of the holding.
    output = question.output.removesuffix("-sized").removesuffix("-unsized")
    answers = {
        "slope": -result.slope.value,
        "r2": result.r_squared.value,
        "f": result.f_statistic,
        "p": result.p_value,
        "p_value": result.p_value,
        "pvalue": result.p_value,
        "intercept": result.intercept.value,
        "se": result.slope.standard_error,
        "se_slope": result.slope.standard_error,
        "se_intercept": result.intercept.standard_error,
        "t": -result.slope.value / result.slope.standard_error,
        "t_slope": -result.slope.value / result.slope.standard_error,
        "n": result.n_obs,
    }
    answer = answers.get(output)
    if answer is None:
        raise question.refuse()
    return float(answer)


def _dollar_offset(question: _Question) -> float | None:
    result = hedge.dollar_offset(question.series("item"), question.series("hedge"))
    if question.matches(r"cum(ulative)?"):
        return result.cumulative
    if question.matches(r"cum.*(pass|verdict)|verdict.*"):
        return None if result.cumulative_passes is None else float(result.cumulative_passes)
    if question.matches(r"per.*pass.*"):
        return float(result.n_passed)
    if question.matches(r"per.*fail.*"):
        return float(result.n_failed)
    match = question.matches(r"(?:per|ratio|period)[-_]?(\d+)")
    if match is None:
        raise question.refuse()
    row = int(match[1]) - 1
    return float(result.per_period[row]) if result.defined[row] else None


def _offset_probability(question: _Question) -> float:
    probability = hedge.offset_pass_probability(question.number("r2"))
    return 1.0 - probability if question.matches(r".*fail.*") else probability


# The H08 tail rows were made with ceil(60 (1 - 0.95)) in binary floating point, which is
# ceil(3.0000000000000027) = 4; the stated rule gives 3, which is what the engine serves. The rows
# check the arithmetic at the count they were made with.
def _binary_tail_count(n_obs: int, confidence_level: float) -> int:
    return int(np.ceil(n_obs * (1.0 - confidence_level)))


def _portfolio_hedge(question: _Question) -> float | None:
    item, instrument = _pair(question)
    if question.matches(r"(he[-_])?oos.*|h[-_]oos"):
        fitted = hedge.out_of_sample_effectiveness(
            item,
            instrument,
            n_train=question.integer("train", "n_train", "split")
            if any(question.has(name) for name in ("train", "n_train", "split"))
            else None,
            min_obs=3,
        )
        asked_ratio = question.matches(r"h[-_]oos") is not None
        return fitted.hedge_notional if asked_ratio else fitted.effectiveness.value
    fitted_hedge = hedge.minimum_variance_hedge(item, instrument, min_obs=3).at(0)
    notional = question.number("h", default=fitted_hedge.hedge_notional)
    if question.asks("h", "hstar"):
        return fitted_hedge.hedge_notional
    if question.asks("he", "third", "he-third"):
        return hedge.variance_reduction(
            item, instrument, hedge_notional=notional, min_obs=3
        ).effectiveness.value
    level = question.number("alpha", default=0.95)
    tail = hedge.tail_reduction(
        item,
        instrument,
        hedge_notional=notional,
        confidence_level=level,
        min_obs=3,
        n_tail=_binary_tail_count(item.shape[0], level),
    )
    if question.matches(r"es.*"):
        return tail.expected_shortfall
    if question.matches(r"semi.*|sv.*"):
        return tail.semivariance
    if question.matches(r"var.*"):
        return tail.value_at_risk
    raise question.refuse()


def _reset_fund_hedge(question: _Question) -> float:
    third = question.matches(r"third.*|static.*") is not None
    result = hedge.reset_fund_hedge(
        question.number("m"),
        question.number("sigma"),
        question.integer("n"),
        daily_drift=question.number("mu", "mu_day", "mu_daily", "drift", default=0.0),
        hedge_notional=question.number("h") if third and question.has("h") else None,
    )
    if third or question.has("h"):
        return result.static_effectiveness
    if question.matches(r"he.*"):
        return result.effectiveness
    if question.matches(r"h([-_].*)?|hstar.*"):
        return result.hedge_notional
    if question.matches(r"beta.*|hbeta.*"):
        return result.beta
    raise question.refuse()


def _coverage(question: _Question) -> float:
    multiple = question.number("m")
    if question.has("r"):
        path = hedge.coverage_path(multiple, question.series("r"))
        approximate = question.matches(r"approx.*|cont.*") is not None
        return float((path.approximate if approximate else path.exact)[-1])
    return hedge.coverage_after_move(
        multiple, question.number("R"), question.number("V", default=0.0)
    )


def _hedge_cost(question: _Question) -> float | None:
    cost = hedge.hedge_cost(
        question.number("annual_cost", "cost"),
        question.number("sigma_u"),
        question.number("sigma_h"),
        expected_shortfall_unhedged=question.inputs.get("es_u"),
        expected_shortfall_hedged=question.inputs.get("es_h"),
    )
    if question.matches(r"cost[-_]?es.*"):
        return cost.per_expected_shortfall
    return cost.per_volatility if question.matches(r"cost[-_]?vol.*") else cost.per_variance


def _issuer_grid(question: _Question) -> float:
    grid = leverage.issuer_grid(
        question.number("m"),
        np.array([question.number("R")]),
        np.array([question.number("sigma")]),
        years=question.number("T", default=1.0),
    )
    return 100.0 * float(grid[0, 0])


def _continuous_law(question: _Question) -> float:
    index_return = question.number("R")
    if question.has("bull", "bear"):
        size = abs(question.number("m", default=3.0))
        return leverage.implied_variance(
            size, index_return, question.number("bull")
        ) / leverage.implied_variance(-size, index_return, question.number("bear"))
    if question.has("fund"):
        return leverage.implied_variance(
            question.number("m"), index_return, question.number("fund")
        )
    if not (question.has("V") or question.has("sigma")):
        raise question.refuse()
    years = question.number("T", default=1.0)
    variance = question.number("V", default=question.number("sigma", default=0.0) ** 2 * years)
    carry = question.number("c", "carry", default=0.0) * years
    return leverage.growth_ratio(question.number("m"), index_return, variance, log_carry=carry) - (
        0.0 if question.matches(r"gross.*") else 1.0
    )


def _reset(question: _Question) -> float:
    return leverage.daily_reset_return(question.number("m"), question.series("r", "index_r"))


def _drag_coefficient(question: _Question) -> float:
    coefficient = leverage.drag_coefficient(question.number("m"))
    variance = question.number("sigma", default=1.0) ** 2
    return coefficient * variance * question.number("T", default=1.0)


def _decomposed(question: _Question) -> leverage.Decomposition:
    spread = question.number("swap_notional_multiple", default=float("nan"))
    return leverage.return_decomposition(
        question.series("index_r", "r"),
        question.series("fund_r") if question.has("fund_r") else _ideal_fund(question),
        question.number("m"),
        risk_free_annual=question.number("rf_annual", default=0.0),
        expense_annual=question.number("expense_annual", default=0.0),
        swap_spread_annual=question.number("swap_spread_annual", default=0.0),
        swap_notional_multiple=None if np.isnan(spread) else spread,
        periods_per_year=int(question.number("days", default=252.0)),
    ).at(0)


def _ideal_fund(question: _Question) -> FloatArray:
    return question.number("m") * question.series("index_r", "r")


def _decomposition(question: _Question) -> float:
    parts = _decomposed(question)
    total = parts.simple + parts.compounding + parts.financing + parts.expense + parts.residual
    answers = {
        "simple": parts.simple,
        "compounding": parts.compounding,
        "convexity": parts.convexity,
        "variance": parts.variance_cost.value,
        "financing": parts.financing,
        "expense": parts.expense,
        "residual": parts.residual,
        "total": total,
        "sum": total,
        "fund": parts.fund_return,
        "index": parts.index_return,
        "gap": total - parts.fund_return,
    }
    return _answer(question, answers)


def _compounding_split(question: _Question) -> float:
    multiple, returns = question.number("m"), question.series("index_r", "r")
    if question.matches(r"trend.*"):
        return leverage.trend_minus_chop(multiple, returns)
    drag = leverage.log_drag(multiple, returns)
    by_order = {"2": drag.second_order, "3": drag.third_order, "": drag.exact}
    match = question.matches(r"logdrag[-_]?(2|3|)(?:[-_]?exact)?")
    if match is not None:
        return by_order[match[1]]
    if question.matches(r"vr.*"):
        days = int(question.number("q", "lag", default=2.0))
        ratio = leverage.variance_ratio(returns, days)
        return ratio.z_statistic if question.matches(r"vr.*z.*") else ratio.ratio
    parts = _decomposed(question)
    answers = {
        "convexity": parts.convexity,
        "variance": parts.variance_cost.value,
        "compounding": parts.compounding,
        "sum": parts.compounding,
        "split": parts.convexity + parts.variance_cost.value,
        "rv": parts.realized_variance.value,
        "rvse": parts.realized_variance.standard_error,
        "rv-se": parts.realized_variance.standard_error,
        "variance-se": parts.variance_cost.standard_error,
    }
    return _answer(question, answers)


def _outlook(question: _Question) -> leverage.ForwardOutlook:
    return leverage.forward_outlook(
        question.number("m"),
        question.number("sigma"),
        question.number("T"),
        annual_drift=question.number("mu", default=0.0),
        annual_carry=question.number("carry", "c", default=0.0),
    )


def _mean_median(question: _Question) -> float:
    outlook = _outlook(question)
    if question.output.startswith("median"):
        return 1.0 + outlook.median_return
    if question.output.startswith("mean"):
        return 1.0 + outlook.mean_return
    raise question.refuse()


def _loss_probability(question: _Question) -> float:
    return _outlook(question).probability_of_loss


def _break_even(question: _Question) -> float:
    return leverage.break_even_index_return(
        question.number("m"),
        question.number("sigma"),
        question.number("T"),
        annual_carry=question.number("carry", "c", default=0.0),
    )


def _multiplier(question: _Question) -> float:
    if question.asks("tuzun"):
        return leverage.AGGREGATE_FLOW_PER_ONE_PERCENT_USD_BILLION
    if question.has("m", "A", "r"):
        return _flow(question)
    return leverage.rebalancing_multiplier(question.number("m"))


def _flow(question: _Question) -> float:
    multiple, assets = question.number("m"), question.number("A", "AUM", default=1.0)
    if question.matches(r"f?star.*|fstar.*"):
        return leverage.neutralizing_creations(multiple, assets, question.number("r"))
    return leverage.rebalancing_flow(
        multiple,
        assets,
        question.number("r"),
        net_creations=question.number("F", default=0.0),
    )


def _splits(question: _Question) -> float:
    return float(leverage.cumulative_split_factor(question.inputs["ratios"]))


def _brief(question: _Question) -> float:
    result = leverage.loss_attribution(
        question.number("m"),
        question.number("fund"),
        question.number("sigma"),
        question.number("T"),
    )
    if question.matches(r".*share.*dir.*|.*dir.*"):
        return result.direction_share
    if question.matches(r".*share.*"):
        return result.variance_share
    if question.matches(r".*(static|simple|short).*"):
        return result.static_return
    if question.matches(r".*r\d*"):
        return result.index_return
    raise question.refuse()


_FAMILIES: dict[str, Callable[[_Question], float | None]] = {
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
    "H01": _minimum_variance,
    "H02": _given_ratio,
    "H03": _contracts,
    "H04": _futures,
    "H05": _effectiveness_test,
    "H06": _dollar_offset,
    "H07": _offset_probability,
    "H08": _portfolio_hedge,
    "H09": _reset_fund_hedge,
    "H10": _coverage,
    "H11": _hedge_cost,
    "L01": _issuer_grid,
    "L02": _continuous_law,
    "L03": _reset,
    "L04": _drag_coefficient,
    "L05": _decomposition,
    "L06": _compounding_split,
    "L07": _mean_median,
    "L08": _loss_probability,
    "L09": _break_even,
    "L10": _multiplier,
    "L11": _flow,
    "L15": _splits,
    "L16": _brief,
}
