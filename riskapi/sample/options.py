"""Option chains of the synthetic market.

Black-Scholes values without dividends (Black and Scholes 1973, eq. 13), at the model's volatility
with a skew, between a bid and an ask; what the file states is what a reader recomputes.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from scipy.special import ndtr

from riskapi.sample.market import FUND

COLUMNS = (
    "contract,expiration,side,strike,bid,ask,last,volume,open_interest,iv,delta,gamma,theta,vega"
)


def third_friday(year: int, month: int) -> date:
    """The expiry of a month's listed options."""
    first = date(year, month, 1)
    return first + timedelta(days=(4 - first.weekday()) % 7 + 14)


def expiries(session: date) -> list[date]:
    """Monthly expiries a week to half a year ahead."""
    months = [divmod(session.month - 1 + ahead, 12) for ahead in range(7)]
    fridays = [third_friday(session.year + years, month + 1) for years, month in months]
    return [friday for friday in fridays if (friday - session).days >= 7]


def contract(underlying: str, expiry: date, side: str, strike: float) -> str:
    """The symbol of the Options Clearing Corporation, without its padding."""
    return f"{underlying}{expiry:%y%m%d}{side[0].upper()}{round(strike * 1000):08d}"


def strikes(spot: float) -> list[float]:
    """From 70 % to 130 % of the spot in round steps of about 5 %."""
    step = max(round(spot * 0.05 / 5) * 5, 1)
    lowest = round(0.7 * spot / step)
    return [float(step * k) for k in range(lowest, round(1.3 * spot / step) + 1)]


def chain(
    spot: float, session: date, volatility: float, rate: float, underlying: str = FUND
) -> list[str]:
    """Lines of all quotes, calls and puts, at one close."""
    rows = []
    for expiry in expiries(session):
        years = (expiry - session).days / 365
        for strike in strikes(spot):
            moneyness = np.log(strike / spot)
            iv = round(volatility * (1 - 0.35 * moneyness + 0.5 * moneyness**2), 4)
            for side in ("call", "put"):
                values = _quote(side, spot=spot, strike=strike, years=years, iv=iv, rate=rate)
                symbol = contract(underlying, expiry, side, strike)
                rows.append(f"{symbol},{expiry},{side},{strike},{values}")
    return rows


def _quote(side: str, *, spot: float, strike: float, years: float, iv: float, rate: float) -> str:
    """From the bid to the vega; theta is of a day, vega of a volatility point."""
    sign = 1 if side == "call" else -1
    deviation = iv * np.sqrt(years)
    d1 = (np.log(spot / strike) + (rate + iv**2 / 2) * years) / deviation
    exercised = ndtr(sign * (d1 - deviation))
    delta = sign * ndtr(sign * d1)
    present = strike * np.exp(-rate * years)
    value = spot * delta - sign * present * exercised
    density = np.exp(-(d1**2) / 2) / np.sqrt(2 * np.pi)
    gamma = density / (spot * deviation)
    theta = -(spot * density * iv / (2 * np.sqrt(years)) + sign * rate * present * exercised) / 365
    vega = spot * density * np.sqrt(years) / 100
    half = max(0.05, 0.01 * value)
    bid = max(np.floor((value - half) * 20) / 20, 0.0)
    ask = np.ceil((value + half) * 20) / 20
    interest = round(4000 * density)
    return (
        f"{bid:.2f},{ask:.2f},{value:.2f},{interest // 8},{interest},"
        f"{iv},{delta:.4f},{gamma:.4f},{theta:.4f},{vega:.4f}"
    )
