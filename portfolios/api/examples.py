"""Request examples of the schema; the tests send each of them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample


def _example(summary: str, value: Any) -> list[OpenApiExample]:
    return [OpenApiExample(summary, value=value, request_only=True)]


PORTFOLIO_CREATE = _example(
    "A book measured against SOXX",
    {
        "name": "Semiconductors, hedged",
        "external_id": "book-7",
        "base_currency": "USD",
        "benchmark": "SOXX",
        "market_benchmark": "SPY",
    },
)
PORTFOLIO_UPDATE = _example("Another benchmark", {"benchmark": "SMH"})
POSITIONS_PUT = _example(
    "Long chips, hedged by an inverse fund, and cash",
    {
        "positions": [
            {"instrument": "NVDA", "quantity": "12000", "cost": "101.25", "tags": ["semis"]},
            {"instrument": "SOXS", "quantity": "48000", "tags": ["hedge"]},
            {"instrument": "AMD", "quantity": "-1500"},
            {"instrument": "CASH.USD", "quantity": "250000.00"},
        ],
        "source": "custodian",
    },
)
POSITIONS_BATCH = _example(
    "Two books of one evening",
    {
        "positions": [
            {
                "portfolio": "pf_01a2195a9a0c70e2a4fb5c2d1c0b6a11",
                "as_of": "2026-11-20",
                "instrument": "NVDA",
                "quantity": "12000",
            },
            {
                "portfolio": "pf_01a2195a9a0c70e2a4fb5c2d1c0b6a11",
                "as_of": "2026-11-20",
                "instrument": "CASH.USD",
                "quantity": "250000.00",
            },
            {
                "portfolio": "pf_01a2195a9a0c70e2a4fb5c2d1c0b6a12",
                "as_of": "2026-11-20",
                "instrument": "SOXS",
                "quantity": "48000",
                "tags": ["hedge"],
            },
        ],
        "source": "custodian",
    },
)
INSTRUMENT_CREATE = _example(
    "A listed put",
    {
        "symbol": "SOXL261218P00020000",
        "kind": "option",
        "name": "SOXL 2026-12-18 put 20",
        "option_terms": {
            "underlying": "SOXL",
            "right": "put",
            "style": "american",
            "strike": "20",
            "expiry": "2026-12-18",
            "multiplier": "100",
        },
    },
)
INSTRUMENT_UPDATE = _example(
    "Another name, and whose returns stand in", {"name": "Chip makers, thrice", "proxy": "SOXL"}
)
LEVERAGE_TERMS_CREATE = _example(
    "Three times inverse",
    {
        "valid_from": "2021-08-25",
        "multiple": "-3",
        "reference_index": "NYSESEMI",
        "expense_ratio": "0.0095",
        "swap_spread": "0.004",
    },
)
RESOLVE = _example("A symbol, and one misspelled", {"identifiers": ["SOXS", "SOXZ"]})
PRICES_ADD = _example(
    "One session as traded",
    {
        "prices": [
            {
                "instrument": "NVDA",
                "session": "2026-11-20",
                "open": "181.20",
                "high": "184.00",
                "low": "180.05",
                "close": "183.40",
                "volume": "164000000",
            }
        ],
        "source": "desk",
    },
)
FX_RATES_ADD = _example(
    "Dollars for one euro",
    {"rates": [{"base": "EUR", "quote": "USD", "session": "2026-11-20", "rate": "1.0875"}]},
)
CORPORATE_ACTIONS_ADD = _example(
    "A reverse split of one for twenty, and a distribution",
    {
        "actions": [
            {
                "instrument": "SOXS",
                "ex_date": "2026-03-05",
                "kind": "split",
                "new_shares": 1,
                "old_shares": 20,
            },
            {
                "instrument": "NVDA",
                "ex_date": "2026-06-11",
                "kind": "distribution",
                "amount": "0.01",
            },
        ]
    },
)
WEBHOOK_ENDPOINT_CREATE = _example(
    "Hear of finished runs and new reports",
    {
        "url": "https://hooks.example.com/riskapi",
        "description": "Risk desk",
        "event_types": ["run.finished", "report.ready"],
    },
)
WEBHOOK_ENDPOINT_UPDATE = _example("Every event", {"event_types": []})


#: A file of each kind that a client may send: query, media type and content.
IMPORTS: dict[str, tuple[str, str, str]] = {
    "Positions of two dates": (
        "kind=positions&filename=book.csv",
        "text/csv",
        (
            "portfolio,as_of,instrument,quantity,cost,tags\n"
            "book-7,2026-11-19,NVDA,12000,101.25,semis\n"
            "book-7,2026-11-20,NVDA,11500,101.25,semis\n"
            "book-7,2026-11-20,SOXS,48000,,hedge;short-term\n"
            "book-7,2026-11-20,CASH.USD,250000.00,,\n"
        ),
    ),
    "Prices as traded": (
        "kind=prices&filename=NVDA.ndjson",
        "application/x-ndjson",
        (
            '{"date": "2026-11-19", "open": 176.10, "high": 179.5, "low": 175.0, "close": 178.2}\n'
            '{"date": "2026-11-20", "open": 178.00, "high": 181.0, "low": 177, "close": "180.05"}\n'
        ),
    ),
    "Exchange rates": (
        "kind=fx_rates&filename=rates.json",
        "application/json",
        (
            '[{"base": "EUR", "quote": "USD", "date": "2026-11-19", "rate": "1.0850"},\n'
            ' {"base": "EUR", "quote": "USD", "date": "2026-11-20", "rate": "1.0910"}]\n'
        ),
    ),
    "A split and a distribution": (
        "kind=corporate_actions&filename=actions.csv",
        "text/csv",
        (
            "instrument,ex_date,kind,new_shares,old_shares,amount\n"
            "NVDA,2024-06-10,split,10,1,\n"
            "SOXL,2026-09-22,distribution,,,0.0815\n"
        ),
    ),
    "An option chain": (
        "kind=option_chain&filename=NVDA_2026-11-20.csv",
        "text/csv",
        (
            "expiration,side,strike,bid,ask,iv,open_interest\n"
            "2026-12-18,call,180,6.10,6.25,0.41,1200\n"
            "2026-12-18,put,180,5.90,6.05,0.43,900\n"
        ),
    ),
}
IMPORT_FILES = [
    OpenApiExample(f"{summary} (?{query})", value=content, media_type=media_type, request_only=True)
    for summary, (query, media_type, content) in IMPORTS.items()
]
