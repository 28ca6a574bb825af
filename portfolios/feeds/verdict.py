"""What a feed file turned out to be: the verdict, its accepted rows and its problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


class Kind(StrEnum):
    PRICES = "prices"
    POSITIONS = "positions"
    FX_RATES = "fx_rates"
    CORPORATE_ACTIONS = "corporate_actions"
    SPLITS = "splits"
    DISTRIBUTIONS = "distributions"
    RATES = "rates"
    FUND_FACTS = "fund_facts"
    HOLDINGS = "holdings"
    OPTION_CHAIN = "option_chain"
    OPTION_SNAPSHOTS = "option_snapshots"


class Status(StrEnum):
    ACCEPTED = "accepted"
    ACCEPTED_WITH_QUARANTINE = "accepted_with_quarantine"
    REFUSED = "refused"


class Effect(StrEnum):
    """How much a problem costs: the whole file, its row, or one cell of a row that is kept."""

    FILE = "file"
    ROW = "row"
    CELL = "cell"


class Basis(StrEnum):
    """Whether the known splits inside a price file are already applied to its prices."""

    ADJUSTED = "adjusted"
    AS_TRADED = "as_traded"
    UNKNOWN = "unknown"  # no split on file falls inside the file


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One defect. `row` counts from 1: lines of a text file, the header's included, elements of a
    JSON array, rows of a Parquet file. None: no one row."""

    row: int | None
    column: str | None
    code: str
    value: str | None
    message: str
    suggestion: str | None = None
    effect: Effect = Effect.ROW


@dataclass(frozen=True, slots=True)
class Note:
    """Something read in a particular way, or worth knowing, that costs no row and no cell."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class SplitSeen:
    """A known split inside the file, and whether its prices jump by it (as traded) or not."""

    effective_date: date
    new_shares: float
    old_shares: float
    visible: bool


@dataclass(frozen=True, slots=True)
class Correction:
    """A close that differs from the stored one, both in the file's split basis."""

    row: int
    date: date
    stored_close: float
    new_close: float


@dataclass(frozen=True, slots=True)
class BasisChange:
    """File close / stored close, constant over the overlap and not 1.

    `explained` when splits on file give that factor; `splits` are their dates.
    """

    factor: float
    explained: bool
    n_overlap: int
    splits: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True)
class FileVerdict:
    """The answer to one file; always rows_in == rows_accepted + rows_rejected.

    `accepted` has `row` (int32), dates as date32, and every number as text (null = not known), so
    that a database numeric receives exactly what the file said; `numbers` has the same columns as
    float64 with NaN for null, for arithmetic. A refused file has no accepted rows.
    `problems` is cut at `MAX_PROBLEMS`; `problem_counts` is complete.
    """

    name: str
    kind: Kind | None
    instrument: str | None
    status: Status
    rows_in: int
    accepted: pa.Table
    rejected_rows: NDArray[np.int64]
    rejected: pa.Table | None = None
    """Columns as of `accepted`, of the rejected rows that could be read."""
    problems: tuple[RowProblem, ...] = ()
    problem_counts: Counter[str] = field(default_factory=Counter)
    notes: tuple[Note, ...] = ()
    numbers: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    basis: Basis = Basis.UNKNOWN
    splits_seen: tuple[SplitSeen, ...] = ()
    basis_change: BasisChange | None = None
    corrections: tuple[Correction, ...] = ()
    missing_sessions: tuple[date, ...] = ()
    sha256: str = ""

    @property
    def rows_accepted(self) -> int:
        return int(self.accepted.num_rows)

    @property
    def rows_rejected(self) -> int:
        return len(self.rejected_rows)

    @property
    def file_problems(self) -> tuple[RowProblem, ...]:
        return tuple(p for p in self.problems if p.effect is Effect.FILE)

    def rejecting(self, problems: Sequence[RowProblem]) -> FileVerdict:
        """The same verdict with the rows of these problems rejected too."""
        bad = np.array(sorted({p.row for p in problems if p.row is not None}), dtype=np.int64)
        rows = np.asarray(self.accepted["row"], dtype=np.int64)
        stays = ~np.isin(rows, bad)
        return replace(
            self,
            status=Status.ACCEPTED_WITH_QUARANTINE,
            accepted=self.accepted.filter(pa.array(stays)),
            numbers={name: values[stays] for name, values in self.numbers.items()},
            rejected_rows=np.sort(np.concatenate((self.rejected_rows, rows[~stays]))),
            problems=(*self.problems, *problems)[:MAX_PROBLEMS],
            problem_counts=self.problem_counts + Counter(p.code for p in problems),
        )

    def refusing(self, problem: RowProblem) -> FileVerdict:
        """The same verdict with all rows rejected for a reason of the file."""
        rows = np.asarray(self.accepted["row"], dtype=np.int64)
        return replace(
            self,
            status=Status.REFUSED,
            accepted=self.accepted.slice(0, 0),
            numbers={},
            rejected_rows=np.sort(np.concatenate((self.rejected_rows, rows))),
            problems=(problem, *self.problems)[:MAX_PROBLEMS],
            problem_counts=self.problem_counts + Counter([problem.code]),
        )

    @property
    def codes(self) -> frozenset[str]:
        return frozenset(self.problem_counts)


MAX_PROBLEMS = 10_000


class FeedRefused(Exception):
    """The file can not be taken; `read_file` catches this and returns it as a verdict."""

    def __init__(self, *problems: RowProblem) -> None:
        super().__init__(problems[0].message)
        self.problems = problems


def refuse(
    code: str,
    message: str,
    *,
    row: int | None = None,
    column: str | None = None,
    value: str | None = None,
    suggestion: str | None = None,
) -> FeedRefused:
    return FeedRefused(RowProblem(row, column, code, value, message, suggestion, Effect.FILE))
