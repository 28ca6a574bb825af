"""What an option of a book is worth, and its delta."""

from __future__ import annotations

from datetime import date

import numpy as np

from analytics.calculations.books import Book, Holding, expose, note_age
from analytics.calculations.facts import Option, Quote
from analytics.calculations.market import QUOTE_MAX_AGE, Market
from analytics.calculations.outputs import Json, Unanswerable, warning
from analytics.engine.errors import EngineError
from analytics.engine.leverage import realized_variance
from analytics.engine.options import OptionTerms as EngineOption
from analytics.engine.options import implied_volatility, option_delta, option_price
from analytics.models import Result

_VOLATILITY_SESSIONS = 63


def value_option(market: Market, book: Book, holding: Holding, rate: float, *, since: date) -> None:
    option, quote = _contract(market, book, holding, since)
    holding.option = option
    symbol = holding.instrument.symbol
    shares = holding.quantity * option.multiplier
    if option.expiry < market.as_of:
        book.warnings.append(
            warning("expired-option", f"{symbol} expired on {option.expiry} and counts as nothing")
        )
        return
    last = market.last_close(option.underlying_id)
    if last is None:
        book.refusal = book.refusal or Unanswerable(
            Result.Status.ERROR,
            "missing-price",
            f"the underlying of {symbol} has no price on or before {market.as_of}.",
            instruments=[{"id": holding.public_id, "symbol": symbol}],
        )
        return
    spot, session, age = last
    note_age(book, market.instrument(option.underlying_id), session, age)
    sign = 1.0 if option.is_call else -1.0
    if option.expiry == market.as_of:
        per_share = max(sign * (spot - option.strike), 0.0)
        holding.delta = sign if per_share > 0 else 0.0
    else:
        quoted_spot = _spot_of_quotes(market, book, option)
        if quoted_spot is not None and market.chains[option.underlying_id].day == market.as_of:
            spot = quoted_spot
        holding.dividend_yield = market.dividend_yield(option.underlying_id)
        per_share, holding.delta, holding.volatility, notes = _option_price_and_delta(
            market, holding, quote, spot, quoted_spot
        )
        holding.spot = spot
        book.warnings.extend(notes)
    holding.value = shares * per_share * rate
    expose(market, book, holding, option.underlying_id, shares * holding.delta * spot * rate)


def _contract(
    market: Market, book: Book, holding: Holding, since: date
) -> tuple[Option, Quote | None]:
    """Terms and last quote of an option in shares of the date.

    Both were written down before a split that came after the quote, or where there is no quote
    after the positions and the terms.
    """
    pk, instrument = holding.instrument.pk, holding.instrument
    option, quote = market.options[pk], market.quotes.get(pk)
    factor = market.split_factor(
        option.underlying_id, quote.day if quote else min(since, option.known_on)
    )
    if factor == 1.0:
        return option, quote
    option, quote = option.after_split(factor), quote.after_split(factor) if quote else None
    book.warnings.append(
        warning(
            "option-adjusted-for-split",
            f"the underlying of {instrument.symbol} split {factor:g} for 1 after its terms were"
            f" quoted; the strike is {option.strike:g} and a contract {option.multiplier:g} shares",
            instrument=instrument.public_id,
        )
    )
    return option, quote


def _spot_of_quotes(market: Market, book: Book, option: Option) -> float | None:
    """The spot implied by parity where the one stated beside the quotes does not fit them."""
    parity = market.parity_spot(option.underlying_id)
    if parity is None or parity.in_step is not False or parity.stated_spot is None:
        return None
    symbol = market.instrument(option.underlying_id).symbol
    note = warning(
        "quotes-out-of-step",
        f"the price of {symbol} stated beside its options, {parity.stated_spot:g}, does not fit"
        f" them; they are valued at {parity.spot:.4f}, at which puts and calls agree",
        instrument=market.instrument(option.underlying_id).public_id,
        stated=parity.stated_spot,
        implied=parity.spot,
        quoted_on=market.chains[option.underlying_id].day.isoformat(),
    )
    if note not in book.warnings:
        book.warnings.append(note)
    return parity.spot


def _option_price_and_delta(
    market: Market,
    holding: Holding,
    quote: Quote | None,
    spot: float,
    quoted_spot: float | None,
) -> tuple[float, float, float, list[Json]]:
    """Price per share, delta, volatility, and what had to stand in for a quote.

    `quoted_spot` is given where the price stated beside the quotes is out of step with them; a
    volatility that was computed from it is then not used.

    Volatility is the quoted one, else the one implied by the quoted price, else the underlying's
    realized volatility.
    """
    rates = market.short_rate_on(np.array([market.as_of], dtype="datetime64[D]"))
    instrument, option = holding.instrument, holding.option
    assert option is not None  # noqa: S101  # set by the caller
    notes: list[Json] = []

    def contract(underlying_price: float) -> EngineOption:
        return EngineOption(
            spot=underlying_price,
            strike=option.strike,
            years=(option.expiry - market.as_of).days / 365.0,
            rate=float(rates[0]) if rates is not None else 0.0,
            dividend_yield=holding.dividend_yield or 0.0,
            is_call=option.is_call,
        )

    quoted = quote.price if quote else None
    volatility = quote.implied_volatility if quote else None
    if quoted_spot is not None and quoted is not None:
        volatility = None
    if volatility is None and quoted is not None:
        beside = quoted_spot or (quote.underlying_price if quote else None) or spot
        try:
            volatility = implied_volatility(contract(beside), quoted)
        except EngineError as error:
            notes.append(
                warning(
                    "quote-not-used",
                    f"{instrument.symbol}: {error.message}",
                    instrument=instrument.public_id,
                )
            )
    if not volatility:
        volatility = _realized_volatility(market, option.underlying_id)
        notes.append(
            warning(
                "realized-volatility",
                f"{instrument.symbol} has no usable quote; its delta uses the underlying's"
                f" realized volatility of {volatility:.1%}",
                instrument=instrument.public_id,
            )
        )
    if quoted is None:
        own = market.last_close(instrument.pk)
        quoted = own[0] if own and own[2] <= QUOTE_MAX_AGE.days else None
    if quoted is None:
        quoted = option_price(contract(spot), volatility)
        notes.append(
            warning(
                "model-price",
                f"{instrument.symbol} has no quoted price; its value is the Black-Scholes one",
                instrument=instrument.public_id,
            )
        )
    return quoted, option_delta(contract(spot), volatility), volatility, notes


def _realized_volatility(market: Market, underlying_id: int) -> float:
    series = market.series(underlying_id)
    if series is None:
        underlying = market.instrument(underlying_id)
        raise Unanswerable(
            Result.Status.ERROR,
            "missing-price",
            f"the underlying {underlying.symbol} of an option has no price history",
            instruments=[{"id": underlying.public_id, "symbol": underlying.symbol}],
        )
    panel = market.panel([series], market.rows(series, _VOLATILITY_SESSIONS))
    returns = panel.returns[:, 0]
    return realized_variance(returns[~np.isnan(returns)]).annual_volatility.value
