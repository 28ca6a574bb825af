"""Answers to the leverage rows (L)."""

from __future__ import annotations

import numpy as np

from analytics.engine import bootstrap, leverage
from analytics.engine.reference.questions import Answers, Question, answer_named
from analytics.engine.types import FloatArray


def _issuer_grid(question: Question) -> float:
    grid = leverage.issuer_grid(
        question.number("m"),
        np.array([question.number("R")]),
        np.array([question.number("sigma")]),
        years=question.number("T", default=1.0),
    )
    return 100.0 * float(grid[0, 0])


def _continuous_law(question: Question) -> float:
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


def _reset(question: Question) -> float:
    return leverage.daily_reset_return(question.number("m"), question.series("r", "index_r"))


def _drag_coefficient(question: Question) -> float:
    coefficient = leverage.drag_coefficient(question.number("m"))
    variance = question.number("sigma", default=1.0) ** 2
    return coefficient * variance * question.number("T", default=1.0)


def _decomposed(question: Question) -> leverage.Decomposition:
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


def _ideal_fund(question: Question) -> FloatArray:
    return question.number("m") * question.series("index_r", "r")


def _decomposition(question: Question) -> float:
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
    return answer_named(question, answers)


def _compounding_split(question: Question) -> float:
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
    return answer_named(question, answers)


def _outlook(question: Question) -> leverage.ForwardOutlook:
    return leverage.forward_outlook(
        question.number("m"),
        question.number("sigma"),
        question.number("T"),
        annual_drift=question.number("mu", default=0.0),
        annual_carry=question.number("carry", "c", default=0.0),
    )


def _mean_median(question: Question) -> float:
    outlook = _outlook(question)
    if question.output.startswith("median"):
        return 1.0 + outlook.median_return
    if question.output.startswith("mean"):
        return 1.0 + outlook.mean_return
    raise question.refuse()


def _loss_probability(question: Question) -> float:
    return _outlook(question).probability_of_loss


def _break_even(question: Question) -> float:
    return leverage.break_even_index_return(
        question.number("m"),
        question.number("sigma"),
        question.number("T"),
        annual_carry=question.number("carry", "c", default=0.0),
    )


def _multiplier(question: Question) -> float:
    if question.asks("tuzun"):
        return leverage.AGGREGATE_FLOW_PER_ONE_PERCENT_USD_BILLION
    if question.has("m", "A", "r"):
        return _flow(question)
    return leverage.rebalancing_multiplier(question.number("m"))


def _flow(question: Question) -> float:
    multiple, assets = question.number("m"), question.number("A", "AUM", default=1.0)
    if question.matches(r"f?star.*|fstar.*") or not question.has_any("A", "AUM", "F"):
        return leverage.neutralizing_creations(multiple, assets, question.number("r"))
    return leverage.rebalancing_flow(
        multiple,
        assets,
        question.number("r"),
        net_creations=question.number("F", default=0.0),
    )


def _flow_pressure(question: Question) -> float:
    if question.has("funds"):
        funds = question.inputs["funds"]
        day = leverage.aggregate_rebalancing(
            np.array([fund["m"] for fund in funds], dtype=np.float64),
            np.array([fund["A"] for fund in funds], dtype=np.float64),
            np.array([question.number("r")]),
            daily_volume=question.number("adv", "ADV"),
            daily_volatility=question.number("sigma_d", default=0.0),
            net_creations=np.array([fund.get("F", 0.0) for fund in funds], dtype=np.float64),
            close_share=question.number("close_share", default=1.0),
            participation=question.number("participation", default=1.0),
            impact_coefficient=question.number("Y", default=1.0),
        )
        answers = {
            "share": day.share_of_volume_adjusted,
            "flow": day.adjusted,
            "gross": day.gross,
            "dtc": day.days_to_cover,
            "days": day.days_to_cover,
            "impact": day.impact,
        }
        name = question.output.partition("-")[0].partition("_")[0]
        if name not in answers:
            raise question.refuse()
        return float(answers[name][0])
    flow, volume = question.number("Q", "D", "flow"), question.number("ADV", "adv")
    if question.matches(r"impact.*"):
        return leverage.square_root_impact(
            flow, volume, question.number("sigma_d", "sigma"), question.number("Y", default=1.0)
        )
    if question.matches(r"(days|dtc).*"):
        participation = question.number("participation", "share", default=1.0)
        return leverage.days_to_cover(flow, volume, participation)
    if question.matches(r"share.*"):
        close_share = question.number("close_share", default=1.0)
        return leverage.share_of_volume(flow, volume, close_share)
    raise question.refuse()


def _slippage(question: Question) -> float:
    return leverage.annual_slippage(
        question.number("L", "m"),
        risk_free_annual=question.number("ffr", "rf"),
        swap_spread_annual=question.number("spread", default=0.0),
        expense_annual=question.number("er", "f", default=0.0),
        swap_factor=question.number("swap", "c", default=1.0),
    )


def _resampling(question: Question) -> float:
    if question.has("p"):
        return bootstrap.mean_block_length(question.number("p"))
    if question.has("block"):
        returns = question.series("r", "index_r")
        n_obs, block = returns.shape[0], question.integer("block")
        starts = np.repeat(np.arange(n_obs)[:, np.newaxis], -(-n_obs // block), axis=1)
        rows = bootstrap.circular_block_rows(n_obs, block, n_obs, starts)
        paths = [leverage.daily_reset_return(question.number("m"), returns[path]) for path in rows]
        return float(np.ptp(paths)) if question.matches(r".*(gap|range).*") else paths[0]
    series = question.series("x", "r")
    if question.inputs.get("transform") == "square":
        series = series**2
    elif question.inputs.get("transform") == "abs":
        series = np.abs(series)
    length = bootstrap.optimal_block_length(series)
    circular = question.matches(r".*(cb|circ).*") or "circular" in question.row.method
    return float(length.circular if circular else length.stationary)


def _splits(question: Question) -> float:
    return float(leverage.cumulative_split_factor(question.inputs["ratios"]))


def _brief(question: Question) -> float:
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
    if question.matches(r"(.*[-_])?r\d*"):
        return result.index_return
    raise question.refuse()


ANSWERS: Answers = {
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
    "L12": _flow_pressure,
    "L13": _slippage,
    "L14": _resampling,
    "L15": _splits,
    "L16": _brief,
}
