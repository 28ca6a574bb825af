"""Semiconductor beta: estimates with errors, and beta seen through funds and options.

One module a method; shared arithmetic is in `analytics.engine.regression`.
"""

from analytics.engine.beta.asynchronous import (
    VENUE_CLOSE_UTC,
    AsynchronousSlopes,
    ClosingLags,
    DimsonBatch,
    DimsonBeta,
    asynchronous_slopes,
    closing_lags,
    dimson_beta,
)
from analytics.engine.beta.ewma import EwmaBatch, EwmaBeta, ewma_beta, ewma_betas
from analytics.engine.beta.horizon import horizon_beta, intraday_multiple, n_day_beta
from analytics.engine.beta.ladder import (
    LADDER_STEPS,
    BetaLadder,
    ExposureCurves,
    beta_ladder,
    ladder_moves,
    linear_curves,
    option_curves,
)
from analytics.engine.beta.look_through import (
    LookThroughBeta,
    fund_exposure,
    look_through_beta,
    option_beta,
    option_exposure,
)
from analytics.engine.beta.ols import BetaBatch, BetaEstimate, semiconductor_beta
from analytics.engine.beta.portfolio import (
    PortfolioBetaError,
    portfolio_beta_standard_error,
    risk_contributions,
)
from analytics.engine.beta.rolling import RollingBeta, rolling_beta
from analytics.engine.beta.scholes_williams import (
    ScholesWilliamsBatch,
    ScholesWilliamsBeta,
    scholes_williams_beta,
)
from analytics.engine.beta.shrinkage import (
    BLUME,
    VENDOR,
    BetaPrior,
    LinearAdjustment,
    ShrunkBeta,
    ShrunkBetas,
    blume_beta,
    peer_prior,
    vasicek_beta,
)
from analytics.engine.beta.state_space import (
    StateSpaceBatch,
    StateSpaceBeta,
    state_space_beta,
)
from analytics.engine.beta.two_factor import (
    TwoFactorBatch,
    TwoFactorEstimate,
    slope_on_orthogonalized,
    two_factor_beta,
)
from analytics.engine.beta.up_down import UpDownBatch, UpDownBeta, up_down_beta, up_down_betas

__all__ = [
    "BLUME",
    "LADDER_STEPS",
    "VENDOR",
    "VENUE_CLOSE_UTC",
    "AsynchronousSlopes",
    "BetaBatch",
    "BetaEstimate",
    "BetaLadder",
    "BetaPrior",
    "ClosingLags",
    "DimsonBatch",
    "DimsonBeta",
    "EwmaBatch",
    "EwmaBeta",
    "ExposureCurves",
    "LinearAdjustment",
    "LookThroughBeta",
    "PortfolioBetaError",
    "RollingBeta",
    "ScholesWilliamsBatch",
    "ScholesWilliamsBeta",
    "ShrunkBeta",
    "ShrunkBetas",
    "StateSpaceBatch",
    "StateSpaceBeta",
    "TwoFactorBatch",
    "TwoFactorEstimate",
    "UpDownBatch",
    "UpDownBeta",
    "asynchronous_slopes",
    "beta_ladder",
    "blume_beta",
    "closing_lags",
    "dimson_beta",
    "ewma_beta",
    "ewma_betas",
    "fund_exposure",
    "horizon_beta",
    "intraday_multiple",
    "ladder_moves",
    "linear_curves",
    "look_through_beta",
    "n_day_beta",
    "option_beta",
    "option_curves",
    "option_exposure",
    "peer_prior",
    "portfolio_beta_standard_error",
    "risk_contributions",
    "rolling_beta",
    "scholes_williams_beta",
    "semiconductor_beta",
    "slope_on_orthogonalized",
    "state_space_beta",
    "two_factor_beta",
    "up_down_beta",
    "up_down_betas",
    "vasicek_beta",
]
