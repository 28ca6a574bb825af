"""Semiconductor beta: estimates with errors, and beta seen through funds and options.

One module a method; shared arithmetic is in `analytics.engine.regression`.
"""

from analytics.engine.beta.ewma import EwmaBeta, ewma_beta
from analytics.engine.beta.horizon import horizon_beta, intraday_multiple
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
    "BetaBatch",
    "BetaEstimate",
    "EwmaBeta",
    "LookThroughBeta",
    "PortfolioBetaError",
    "RollingBeta",
    "StateSpaceBatch",
    "StateSpaceBeta",
    "TwoFactorBatch",
    "TwoFactorEstimate",
    "UpDownBatch",
    "UpDownBeta",
    "ewma_beta",
    "fund_exposure",
    "horizon_beta",
    "intraday_multiple",
    "look_through_beta",
    "option_beta",
    "option_exposure",
    "portfolio_beta_standard_error",
    "risk_contributions",
    "rolling_beta",
    "semiconductor_beta",
    "slope_on_orthogonalized",
    "state_space_beta",
    "two_factor_beta",
    "up_down_beta",
    "up_down_betas",
]
