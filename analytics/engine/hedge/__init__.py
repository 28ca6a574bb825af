"""Hedge effectiveness: ratios, reductions, tests, horizons of reset funds, coverage and cost.

One sign for holdings throughout: `hedge_notional` is the signed holding of the hedging instrument
per unit of the hedged item, so the hedged return is ``item + hedge_notional * hedge`` and a long
position in an inverse fund is positive. `hedge_ratio` is cov/var, the short sale of the instrument
that minimizes variance, so ``hedge_notional = -hedge_ratio``.
"""

from analytics.engine.hedge.bands import (
    Band,
    HorizonBand,
    horizon_bands,
)
from analytics.engine.hedge.comparison import (
    COMPARISON_HORIZONS,
    COMPARISON_MOVES,
    ComparedHedge,
    HedgeComparison,
    HedgeInstrument,
    IndexPath,
    compare_hedges,
    sized_legs,
    standard_hedges,
)
from analytics.engine.hedge.contracts import hedge_contracts, index_futures_contracts
from analytics.engine.hedge.cost import AnnualCost, HedgeCost, cost_per_shortfall, hedge_cost
from analytics.engine.hedge.coverage import (
    CoverageBand,
    CoveragePath,
    TradeBackPoints,
    coverage_after_move,
    coverage_band,
    coverage_path,
    trade_back_points,
)
from analytics.engine.hedge.effectiveness_test import (
    RegressionTest,
    RegressionTestBatch,
    regression_test,
    regression_tests,
)
from analytics.engine.hedge.horizon import (
    HORIZONS,
    BlockHedge,
    ResetFundHedge,
    horizon_blocks,
    reset_fund_hedge,
)
from analytics.engine.hedge.minimum_variance import (
    HedgeBatch,
    HedgeEstimate,
    minimum_variance_hedge,
)
from analytics.engine.hedge.offset import DollarOffset, dollar_offset, offset_pass_probability
from analytics.engine.hedge.policy import DEFAULT_POLICY, EffectivenessPolicy, combined_verdict
from analytics.engine.hedge.reduction import (
    VarianceReduction,
    VarianceReductionBatch,
    out_of_sample_effectiveness,
    variance_reduction,
    variance_reductions,
)
from analytics.engine.hedge.tail_intervals import TailIntervals, tail_reduction_intervals
from analytics.engine.hedge.tails import (
    TailReduction,
    TailReductionBatch,
    tail_count,
    tail_reduction,
    tail_reductions,
)

__all__ = [
    "COMPARISON_HORIZONS",
    "COMPARISON_MOVES",
    "DEFAULT_POLICY",
    "HORIZONS",
    "AnnualCost",
    "Band",
    "BlockHedge",
    "ComparedHedge",
    "CoverageBand",
    "CoveragePath",
    "DollarOffset",
    "EffectivenessPolicy",
    "HedgeBatch",
    "HedgeComparison",
    "HedgeCost",
    "HedgeEstimate",
    "HedgeInstrument",
    "HorizonBand",
    "IndexPath",
    "RegressionTest",
    "RegressionTestBatch",
    "ResetFundHedge",
    "TailIntervals",
    "TailReduction",
    "TailReductionBatch",
    "TradeBackPoints",
    "VarianceReduction",
    "VarianceReductionBatch",
    "combined_verdict",
    "compare_hedges",
    "cost_per_shortfall",
    "coverage_after_move",
    "coverage_band",
    "coverage_path",
    "dollar_offset",
    "hedge_contracts",
    "hedge_cost",
    "horizon_bands",
    "horizon_blocks",
    "index_futures_contracts",
    "minimum_variance_hedge",
    "offset_pass_probability",
    "out_of_sample_effectiveness",
    "regression_test",
    "regression_tests",
    "reset_fund_hedge",
    "sized_legs",
    "standard_hedges",
    "tail_count",
    "tail_reduction",
    "tail_reduction_intervals",
    "tail_reductions",
    "trade_back_points",
    "variance_reduction",
    "variance_reductions",
]
