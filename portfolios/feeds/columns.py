"""Headers: which kind of file this is, and which of its columns is what."""

import difflib
import re
from dataclasses import dataclass

from portfolios.feeds.decoding import PREAMBLE_LINES, delimiter_candidates, split_line
from portfolios.feeds.verdict import FeedRefused, Kind, refuse

_PRICE_NAMES = {
    "date": "date datetime timestamp time day trade_date trading_day session price_date "
    "business_date datum",
    "open": "open open_price opening_price px_open o eroeffnung",
    "high": "high high_price day_high px_high h max hoch",
    "low": "low low_price day_low px_low l min tief",
    "close": "close price last close_price closing_price close_last last_price px_last px_close c "
    "settle schluss schlusskurs",
    "adj_close": "adj_close adjusted_close adjclose adjusted_closing_price close_adj adj_price "
    "closeadj adjusted",
    "volume": "volume vol vol_ shares_traded px_volume v volumen total_volume",
    "change_pct": "change change_pct chg chg_pct pct_change change_percent change_",
    "symbol": "symbol ticker code instrument isin",
}
_SNAPSHOT_NAMES = (
    "symbol", "quoted_at", "underlying_price", "quotes", "expirations", "strikes", "file",
    "irx_13w_pct",
)  # fmt: skip
_FUND_NAMES = (
    "ticker", "name", "as_of", "total_assets_usd", "expense_ratio_pct", "nav", "yield_frac",
    "inception",
)  # fmt: skip
_LAYOUTS: dict[Kind, tuple[tuple[str, ...], dict[str, str]]] = {
    Kind.OPTION_CHAIN: (
        ("expiration", "strike", "bid", "ask"),
        {
            "contract": "contract contractsymbol contract_symbol option_symbol occ_symbol",
            "expiration": "expiration expiry expiration_date expirationdate",
            "side": "side type option_type right put_call call_put cp_flag",
            "strike": "strike strike_price",
            "bid": "bid bid_price",
            "ask": "ask ask_price offer",
            "last": "last last_price lastprice",
            "volume": "volume vol",
            "open_interest": "open_interest openinterest oi open_int",
            "iv": "iv implied_volatility impliedvolatility",
            "delta": "delta",
            "gamma": "gamma",
            "theta": "theta",
            "vega": "vega",
        },
    ),
    Kind.OPTION_SNAPSHOTS: (
        ("symbol", "quoted_at", "underlying_price"),
        {name: name for name in _SNAPSHOT_NAMES},
    ),
    Kind.POSITIONS: (
        ("instrument", "quantity"),
        {
            "portfolio": "portfolio portfolio_id book account",
            "as_of": "as_of date position_date",
            "instrument": "instrument symbol ticker security isin",
            "quantity": "quantity qty shares units position amount",
            "cost": "cost unit_cost cost_per_unit average_cost",
            "tags": "tags tag",
        },
    ),
    Kind.FX_RATES: (
        ("base", "quote", "date", "rate"),
        {
            "base": "base base_currency from from_currency",
            "quote": "quote quote_currency to to_currency",
            "date": "date session day as_of",
            "rate": "rate fx_rate close price value",
        },
    ),
    Kind.CORPORATE_ACTIONS: (
        ("instrument", "ex_date", "kind"),
        {
            "instrument": "instrument symbol ticker",
            "ex_date": "ex_date",
            "kind": "kind type action",
            "new_shares": "new_shares",
            "old_shares": "old_shares",
            "amount": "amount amount_per_share cash_amount",
        },
    ),
    Kind.SPLITS: (
        ("ticker", "effective_date", "new_shares", "old_shares"),
        {
            "ticker": "ticker symbol",
            "effective_date": "effective_date ex_date date split_date",
            "new_shares": "new_shares split_to numerator to_factor",
            "old_shares": "old_shares split_from denominator from_factor",
            "kind": "kind type",
            "how_known": "how_known source note",
        },
    ),
    Kind.DISTRIBUTIONS: (
        ("ticker", "ex_date", "amount_per_share"),
        {
            "ticker": "ticker symbol",
            "ex_date": "ex_date exdate ex_dividend_date date",
            "amount_per_share": "amount_per_share amount dividend dividends distribution "
            "cash_amount",
        },
    ),
    Kind.HOLDINGS: (
        ("date", "holding", "weight_pct"),
        {
            "date": "date as_of",
            "holding": "holding ticker symbol",
            "weight_pct": "weight_pct weight weight_percent",
        },
    ),
    Kind.FUND_FACTS: (
        ("ticker", "as_of", "expense_ratio_pct"),
        {name: name for name in _FUND_NAMES},
    ),
    Kind.RATES: (
        ("date",),
        {
            "date": "date observation_date",
            "irx_13w_pct": "irx_13w_pct irx",
            "dtb3_pct": "dtb3_pct dtb3",
        }
        | {name: name for name in ("ff_rf_daily_pct", "ff_mkt_rf_daily_pct", "vixcls")},
    ),
    Kind.PRICES: (("date", "close"), _PRICE_NAMES),
}


#: Whose header says too little: a file is of these kinds only if the caller says so.
_ONLY_ASKED_FOR = frozenset({Kind.POSITIONS})


@dataclass(frozen=True, slots=True)
class Header:
    """Where the header is and what it means: canonical name -> column positions, in file order."""

    kind: Kind
    index: int
    delimiter: str
    names: list[str]
    columns: dict[str, list[int]]
    ignored: list[str]


def columns_of(kind: Kind) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns a kind needs, and those it may have too, by the names of this service."""
    needed, spellings = _LAYOUTS[kind]
    return needed, tuple(name for name in spellings if name not in needed)


def normalized(name: str) -> str:
    name = re.sub(r"\.\d+$", "", name.strip().lower())  # "Open.1": a second "Open"
    return re.sub(r"[^0-9a-z]+", "_", name.replace("%", " pct ")).strip("_")


def _matched(names: list[str], kind: Kind) -> tuple[dict[str, list[int]], list[str]]:
    spellings = {s: canon for canon, words in _LAYOUTS[kind][1].items() for s in words.split()}
    columns: dict[str, list[int]] = {}
    ignored = []
    for position, name in enumerate(names):
        canon = spellings.get(normalized(name))
        if canon is None:
            ignored.append(name)
        else:
            columns.setdefault(canon, []).append(position)
    return columns, ignored


def header_of(names: list[str], only: Kind | None) -> Header:
    """The header of a table whose columns are known by name."""
    header = _header_of(0, names, ",", only)
    if header is None:
        raise _unknown_header(names, 0, only)
    return header


def _header_of(index: int, names: list[str], delimiter: str, only: Kind | None) -> Header | None:
    for kind, (required, _) in _LAYOUTS.items():
        if kind is not only and (only is not None or kind in _ONLY_ASKED_FOR):
            continue
        columns, ignored = _matched(names, kind)
        if kind is Kind.PRICES:
            _settle_price_names(names, columns)
        if kind is Kind.RATES and len(columns) < 2:
            continue
        if all(name in columns for name in required):
            return Header(kind, index, delimiter, names, columns, ignored)
    return None


def _settle_price_names(names: list[str], columns: dict[str, list[int]]) -> None:
    """ "Price" heads the closes, except beside a "Close": there it heads the dates (yfinance)."""
    closes = columns.get("close", [])
    exact = [i for i in closes if normalized(names[i]) in {"close", "close_last"}]
    if exact and len(closes) > len(exact):
        others = [i for i in closes if i not in exact]
        columns["close"] = exact
        if "date" not in columns and others[0] == 0:
            columns["date"] = [0]
    if "date" not in columns and names and names[0] in {"", "Unnamed: 0"} and exact:
        columns["date"] = [0]


def find_header(lines: list[bytes], only: Kind | None) -> Header:
    """The first of the opening lines that is a header of a known kind."""
    seen: tuple[int, list[str]] | None = None
    for index, line in enumerate(lines[: PREAMBLE_LINES + 1]):
        for delimiter in delimiter_candidates(line):
            header = _header_of(index, split_line(line, delimiter), delimiter, only)
            if header is not None:
                return header
            if seen is None:
                seen = (index, split_line(line, delimiter))
    if seen is None:
        first = next((line for line in lines if line.strip()), b"")
        seen = (0, split_line(first[:200], ","))
    raise _unknown_header(seen[1], seen[0] + 1, only)


def _unknown_header(names: list[str], row: int, only: Kind | None) -> FeedRefused:
    # Prices first among equals.
    kinds = [only] if only else [k for k in reversed(_LAYOUTS) if k not in _ONLY_ASKED_FOR]
    best = max(kinds, key=lambda kind: len(_matched(names, kind)[0]))
    columns, ignored = _matched(names, best)
    missing = [name for name in _LAYOUTS[best][0] if name not in columns]
    near = []
    for name in missing:
        spellings = _LAYOUTS[best][1][name].split()
        near += [
            f"rename {given!r} to {name!r}"
            for given in ignored
            if difflib.get_close_matches(normalized(given), spellings, 1, 0.7)
        ]
    expected = ", ".join(_LAYOUTS[best][0])
    return refuse(
        "unknown-header",
        f"no known header; columns seen: {', '.join(repr(n[:40]) for n in names[:20]) or 'none'}; "
        f"nearest kind is {best.value}, which needs {expected}",
        row=row,
        value=", ".join(names)[:80] or None,
        suggestion="; ".join(near) or f"add the columns {', '.join(missing)}",
    )
