"""Answers to the indicator, concentration, regime and sentiment rows (T, C, R, S)."""

from __future__ import annotations

from functools import cache

import numpy as np

from analytics.engine import concentration, indicators, markov_switching, regime, sentiment
from analytics.engine.reference.public_series import hamilton_gnp
from analytics.engine.reference.questions import Answers, Question, answer_named

# Valences of the words in the published examples of VADER (Hutto and Gilbert 2014, MIT license),
# for checking the rules; not a lexicon.
EXAMPLE_VALENCES = {
    "smart": 1.7,
    "handsome": 2.2,
    "funny": 1.9,
    "good": 1.9,
    "great": 3.1,
    "uncompelling": -0.9,
    "horrible": -2.5,
    "bad": -2.5,
    "sux": -1.5,
    "lol": 1.8,
    "sure": 1.3,
    ":)": 2.0,
    ":d": 2.3,
    "\N{HEART WITH ARROW}": 3.2,
    "\N{KISS MARK}": 1.8,
    "\N{GRINNING FACE WITH SMILING EYES}": 2.0,
}


def _row(question: Question) -> int:
    """Return the row asked for."""
    row = question.index()
    if row is None:
        raise question.refuse()
    return row


def _periods(question: Question, indicator: str, default: float) -> int:
    stated = question.stated(rf"{indicator} ?\((\d+)", default)
    return int(question.number("periods", "n", "N", "period", "window", default=stated))


def _rsi(question: Question) -> float | None:
    return indicators.relative_strength_index(
        question.series("close"), _periods(question, "RSI", 14.0)
    ).at(_row(question))


def _atr(question: Question) -> float | None:
    return indicators.average_true_range(
        question.series("high"),
        question.series("low"),
        question.series("close"),
        _periods(question, "ATR", 14.0),
    ).at(_row(question))


def _bollinger(question: Question) -> float | None:
    bands = indicators.bollinger_bands(
        question.series("close"),
        _periods(question, r"(?:middle|upper|lower|Bollinger)", 20.0),
        width=question.number("k", "width", default=2.0),
    )
    row = _row(question)
    if question.matches(r"(.*[-_])?(mid|mean|sma).*"):
        return bands.middle.at(row)
    if question.matches(r"(.*[-_])?up.*"):
        return bands.upper.at(row)
    if question.matches(r"(.*[-_])?lo.*"):
        return bands.lower.at(row)
    low, high, middle = bands.lower.at(row), bands.upper.at(row), bands.middle.at(row)
    if low is None or high is None or middle is None:
        return None
    answers = {"bb-width": high - low, "bb-bandwidth": (high - low) / middle}
    return answer_named(question, answers)


def _average(question: Question) -> float | None:
    close = question.series("close")
    if question.matches(r".*macd.*"):
        macd = indicators.moving_average_convergence_divergence(
            close,
            int(question.number("fast", default=12.0)),
            int(question.number("slow", default=26.0)),
            int(question.number("signal", default=9.0)),
        )
        line = macd.line
        if question.matches(r".*sig.*"):
            line = macd.signal
        elif question.matches(r".*hist.*"):
            line = macd.histogram
        return line.at(_row(question))
    periods = _periods(question, "[ES]MA", 10.0)
    if question.matches(r"sma.*"):
        return indicators.simple_moving_average(close, periods).at(_row(question))
    if not question.is_last_try and not question.matches(r"ema.*"):
        raise question.refuse()
    seed = str(question.inputs.get("seed", "sma"))
    average = indicators.exponential_moving_average(close, periods, seed=seed)
    return average.at(_row(question))


def _concentration(question: Question) -> float:
    found = concentration.concentration(question.series("w", "weights", "shares"))
    # Shares in percent ask for the index in points.
    points = 10_000.0 if question.has("shares") else 1.0
    if question.matches(r"hhi.*"):
        return points * found.herfindahl
    if question.matches(r"neff.*|n2.*"):
        return found.effective_number
    if question.matches(r"nent.*|n1.*|entropy.*"):
        return found.entropy_number
    if question.matches(r"(top|max|largest).*"):
        return found.largest_share
    raise question.refuse()


def _leadership(question: Question) -> float:
    match = question.matches(r"(?:.*[-_])?top[-_]?(\d+).*")
    named = None if match is None else float(match[1])
    count = int(question.number("k", "top", default=named))
    return concentration.leadership(question.series("contrib", "contributions"), count).share


@cache
def _hamilton() -> markov_switching.SwitchingModel:
    return markov_switching.markov_switching(hamilton_gnp(), order=4, switching="mean")


def _switching(question: Question) -> float:
    if "hamilton" not in str(question.inputs.get("dataset", "")).lower():
        raise question.refuse()
    model = _hamilton()
    deviation = float(model.standard_deviations[0])
    phi = {
        f"{name}{lag + 1}": float(value)
        for lag, value in enumerate(model.autoregression)
        for name in ("phi", "ar", "ar.l", "ar-", "phi-")
    }
    transition = {
        "p00": model.stay_first,
        "p01": 1.0 - model.stay_first,
        "p10": model.leave_second,
        "p11": 1.0 - model.leave_second,
        "dur0": 1.0 / (1.0 - model.stay_first),
        "dur1": 1.0 / model.leave_second,
    }
    moments = {
        "mu0": float(model.means[0]),
        "mu1": float(model.means[1]),
        "sigma": deviation,
        "sigma2": deviation**2,
        "logsigma": float(np.log(deviation)),
        "llf": model.log_likelihood,
    }
    return answer_named(question, {**transition, **moments, **phi})


def _hamilton_filter(question: Question) -> float:
    filtered = regime.hamilton_filter(
        question.series("r"),
        np.array(question.inputs["P"], dtype=np.float64),
        question.series("sigma"),
        means=question.series("mu") if question.has("mu") else None,
        initial=question.series("start", "initial", "pi0")
        if any(question.has(name) for name in ("start", "initial", "pi0"))
        else None,
    )
    if question.matches(r".*(llf|loglik).*"):
        return filtered.log_likelihood
    row = question.integer("i") if question.has("i") else -1
    low = question.matches(r".*(low|calm|p0).*") is not None
    return float(filtered.probabilities[row, 0 if low else -1])


def _vader(question: Question) -> float:
    if question.has("text"):
        words = {**EXAMPLE_VALENCES, **question.inputs.get("valences", {})}
        return sentiment.valence_score(str(question.inputs["text"]), words).compound
    return sentiment.normalized_valence(question.number("sum", "s", "valence"))


def _polarity(question: Question) -> float:
    return sentiment.lexicon_polarity(question.integer("P"), question.integer("N"))


def _classifier(question: Question) -> float:
    neutral = question.number("neu") if question.has("neu") else None
    return sentiment.probability_difference(question.number("pos"), question.number("neg"), neutral)


ANSWERS: Answers = {
    "T01": _rsi,
    "T02": _atr,
    "T03": _bollinger,
    "T04": _average,
    "C01": _concentration,
    "C02": _leadership,
    "R01": _switching,
    "R02": _hamilton_filter,
    "S01": _vader,
    "S02": _polarity,
    "S03": _classifier,
}
