"""The two tables of a market folder that say what its tickers are: instruments, leverage terms."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TypeVar

from portfolios.errors import InvalidRequest
from portfolios.models import Instrument, LeverageTerms
from portfolios.services.data_version import data_version_bump

_RECORD = Path(__file__).parent / "reference_data"
_INSTRUMENTS, _TERMS = "instruments.csv", "leverage_terms.csv"
_COLUMNS = {
    _INSTRUMENTS: ("symbol", "kind", "name", "currency", "proxy"),
    _TERMS: (
        "ticker",
        "valid_from",
        "multiple",
        "reference_index",
        "expense_ratio",
        "swap_spread",
        "source",
    ),
}
_KINDS = (Instrument.Kind.EQUITY, Instrument.Kind.ETF, Instrument.Kind.INDEX)

_Parsed = TypeVar("_Parsed")


class _Row:
    """A row of one of the tables, with the place of each value for who has to mend it."""

    def __init__(self, path: Path, number: int, values: Mapping[str, str | None]) -> None:
        self._path, self._number = path, number
        self._values = values

    def text(self, column: str) -> str:
        return (self._values[column] or "").strip()

    def required(self, column: str) -> str:
        text = self.text(column)
        if not text:
            raise self.refuse(column, "is empty")
        return text

    def parsed(self, column: str, parse: Callable[[str], _Parsed], expected: str) -> _Parsed:
        text = self.required(column)
        try:
            return parse(text)
        except (ValueError, InvalidOperation) as error:
            raise self.refuse(column, f"is {text!r} where {expected} is expected") from error

    def refuse(self, column: str, reason: str) -> InvalidRequest:
        return InvalidRequest(
            f"{self._path.name}, row {self._number}, column {column}: {reason}.",
            code="invalid-request",
        )


def load_reference_tables(folder: Path, *, is_synthetic: bool) -> None:
    """Record instruments and leverage terms: the folder's own tables, else those of public record.

    Raises InvalidRequest, naming table, row and column, where a row can not be taken.
    """
    changed = [
        _record_instrument(row, is_synthetic=is_synthetic) for row in _rows(folder, _INSTRUMENTS)
    ]
    is_own = (folder / _TERMS).exists()
    for row in _rows(folder, _TERMS):
        named = [_instrument(row, column, folder) for column in ("ticker", "reference_index")]
        fund, index = named
        if fund is not None and index is not None:
            changed.append(_record_terms(row, fund, index, is_own=is_own))
        elif is_own:
            column = "ticker" if fund is None else "reference_index"
            symbol = row.text(column)
            raise row.refuse(
                column,
                f"no instrument {symbol}; add it to {_INSTRUMENTS} (an index without prices with"
                f" a proxy that has them) or add prices/{symbol}.csv",
            )
    if any(changed):
        data_version_bump(None)


def _rows(folder: Path, name: str) -> Iterator[_Row]:
    own = folder / name
    path = own if own.exists() else _RECORD / name
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        absent = [column for column in _COLUMNS[name] if column not in (reader.fieldnames or ())]
        if absent:
            raise InvalidRequest(
                f"{name} lacks the columns {', '.join(absent)}.", code="invalid-request"
            )
        for values in reader:
            yield _Row(path, reader.line_num, values)


def _record_instrument(row: _Row, *, is_synthetic: bool) -> bool:
    symbol, kind = row.required("symbol"), row.required("kind")
    if kind not in _KINDS:
        raise row.refuse("kind", f"is {kind!r} where one of {', '.join(_KINDS)} is expected")
    proxy = None
    if row.text("proxy"):
        proxy, _ = Instrument.objects.get_or_create(
            client=None,
            symbol=row.text("proxy"),
            defaults={"kind": Instrument.Kind.ETF, "is_synthetic": is_synthetic},
        )
    fields = {
        "kind": kind,
        "name": row.text("name"),
        "currency": row.required("currency"),
        "proxy": proxy,
        "is_synthetic": is_synthetic,
    }
    if Instrument.objects.filter(client=None, symbol=symbol, **fields).exists():
        return False
    Instrument.objects.update_or_create(client=None, symbol=symbol, defaults=fields)
    return True


def _instrument(row: _Row, column: str, folder: Path) -> Instrument | None:
    """The instrument named: one on file, or one that the folder has prices of."""
    symbol = row.required(column)
    known = Instrument.objects.filter(client=None, symbol=symbol).first()
    prices = folder / "prices" / f"{symbol}.csv"
    if known is not None or not prices.is_file():
        return known
    with prices.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        first: Mapping[str, Any] = next(csv.DictReader(file), {})
    kind = Instrument.Kind.ETF if first.get("adj_close") else Instrument.Kind.INDEX
    return Instrument.objects.create(client=None, symbol=symbol, kind=kind)


def _record_terms(row: _Row, fund: Instrument, index: Instrument, *, is_own: bool) -> bool:
    valid_from = row.parsed("valid_from", date.fromisoformat, "a date such as 2026-11-20")
    multiple = row.parsed("multiple", Decimal, "a number other than 0")
    if not multiple.is_finite() or not multiple:
        raise row.refuse("multiple", "is 0 or no number")
    terms = {
        "multiple": multiple,
        "reference_index": index,
        "expense_ratio": _rate(row, "expense_ratio"),
        "swap_spread": _rate(row, "swap_spread"),
    }
    found, created = LeverageTerms.objects.get_or_create(
        client=None,
        instrument=fund,
        valid_from=valid_from,
        defaults={**terms, "source": row.text("source")[:200]},
    )
    if not created and is_own:
        _refuse_changed(row, found, terms)
    return created


def _refuse_changed(row: _Row, found: LeverageTerms, given: Mapping[str, Any]) -> None:
    """What was promised from a date on is on file once, and results rest on it: a table that says
    otherwise is told, neither taken silently nor passed over."""
    for column, value in given.items():
        on_file = getattr(found, column)
        # As many digits as the column keeps.
        kept = value.quantize(on_file) if isinstance(value, Decimal) else value
        if kept != on_file:
            raise row.refuse(
                column,
                f"is {row.text(column)} where {on_file} is on file for {found.instrument.symbol}"
                f" from {found.valid_from} on. Where the promise changed, add a row with the date"
                " from which the new one holds; where the row on file is wrong, correct it in"
                " /admin/, at the instrument; else mend the table",
            )


def _rate(row: _Row, column: str) -> Decimal:
    rate = row.parsed(column, Decimal, "a decimal per year such as 0.0095")
    if not rate.is_finite() or abs(rate) >= 1:
        raise row.refuse(column, f"is {rate}, a decimal per year such as 0.0095 is expected")
    return rate
