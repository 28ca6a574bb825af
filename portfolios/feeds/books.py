"""Checks of the tables that only clients send: positions, exchange rates, corporate actions."""

import re
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from portfolios.feeds.hints import FeedHints
from portfolios.feeds.ledger import Ledger
from portfolios.feeds.sessions import is_session

MAX_JUMP = 0.4  # from one rate to the next; a currency that really does this needs a word
MAX_SPLIT_FACTOR = 1000.0
MAX_SHARES = 10**12  # of an exact split ratio
MAX_NAME = 40
MAX_TAGS, MAX_TAG = 20, 40
_CURRENCY = re.compile(r"^[A-Z]{3}\Z")
ACTION_KINDS = {
    **dict.fromkeys(("split", "forward split", "reverse split", "forward", "reverse"), "split"),
    **dict.fromkeys(("distribution", "dividend", "cash dividend", "cash"), "distribution"),
}


def check_positions(ledger: Ledger, hints: FeedHints) -> None:
    """Names that can be looked up, sessions that have been, tags of the API's form."""
    _check_names(ledger, "instrument")
    _check_names(ledger, "portfolio")
    if "as_of" in ledger.days:
        days = ledger.days["as_of"]
        _reject_future(ledger, "as_of", hints)
        known = ~np.isnat(days)
        closed = known & ~is_session(np.where(known, days, np.datetime64("2024-01-02")), "XNYS")
        ledger.reject_where(closed, "not-a-session", "the exchange was closed", "as_of")
    for i, cell in enumerate(ledger.text["tags"].to_pylist()):
        tags = tags_of(cell)
        if ledger.kept[i] and (len(tags) > MAX_TAGS or any(len(tag) > MAX_TAG for tag in tags)):
            message = f"at most {MAX_TAGS} tags of {MAX_TAG} characters, separated by semicolons"
            ledger.reject(i, "bad-tags", message, column="tags")


def tags_of(cell: str | None) -> list[str]:
    """The tags of a cell, separated by semicolons."""
    return [tag for part in (cell or "").split(";") if (tag := part.strip())]


def check_fx_rates(ledger: Ledger, hints: FeedHints) -> None:
    """Two currencies, a rate above zero, and no step that no currency makes."""
    base, quote = ledger.text["base"].to_pylist(), ledger.text["quote"].to_pylist()
    for i in np.flatnonzero(ledger.kept).tolist():
        for name, code in (("base", base[i]), ("quote", quote[i])):
            if ledger.kept[i] and not _CURRENCY.match(code or ""):
                message = "a currency by its three capital letters, as USD"
                ledger.reject(i, "bad-currency", message, column=name)
        if ledger.kept[i] and base[i] == quote[i]:
            ledger.reject(i, "bad-currency", "a rate is between two currencies", column="quote")
    rate = ledger.values["rate"]
    with np.errstate(invalid="ignore"):
        ledger.reject_where(rate <= 0, "non-positive", "a rate must be positive", "rate")
    _reject_future(ledger, "date", hints)
    pairs = np.array([f"{b}{q}" for b, q in zip(base, quote, strict=True)], dtype=str)
    order = np.lexsort((ledger.days["date"], pairs))
    order = order[ledger.kept[order]]
    for i in _out_of_line(pairs[order], rate[order]):
        row = int(order[i])
        if ledger.kept[row]:
            message = "more than 40 % off the rates before and after: inverted, or of another scale"
            ledger.reject(row, "implausible-jump", message, column="rate")


def _out_of_line(pairs: NDArray[np.str_], rates: NDArray[np.float64]) -> list[int]:
    """Rates that leave both neighbors of their pair by more than `MAX_JUMP`, or the only one."""
    if len(rates) < 2:
        return []
    limit = np.log1p(MAX_JUMP)
    jumps = (np.abs(np.diff(np.log(rates))) > limit) & (pairs[1:] == pairs[:-1])
    first = np.concatenate(([True], pairs[1:] != pairs[:-1]))
    last = np.concatenate((pairs[1:] != pairs[:-1], [True]))
    from_before = np.concatenate(([False], jumps)) | first
    to_after = np.concatenate((jumps, [False])) | last
    return np.flatnonzero(from_before & to_after & ~(first & last)).tolist()


def check_corporate_actions(ledger: Ledger, _hints: FeedHints) -> None:
    """A split has its exact ratio, a distribution its amount, and neither has the other's."""
    _check_names(ledger, "instrument")
    kinds = [ACTION_KINDS.get((k or "").strip().lower()) for k in ledger.text["kind"].to_pylist()]
    new, old, amount = (ledger.values[n] for n in ("new_shares", "old_shares", "amount"))
    texts = {n: ledger.text[n].to_pylist() for n in ("new_shares", "old_shares")}
    for i in np.flatnonzero(ledger.kept).tolist():
        is_split = kinds[i] == "split"
        has_ratio = np.isfinite([new[i], old[i]])
        if kinds[i] is None:
            ledger.reject(i, "bad-kind", "neither split nor distribution", column="kind")
        elif is_split and (not has_ratio.all() or np.isfinite(amount[i])):
            message = "a split has new_shares and old_shares, and no amount"
            ledger.reject(i, "bad-action", message, column="new_shares")
        elif is_split and not is_exact_ratio(texts["new_shares"][i], texts["old_shares"][i]):
            message = f"a ratio above zero, not 1, at most 1000, of shares up to {MAX_SHARES:,}"
            ledger.reject(i, "bad-ratio", message, column="new_shares")
        elif not is_split and (has_ratio.any() or not amount[i] > 0):
            message = "a distribution has an amount above zero, and no shares"
            ledger.reject(i, "bad-action", message, column="amount")


def is_exact_ratio(new: str, old: str) -> bool:
    """Whether shares for shares can be kept exactly and could be a split."""
    shares, before = Fraction(new), Fraction(old)
    if shares <= 0 or before <= 0 or shares == before:
        return False
    ratio = shares / before
    return (
        1 / MAX_SPLIT_FACTOR <= ratio <= MAX_SPLIT_FACTOR
        and max(ratio.as_integer_ratio()) <= MAX_SHARES
    )


def _check_names(ledger: Ledger, column: str) -> None:
    for i, name in enumerate(ledger.text[column].to_pylist()):
        if ledger.kept[i] and name is not None and len(name) > MAX_NAME:
            ledger.reject(i, "bad-name", f"at most {MAX_NAME} characters", column=column)


def _reject_future(ledger: Ledger, column: str, hints: FeedHints) -> None:
    if hints.today is not None:
        later = ledger.days[column] > np.datetime64(hints.today)
        ledger.reject_where(later, "future-date", f"after {hints.today}", column)
