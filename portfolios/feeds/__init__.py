"""Files from vendors and clients: decoding, reading and the quality gate.

Pure: bytes in, a verdict out. No Django, no database, no clock. Never alters a value silently:
a row is accepted as it stands, accepted without a cell that is named, or rejected with the reason.
"""

from portfolios.feeds.actions import distributions_of, splits_of
from portfolios.feeds.books import ACTION_KINDS, tags_of
from portfolios.feeds.columns import columns_of
from portfolios.feeds.hints import Distribution, FeedHints, LeverageHint, Split, StoredSeries
from portfolios.feeds.reading import kind_of_path, read_file, read_folder, stem_of
from portfolios.feeds.verdict import (
    Basis,
    BasisChange,
    Correction,
    Effect,
    FileVerdict,
    Kind,
    Note,
    RowProblem,
    SplitSeen,
    Status,
)

__all__ = [
    "ACTION_KINDS",
    "Basis",
    "BasisChange",
    "Correction",
    "Distribution",
    "Effect",
    "FeedHints",
    "FileVerdict",
    "Kind",
    "LeverageHint",
    "Note",
    "RowProblem",
    "Split",
    "SplitSeen",
    "Status",
    "StoredSeries",
    "columns_of",
    "distributions_of",
    "kind_of_path",
    "read_file",
    "read_folder",
    "splits_of",
    "stem_of",
    "tags_of",
]
