"""Corporate actions out of the verdict on their file, as hints for the prices."""

from collections import defaultdict

from portfolios.feeds.hints import Distribution, Split
from portfolios.feeds.verdict import FileVerdict


def splits_of(verdict: FileVerdict) -> dict[str, tuple[Split, ...]]:
    """Accepted splits by ticker, oldest first."""
    found = defaultdict(list)
    for row in verdict.accepted.sort_by("effective_date").to_pylist():
        split = Split(row["effective_date"], float(row["new_shares"]), float(row["old_shares"]))
        found[row["ticker"]].append(split)
    return {ticker: tuple(splits) for ticker, splits in found.items()}


def distributions_of(verdict: FileVerdict) -> dict[str, tuple[Distribution, ...]]:
    """Accepted distributions by ticker, oldest first."""
    found = defaultdict(list)
    for row in verdict.accepted.sort_by("ex_date").to_pylist():
        found[row["ticker"]].append(Distribution(row["ex_date"], float(row["amount_per_share"])))
    return {ticker: tuple(paid) for ticker, paid in found.items()}
