"""The door of the package: one file to one verdict, one folder to its files in loading order."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path, PurePath
from typing import BinaryIO, TypedDict

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolios.feeds import gate
from portfolios.feeds.columns import Header, find_header, header_of
from portfolios.feeds.decoding import (
    Form,
    RawTable,
    TextFile,
    parse_table,
    read_text,
    split_line,
)
from portfolios.feeds.hints import FeedHints
from portfolios.feeds.ledger import Ledger
from portfolios.feeds.parquet import read_parquet
from portfolios.feeds.prices import read_prices
from portfolios.feeds.records import read_json, read_ndjson
from portfolios.feeds.sessions import sessions_between
from portfolios.feeds.tables import read_table
from portfolios.feeds.verdict import (
    Basis,
    BasisChange,
    Correction,
    Effect,
    FeedRefused,
    FileVerdict,
    Kind,
    Note,
    RowProblem,
    SplitSeen,
    Status,
    refuse,
)

_NO_HINTS = FeedHints()
_READERS = {Form.NDJSON: read_ndjson, Form.JSON: read_json, Form.PARQUET: read_parquet}


def read_file(source: Path | BinaryIO, *, name: str, hints: FeedHints = _NO_HINTS) -> FileVerdict:
    """Reads one file and judges it. Never raises for what is in the file; OSError passes."""
    state = _State(name, hints)
    try:
        return state.judge(source)
    except FeedRefused as refusal:
        return state.refused(refusal)


class _PriceFacts(TypedDict, total=False):
    basis: Basis
    splits_seen: tuple[SplitSeen, ...]
    basis_change: BasisChange | None
    corrections: tuple[Correction, ...]
    missing_sessions: tuple[date, ...]


class _State:
    """What is known of a file so far, so that a refusal can still say how many rows it had."""

    def __init__(self, name: str, hints: FeedHints) -> None:
        self.name = name
        self.hints = hints
        self.kind: Kind | None = hints.kind
        self.text: TextFile | None = None
        self.table: RawTable | None = None
        self.ledger: Ledger | None = None

    def judge(self, source: Path | BinaryIO) -> FileVerdict:
        hints = self.hints

        def check_opening(lines: list[bytes]) -> None:
            find_header(lines, hints.kind)

        text = self.text = read_text(source, check_opening=check_opening)
        if text.form is Form.CSV:
            header = find_header(text.lines, hints.kind)
            self.kind = header.kind
            if header.index:
                text.notes.append(Note("preamble", f"header found in row {header.index + 1}"))
            skipped = _ticker_rows(text, header, hints)
            table = self.table = parse_table(text, header.index, header.delimiter, skipped)
        else:
            table = self.table = _READERS[text.form](text)
            if not table.columns and table.rejected:
                raise FeedRefused(_as_file_problem(table.rejected[0]))
            header = header_of(table.header, hints.kind)
            self.kind = header.kind
        text.release()
        if len(table.rejected) > len(table.rows):
            raise FeedRefused(_as_file_problem(table.rejected[0]))
        if not len(table.rows):
            raise refuse(
                "header-only",
                "a header and no rows",
                row=table.header_row,
                suggestion="export it again, with its rows",
            )
        if header.kind is Kind.PRICES:
            ledger, instrument = read_prices(table, header, hints)
        else:
            ledger, instrument = read_table(table, header, hints, self.name)
        self.ledger = ledger
        facts = self._price_facts(ledger) if header.kind is Kind.PRICES else {}
        order = gate.in_order(ledger) if facts else np.flatnonzero(ledger.kept)
        if not len(order):
            worst = ledger.counts.most_common(1)[0][0]
            raise refuse("no-good-rows", f"no row could be accepted; mostly {worst}")
        for problem in table.rejected:
            ledger.report(problem)
        rejected = np.concatenate((ledger.rows[~ledger.kept], _rows_of(table.rejected)))
        if header.ignored:
            ignored = ", ".join(repr(n[:40]) for n in header.ignored)
            ledger.note("columns-ignored", f"columns not used: {ignored}")
        return FileVerdict(
            name=self.name,
            kind=header.kind,
            instrument=instrument,
            status=Status.ACCEPTED_WITH_QUARANTINE if ledger.counts else Status.ACCEPTED,
            rows_in=len(ledger.rows) + len(table.rejected),
            accepted=ledger.accepted(order),
            rejected_rows=np.sort(rejected),
            rejected=ledger.accepted(np.flatnonzero(~ledger.kept)),
            problems=tuple(sorted(ledger.problems, key=_file_order)),
            problem_counts=ledger.counts,
            notes=(*text.notes, *ledger.notes),
            numbers={n: v[order] for n, v in ledger.values.items() if n in ledger.text},
            sha256=text.sha256,
            **facts,
        )

    def _price_facts(self, ledger: Ledger) -> _PriceFacts:
        """Runs the checks across rows; what they say about the file beyond its rows."""
        hints = self.hints
        basis, seen = gate.splits_seen(ledger, hints)
        unapplied = seen if basis is Basis.AS_TRADED else ()
        if basis is Basis.ADJUSTED and any(s.visible for s in seen):
            days = ", ".join(str(s.effective_date) for s in seen if s.visible)
            ledger.of_file(
                "mixed-split-basis",
                f"the closes jump by the splits of {days} but not by the others on file",
                suggestion="apply every split, or none",
            )
        gate.check_levels(ledger, hints, unapplied)
        gate.check_stated_change(ledger, hints)
        change, corrections = gate.compare_with_stored(ledger, hints, unapplied)
        gate.check_adjusted(ledger, hints, unapplied)
        gate.check_volume(ledger, hints, change)
        days_kept = ledger.days["date"][gate.in_order(ledger)]
        missing = days_kept
        if len(days_kept):
            sessions = sessions_between(days_kept[0], days_kept[-1], hints.calendar)
            missing = sessions[~np.isin(sessions, days_kept)]
        if len(missing):
            shown = ", ".join(str(d) for d in missing[:5])
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            ledger.note("missing-sessions", f"{len(missing)} sessions missing: {shown}{more}")
        return {
            "basis": basis,
            "splits_seen": seen,
            "basis_change": change,
            "corrections": corrections,
            "missing_sessions": tuple(missing.tolist()),
        }

    def refused(self, refusal: FeedRefused) -> FileVerdict:
        """All rows rejected: by name where a row had a defect of its own, else by the file's."""
        ledger, table, text = self.ledger, self.table, self.text
        rows = np.array([], dtype=np.int64)
        if table is not None:
            rows = np.sort(np.concatenate((table.rows, _rows_of(table.rejected))))
        found = Ledger(rows, {}, {}, {})
        for problem in refusal.problems:
            found.report(problem)
        earlier = (ledger.problems if ledger else []) + (table.rejected if table else [])
        for problem in earlier:
            found.report(problem)
        return FileVerdict(
            name=self.name,
            kind=self.kind,
            instrument=self.hints.symbol,
            status=Status.REFUSED,
            rows_in=len(rows),
            accepted=pa.table({"row": pa.array([], pa.int32())}),
            rejected_rows=rows,
            problems=tuple(found.problems),
            problem_counts=found.counts,
            notes=(*(text.notes if text else ()), *(ledger.notes if ledger else ())),
            sha256=text.sha256 if text else "",
        )


def _rows_of(problems: list[RowProblem]) -> NDArray[np.int64]:
    return np.array([p.row for p in problems], dtype=np.int64)


def _file_order(problem: RowProblem) -> tuple[bool, int]:
    return problem.effect is not Effect.FILE, problem.row or 0


def _as_file_problem(problem: RowProblem) -> RowProblem:
    return RowProblem(
        problem.row,
        problem.column,
        problem.code,
        problem.value,
        f"most rows: {problem.message}",
        problem.suggestion,
        Effect.FILE,
    )


_NUMBER_LIKE = re.compile(r"^[$+-]?\d")


def _ticker_rows(text: TextFile, header: Header, hints: FeedHints) -> set[int]:
    """Further header rows below the first: tickers under each column, or the name of the dates."""
    skipped: set[int] = set()
    if header.kind is not Kind.PRICES:
        return skipped
    position = header.columns["date"][0]
    for index in range(header.index + 1, min(header.index + 4, len(text.lines))):
        row = split_line(text.lines[index], header.delimiter)
        if not any(row):
            if row and text.lines[index].strip():
                skipped.add(index)  # commas alone
            continue
        if len(row) != len(header.names) or any(_NUMBER_LIKE.match(cell) for cell in row):
            break
        if row[position] not in {"", "Ticker", "Symbol", "Date", "Price"}:
            break
        tickers = {cell for i, cell in enumerate(row) if i != position and cell}
        if len(tickers) > 1:
            raise refuse(
                "two-instruments",
                "the second header row names several instruments: "
                + ", ".join(sorted(tickers)[:5]),
                row=index + 1,
                value=sorted(tickers)[1],
                suggestion="send one file per instrument",
            )
        ticker = next(iter(tickers), None)
        if ticker and hints.symbol and ticker.upper() != hints.symbol.upper():
            raise refuse(
                "wrong-instrument",
                f"the file is for {ticker}, expected {hints.symbol}",
                row=index + 1,
                value=ticker,
            )
        skipped.add(index)
        named = f" ({ticker})" if ticker else ""
        text.notes.append(
            Note("second-header-row", f"row {index + 1} is a further header row{named}: skipped")
        )
    return skipped


_SUFFIXES = re.compile(r"(\.(csv|tsv|txt|json|ndjson|jsonl|parquet))?(\.gz)?\Z", re.IGNORECASE)


def stem_of(name: str) -> str:
    """A file's name without what says its format: SOXX of SOXX.csv.gz, BRK.B of BRK.B.parquet."""
    return _SUFFIXES.sub("", PurePath(name).name, count=1)


_LOADING_ORDER = (
    Kind.SPLITS,
    Kind.FUND_FACTS,
    Kind.RATES,
    Kind.PRICES,
    Kind.DISTRIBUTIONS,
    Kind.HOLDINGS,
    Kind.OPTION_SNAPSHOTS,
    Kind.OPTION_CHAIN,
)


def read_folder(
    folder: Path, *, after: frozenset[str] = frozenset()
) -> Iterator[tuple[Path, Kind]]:
    """Files of a folder in the form of `market/`, in the order in which each can be judged best.

    `after` names tickers to be loaded after all other prices: leveraged funds, whose index is then
    known. The folder `dirty` and files of no known kind are left out. Distributions come after
    the prices their amounts are judged by; the caller may read them before as hints for prices.
    """
    found: list[tuple[int, bool, str, Path, Kind]] = []
    for path in sorted(folder.rglob("*")):
        if not re.search(r"\.(csv|tsv|txt)(\.gz)?$", path.name.lower()) or not path.is_file():
            continue
        inner = path.relative_to(folder)
        kind = kind_of_path(inner)
        if kind is not None:
            ticker = path.name.split(".")[0].upper()
            found.append((_LOADING_ORDER.index(kind), ticker in after, str(inner), path, kind))
    for _, _, _, path, kind in sorted(found, key=lambda f: f[:3]):
        yield path, kind


def kind_of_path(path: PurePath) -> Kind | None:
    """The kind a file has by its place in a folder in the form of `market/`."""
    stem = path.name.split(".")[0].lower()
    folder = path.parent.name.lower()
    if folder == "options":
        return Kind.OPTION_SNAPSHOTS if stem == "snapshots" else Kind.OPTION_CHAIN
    by_folder = {"prices": Kind.PRICES, "holdings": Kind.HOLDINGS}
    if folder in by_folder:
        return by_folder[folder]
    named = {k.value: k for k in (Kind.SPLITS, Kind.DISTRIBUTIONS, Kind.RATES, Kind.FUND_FACTS)}
    return named.get(stem) if folder == "" else None
