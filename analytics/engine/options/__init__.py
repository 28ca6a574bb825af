"""European options: prices, sensitivities, implied volatility, implied moves and chains.

Rates, yields and volatilities are decimals a year, time is actual days over 365, and every value is
per share of the underlying. Listed options are American: `early_exercise_bound` says by how much
that may matter.
"""

from analytics.engine.options.chain import ParitySpot, parity_implied_spot
from analytics.engine.options.greeks import (
    Greeks,
    GreeksBatch,
    greeks_batch,
    option_delta,
    option_greeks,
)
from analytics.engine.options.implied import (
    ImpliedVolatilityBatch,
    implied_volatilities,
    implied_volatility,
)
from analytics.engine.options.moves import (
    EventVolatility,
    ImpliedMove,
    ThetaBleed,
    event_volatility,
    expected_absolute_move,
    implied_move,
    theta_bleed,
)
from analytics.engine.options.pricing import (
    CALENDAR_DAYS_PER_YEAR,
    OptionBatch,
    OptionTerms,
    early_exercise_bound,
    option_batch,
    option_price,
    option_prices,
)

__all__ = [
    "CALENDAR_DAYS_PER_YEAR",
    "EventVolatility",
    "Greeks",
    "GreeksBatch",
    "ImpliedMove",
    "ImpliedVolatilityBatch",
    "OptionBatch",
    "OptionTerms",
    "ParitySpot",
    "ThetaBleed",
    "early_exercise_bound",
    "event_volatility",
    "expected_absolute_move",
    "greeks_batch",
    "implied_move",
    "implied_volatilities",
    "implied_volatility",
    "option_batch",
    "option_delta",
    "option_greeks",
    "option_price",
    "option_prices",
    "parity_implied_spot",
    "theta_bleed",
]
