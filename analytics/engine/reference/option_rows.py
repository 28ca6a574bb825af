"""Answers to the option rows (O)."""

from __future__ import annotations

import re

import numpy as np

from analytics.engine.hedge import compare_hedges, standard_hedges
from analytics.engine.options import (
    CALENDAR_DAYS_PER_YEAR,
    OptionTerms,
    event_volatility,
    expected_absolute_move,
    implied_move,
    implied_volatility,
    option_greeks,
    option_price,
    theta_bleed,
)
from analytics.engine.reference.questions import Answers, Question, answer_named

# The option that the rows of sizing and comparison name "the O05 put".
_O05_PUT = OptionTerms(
    spot=250.0, strike=240.0, years=14 / 365, rate=0.043, dividend_yield=0.004, is_call=False
)
_O05_VOLATILITY = 0.48


def _words(question: Question) -> set[str]:
    return set(re.split(r"[-_ ]", question.output))


def _is_call(question: Question) -> bool:
    """Read call or put from the inputs, else from the name, else from the method's text."""
    stated = str(question.inputs.get("type", question.inputs.get("cp", ""))).lower()
    if stated:
        return stated.startswith("c")
    words = _words(question)
    if words & {"p", "put"}:
        return False
    if words & {"c", "call"}:
        return True
    text = question.row.method.lower()
    if question.family == "O05":
        return False
    return re.search(r"\b(put|p)\b", text) is None or re.search(r"\bcall\b", text) is not None


def _terms(question: Question, *, is_call: bool, strike: float | None = None) -> OptionTerms:
    return OptionTerms(
        spot=question.number("S", "spot"),
        strike=question.number("K", "strike") if strike is None else strike,
        years=question.number("T", "years"),
        rate=question.number("r", "rate"),
        dividend_yield=question.number("q", default=0.0),
        is_call=is_call,
    )


def _option(question: Question) -> float:
    """Price or sensitivity of the option in the inputs."""
    if question.has("theta_year"):
        return question.number("theta_year") / CALENDAR_DAYS_PER_YEAR
    words = _words(question)
    if words & {"parity", "gap"}:
        return _parity_gap(question)
    terms = _terms(question, is_call=_is_call(question))
    sigma = question.number("sigma", "vol")
    bleed = question.matches(r".*bleed[-_]?(\d*).*")
    if bleed is not None:
        days = question.number("days", "dt", "d", default=float(bleed[1] or 0))
        days = days * CALENDAR_DAYS_PER_YEAR if 0 < days < 1 else days
        lost = theta_bleed(terms, sigma, days)
        return lost.by_theta if words & {"lin", "linear", "theta"} else lost.by_repricing
    greeks = option_greeks(terms, sigma)
    if "theta" in words and words & {"day", "d", "daily"}:
        return greeks.theta_per_day
    if words & {"vega", "rho"} and words & {"point", "pct", "1pct", "pt"}:
        return (greeks.vega if "vega" in words else greeks.rho) / 100.0
    named = {
        "delta": greeks.delta,
        "gamma": greeks.gamma,
        "vega": greeks.vega,
        "theta": greeks.theta,
        "rho": greeks.rho,
        "phi": greeks.dividend_rho,
        "psi": greeks.dividend_rho,
        "vanna": greeks.vanna,
        "volga": greeks.volga,
        "vomma": greeks.volga,
        "charm": greeks.charm,
        "veta": greeks.veta,
        "speed": greeks.speed,
        "zomma": greeks.zomma,
        "color": greeks.color,
        "colour": greeks.color,
    }
    asked = words & named.keys()
    if len(asked) == 1:
        return named[asked.pop()]
    d2_words = words & {"itm", "pitm", "nd2", "prob"}
    if d2_words:
        return greeks.exercise_probability
    return question.otherwise(greeks.price, "price", "c", "p", "call", "put", "value")


def _parity_gap(question: Question) -> float:
    sigma = question.number("sigma", "vol")
    call, put = (_terms(question, is_call=side) for side in (True, False))
    gap = option_price(call, sigma) - option_price(put, sigma)
    return gap - (call.discounted_spot - call.discounted_strike)


def _implied_move(question: Question) -> float:
    if question.matches(r"bs.*|brenner.*|approx.*") or not question.has("S"):
        size = expected_absolute_move(question.number("sigma", "vol"), question.number("T"))
        return size if not question.matches(r".*sd.*|.*1s.*") else size * float(np.sqrt(np.pi / 2))
    strike = question.number("K", "S")
    sigma = question.number("sigma", "vol")
    call, put = (
        option_price(_terms(question, is_call=side, strike=strike), sigma) for side in (True, False)
    )
    move = implied_move(call, put, question.number("S"))
    if question.matches(r".*sd.*|.*1s.*"):
        return move.standard_deviation
    if question.matches(r".*(gap|diff).*"):
        return move.expected_absolute - expected_absolute_move(sigma, question.number("T"))
    return question.otherwise(move.expected_absolute, "straddle", "move")


def _event(question: Question) -> float:
    found = event_volatility(
        question.number("sigma_front", "s1"),
        question.number("T_front", "T1"),
        question.number("sigma_back", "s2"),
        question.number("T_back", "T2"),
        event_days=question.number("event_days", "days", default=1.0),
    )
    if question.matches(r".*base.*|.*fwd.*|.*forward.*"):
        return found.base_volatility
    if question.matches(r".*(annual|ann).*"):
        return found.event_day_volatility
    if question.matches(r".*var.*"):
        return found.event_variance
    return found.event_move


def _implied(question: Question) -> float:
    terms = _terms(question, is_call=_is_call(question))
    return implied_volatility(terms, question.number("price", "c", "p", "quote"))


def _sizing(question: Question) -> float:
    notional = question.number("notional")
    if question.has("m"):
        return -notional / question.number("m")
    multiplier = question.number("mult", default=100.0)
    delta = question.number("delta")
    contracts = notional / (question.number("S", "spot") * abs(delta) * multiplier)
    price = question.number("price", default=option_price(_O05_PUT, _O05_VOLATILITY))
    answers = {
        "nput": contracts,
        "n": contracts,
        "ncall": contracts,
        "contracts": contracts,
        "premium": contracts * multiplier * price,
        "premium-pct": contracts * multiplier * price / notional,
    }
    return answer_named(question, answers)


def _comparison(question: Question) -> float:
    spot, sigma = _O05_PUT.spot, _O05_VOLATILITY
    instruments = {
        hedge.name: hedge
        for hedge in standard_hedges(
            spot,
            sigma,
            _O05_PUT.years,
            rate=_O05_PUT.rate,
            dividend_yield=_O05_PUT.dividend_yield,
            put_strike=_O05_PUT.strike / spot,
        )
    }
    name = str(question.inputs["instrument"]).lower()
    name = {"soxs": "bear3x", "inverse": "bear1x", "-1x": "bear1x", "-3x": "bear3x"}.get(name, name)
    # A spread or a collar of the rows would state its other strike; the two of ours are no answer.
    if name not in {"short", "bear1x", "bear3x", "put"}:
        raise question.refuse()
    found = compare_hedges(
        [instruments[name]],
        notional=question.number("notional", default=1e6),
        annual_volatility=sigma,
        moves=[question.number("R")],
        horizons=[question.integer("days", "n")],
        volatility_shock=question.number("vol_shock", "dvol", default=0.0),
    )
    hedge = found.hedges[0]
    if _words(question) & {"coverage", "cov"}:
        return float(hedge.coverage[0, 0, 0])
    return float(hedge.profit[0, 0, 0])


ANSWERS: Answers = {
    "O01": _option,
    "O02": _option,
    "O03": _option,
    "O04": _option,
    "O05": _option,
    "O06": _implied_move,
    "O07": _event,
    "O08": _implied,
    "O09": _sizing,
    "O10": _comparison,
}
