"""The first results as a table for people: headline figures with unit, error, sample and status."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

_COLUMNS = ("Analysis", "Figure", "Value ± std. error", "Unit", "Sample", "Status")

#: Where the headline figures of each analysis are in its result, and what they are called here.
_HEADLINES: Mapping[str, Mapping[str, str]] = {
    "semiconductor-beta": {
        "beta_nav": "beta, leverage looked through",
        "beta_ignoring_leverage": "beta, leverage ignored",
        "two_factor.beta_market": "two-factor market beta",
        "two_factor.beta_semiconductors": "two-factor semiconductor beta",
        "usd_per_1pct_index": "P&L per +1% of the index",
        "nav": "net asset value",
    },
    "hedge-effectiveness": {
        "regression.slope": "regression slope",
        "regression.r2_estimate": "regression R squared",
        "variance_reduction": "variance removed",
        "minimum_variance_hedge.hedge_ratio": "minimum-variance hedge ratio",
        "dollar_offset.cumulative": "cumulative dollar offset",
        "coverage_now": "coverage of the hedge now",
        "verdict": "verdict",
    },
    "leveraged-drag": {
        "index_return": "return of the index",
        "fund_return": "return of the fund",
        "decomposition.simple": "  multiple x index",
        "decomposition.convexity": "  convexity",
        "decomposition.variance_cost": "  variance cost",
        "decomposition.financing": "  financing",
        "decomposition.expense": "  expense",
        "decomposition.residual": "  residual",
        "realized_volatility": "realized volatility of index",
        "forward.median": "median return ahead, no drift",
        "forward.p_loss": "probability of a loss ahead",
    },
}


def results_table(runs: Sequence[Mapping[str, Any]], title: str) -> Table:
    """The headline figures of each unit; a unit without any shows its reason."""
    table = Table(title=title, title_justify="left")
    for column in _COLUMNS:
        table.add_column(
            column, justify="right" if column.startswith("Value") else "left", overflow="fold"
        )
    for run in runs:
        for row in _rows_of_run(run):
            table.add_row(*row)
        table.add_section()
    return table


def _rows_of_run(run: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    kind = str(run.get("kind", ""))
    units: Mapping[str, Mapping[str, Any]] = run.get("units") or {}
    if not units:
        yield (kind, _reason(run), "", "", "", str(run.get("status", "")))
    for name, unit in units.items():
        label = kind if len(units) == 1 else f"{kind}, {name}"
        status = str(unit.get("status", ""))
        result = unit.get("result")
        if not result:
            yield (label, _reason(unit), "", "", "", status)
            continue
        for path, figure in _HEADLINES.get(kind, {}).items():
            number = _look_up(result, path)
            if number is not None:
                yield (label, figure, *_cells(number), str(number.get("status", status)))
                label = ""


def _reason(answer: Mapping[str, Any]) -> str:
    problem = answer.get("problem") or {}
    return str(problem.get("detail") or problem.get("title") or "")


def _look_up(result: Mapping[str, Any], path: str) -> Mapping[str, Any] | None:
    """The number at a dotted path, None where this result has none. A bare float is a ratio."""
    found: Any = result
    for name in path.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    if isinstance(found, Mapping):
        return found
    sample = result.get("sample") or {}
    return {**sample, "value": found, "unit": "" if isinstance(found, str) else "1"}


def _cells(number: Mapping[str, Any]) -> tuple[str, str, str]:
    value, error, interval = number.get("value"), number.get("se"), number.get("ci95")
    if value is None:
        shown = str(number.get("reason") or "")
    else:
        shown = f"{value:.4f}" if isinstance(value, float) else str(value)
        if isinstance(error, float):
            shown += f" ± {error:.4f}"
        elif interval and None not in interval:
            shown += f" [{interval[0]:.4f}, {interval[1]:.4f}]"
    sample = ""
    if number.get("n_obs") is not None:
        sample = f"{number['n_obs']} obs"
        if number.get("first") and number.get("last"):
            sample += f" {number['first']}/{number['last']}"
    return shown, str(number.get("unit", "")), sample
