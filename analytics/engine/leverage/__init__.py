"""Daily-reset leveraged funds: where the return came from, what lies ahead, what the reset trades.

A return effect keeps its sign: a gain is positive and a cost negative.
"""

from analytics.engine.leverage.decomposition import (
    Decomposition,
    DecompositionBatch,
    LogDrag,
    log_drag,
    return_decomposition,
    trend_minus_chop,
)
from analytics.engine.leverage.flows import (
    AGGREGATE_FLOW_PER_ONE_PERCENT_USD_BILLION,
    neutralizing_creations,
    rebalancing_flow,
    rebalancing_multiplier,
)
from analytics.engine.leverage.laws import (
    LossAttribution,
    break_even_index_return,
    daily_reset_return,
    drag_coefficient,
    growth_ratio,
    implied_variance,
    issuer_grid,
    loss_attribution,
)
from analytics.engine.leverage.outlook import ForwardOutlook, forward_outlook
from analytics.engine.leverage.realized_variance import RealizedVariance, realized_variance
from analytics.engine.leverage.synthetic import cumulative_split_factor
from analytics.engine.leverage.variance_ratio import VarianceRatio, variance_ratio

__all__ = [
    "AGGREGATE_FLOW_PER_ONE_PERCENT_USD_BILLION",
    "Decomposition",
    "DecompositionBatch",
    "ForwardOutlook",
    "LogDrag",
    "LossAttribution",
    "RealizedVariance",
    "VarianceRatio",
    "break_even_index_return",
    "cumulative_split_factor",
    "daily_reset_return",
    "drag_coefficient",
    "forward_outlook",
    "growth_ratio",
    "implied_variance",
    "issuer_grid",
    "log_drag",
    "loss_attribution",
    "neutralizing_creations",
    "realized_variance",
    "rebalancing_flow",
    "rebalancing_multiplier",
    "return_decomposition",
    "trend_minus_chop",
    "variance_ratio",
]
