"""Judged rows against what is on file: names nobody knows, books with holes, unnamed contracts.

The gate judges a file by itself and by its instrument's history; here each row is asked whether
what it names is there. What is not costs the row, with suggestions, like any other defect.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from portfolios.errors import InvalidRequest
from portfolios.feeds import FileVerdict, Kind, RowProblem, Status, tags_of
from portfolios.models import Import, Instrument, Portfolio
from portfolios.selectors.instruments import instrument_suggestions
from portfolios.selectors.portfolios import portfolio_list_for_client, portfolios_named
from portfolios.services.instruments import instruments_known
from portfolios.services.positions import Book

MAX_SETS = 1_000
MAX_POSITIONS = 10_000
#: Unknown names that get suggestions; a file of nothing else would take hours.
_SUGGESTED = 50
_NAMED_IN = {
    Kind.POSITIONS: "instrument",
    Kind.CORPORATE_ACTIONS: "instrument",
    Kind.SPLITS: "ticker",
    Kind.DISTRIBUTIONS: "ticker",
}

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A verdict that knows what is on file, and what its rows name."""

    verdict: FileVerdict
    instruments: dict[str, Instrument] = field(default_factory=dict)
    books: tuple[Book, ...] = ()


def against_facts(imported: Import, verdict: FileVerdict) -> Prepared:
    """Reject the rows whose names are not on file; in the scope of the import's client."""
    if verdict.kind is None or verdict.status is Status.REFUSED:
        return Prepared(verdict)
    if verdict.kind is Kind.OPTION_CHAIN:
        return Prepared(_rejected(verdict, _contract_problems(verdict)))
    column = _NAMED_IN.get(verdict.kind)
    if column is None or imported.client is None:
        return Prepared(verdict)
    accepted = verdict.accepted.select(["row", column])
    records: list[Record] = accepted.to_pylist()
    instruments = instruments_known(imported.client, (row[column] for row in records))
    unknown = _unknown_names(imported, records, column, instruments)
    if verdict.kind is Kind.POSITIONS:
        return _books(imported, verdict, instruments, unknown)
    return Prepared(_rejected(verdict, unknown), instruments)


def _rejected(verdict: FileVerdict, problems: Iterable[RowProblem]) -> FileVerdict:
    found = list(problems)
    return verdict.rejecting(found) if found else verdict


def _unknown_names(
    imported: Import, records: list[Record], column: str, known: Mapping[str, Instrument]
) -> list[RowProblem]:
    unknown = list(dict.fromkeys(row[column] for row in records if row[column] not in known))
    assert imported.client is not None  # noqa: S101  # the caller has looked
    near = instrument_suggestions(imported.client, unknown[:_SUGGESTED]) if unknown else {}
    return [
        RowProblem(
            row["row"],
            column,
            "unknown-instrument",
            row[column],
            "no instrument has this symbol or id",
            ", ".join(near.get(row[column], ())) or None,
        )
        for row in records
        if row[column] not in known
    ]


def _books(
    imported: Import,
    verdict: FileVerdict,
    instruments: dict[str, Instrument],
    problems: list[RowProblem],
) -> Prepared:
    """Positions by set. A set with a rejected row has a hole and is not taken at all."""
    records: list[Record] = verdict.accepted.to_pylist()
    portfolios = _portfolios(imported, {row["portfolio"] for row in records})
    sets: dict[tuple[Portfolio, date], list[Record]] = defaultdict(list)
    for row in records:
        portfolio, as_of = portfolios.get(row["portfolio"]), row.get("as_of") or imported.as_of
        if portfolio is None:
            problems.append(_no_portfolio(row))
        elif as_of is None:
            message = "of which date? Add the column as_of, or say ?as_of="
            problems.append(RowProblem(row["row"], "as_of", "missing-value", None, message))
        else:
            sets[portfolio, as_of].append(row)
    if len(sets) > MAX_SETS:
        raise InvalidRequest(
            f"The file has {len(sets):,} sets of positions; at most {MAX_SETS:,} go into one.",
            code="too-many-sets",
        )
    for rows in sets.values():
        problems += _repeated(rows, instruments)
        if len(rows) > MAX_POSITIONS:
            message = f"a set has at most {MAX_POSITIONS:,} positions"
            problems += [
                RowProblem(row["row"], None, "too-many-positions", None, message) for row in rows
            ]
    problems += _with_holes(sets, {p.row for p in problems}, _broken_sets(imported, verdict))
    bad = {p.row for p in problems}
    return Prepared(
        _rejected(verdict, problems),
        instruments,
        tuple(
            Book(portfolio, as_of, [_position(row) for row in rows])
            for (portfolio, as_of), rows in sets.items()
            if not any(row["row"] in bad for row in rows)
        ),
    )


def _portfolios(imported: Import, names: set[str | None]) -> dict[str | None, Portfolio]:
    """Portfolios by the cell that names them: id, external id, or nothing for the upload's own."""
    assert imported.client is not None  # noqa: S101  # positions are a client's
    found: dict[str | None, Portfolio] = {}
    named = portfolios_named(imported.client, (name for name in names if name is not None))
    found.update(named.items())
    if None in names and imported.portfolio_id is not None:
        uploads_own = portfolio_list_for_client(imported.client).filter(pk=imported.portfolio_id)
        found.update((None, portfolio) for portfolio in uploads_own)
    return found


def _no_portfolio(row: Record) -> RowProblem:
    name = row["portfolio"]
    if name is None:
        message = "of which portfolio? Add the column portfolio, or say ?portfolio="
        return RowProblem(row["row"], "portfolio", "missing-value", None, message)
    message = "no portfolio has this id or external id"
    return RowProblem(row["row"], "portfolio", "unknown-portfolio", name, message)


def _repeated(rows: list[Record], instruments: Mapping[str, Instrument]) -> list[RowProblem]:
    """One instrument under two names."""
    counts = Counter(
        instruments[r["instrument"]].pk for r in rows if r["instrument"] in instruments
    )
    return [
        RowProblem(
            row["row"],
            "instrument",
            "duplicate-instrument",
            row["instrument"],
            "the set has this instrument twice",
            "sum the quantities",
        )
        for row in rows
        if row["instrument"] in instruments and counts[instruments[row["instrument"]].pk] > 1
    ]


def _broken_sets(imported: Import, verdict: FileVerdict) -> set[tuple[str | None, date]] | None:
    """Sets, by cells, of the rows that the gate rejected; None where one cannot be known."""
    rejected: list[Record] = [] if verdict.rejected is None else verdict.rejected.to_pylist()
    if len(rejected) < len(verdict.rejected_rows):
        return None
    keys = {(row["portfolio"], row.get("as_of", imported.as_of)) for row in rejected}
    if any(as_of is None for _, as_of in keys):
        return None
    return keys


def _with_holes(
    sets: Mapping[tuple[Portfolio, date], list[Record]],
    bad: set[int | None],
    broken: set[tuple[str | None, date]] | None,
) -> list[RowProblem]:
    problems = []
    for (_, as_of), rows in sets.items():
        if broken is None:
            why = "a row of the file could not be read and may be one of this set"
        elif any((row["portfolio"], as_of) in broken or row["row"] in bad for row in rows):
            why = "another row of this set was rejected: a book with a hole is a wrong book"
        else:
            continue
        problems += [
            RowProblem(row["row"], None, "set-incomplete", None, why)
            for row in rows
            if row["row"] not in bad
        ]
    return problems


def _position(row: Record) -> dict[str, Any]:
    return {
        "instrument": row["instrument"],
        "quantity": Decimal(row["quantity"]),
        "cost": None if row["cost"] is None else Decimal(row["cost"]),
        "tags": tags_of(row["tags"]),
    }


def _contract_problems(verdict: FileVerdict) -> list[RowProblem]:
    """Rows whose contract's name another row has too, and rows without a name that another row is
    about too, or that no name fits."""
    records: list[Record] = verdict.accepted.to_pylist()
    terms = [(r["expiration"], r["side"].lower()[:1], Decimal(r["strike"])) for r in records]
    counts = Counter(terms)
    names = Counter(row["contract"] for row in records)
    problems = []
    for row, term in zip(records, terms, strict=True):
        if row["contract"] is not None:
            if names[row["contract"]] > 1:
                message = "another row has this contract with another expiration, side or strike"
                problems.append(
                    RowProblem(
                        row["row"], "contract", "conflicting-duplicate", row["contract"], message
                    )
                )
            continue
        mills = term[2] * 1000
        if counts[term] > 1:
            message = "another row has the same expiration, side and strike"
            problems.append(
                RowProblem(row["row"], "contract", "conflicting-duplicate", None, message)
            )
        elif mills != int(mills) or mills >= 10**8:
            message = "a strike that the standard name of a contract cannot hold: name it"
            problems.append(
                RowProblem(row["row"], "contract", "missing-value", row["strike"], message)
            )
    return problems
