"""A night by hand: plausible numbers in the shape of the run API, and one awkward name."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from analytics.reporting.record import PortfolioFigures, report_record

BENCHMARK = {
    "id": "in_0190c0de0000700080000000000000aa",
    "symbol": "SOXX",
    "index_version": "2026-11-20",
}


def sampled(value: float, se: float | None = None, **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "value": value,
        "unit": "1",
        "n_obs": 252,
        "first": "2025-11-19",
        "last": "2026-11-20",
    }
    if se is not None:
        body |= {"se": se, "ci95": [round(value - 1.96 * se, 4), round(value + 1.96 * se, 4)]}
    return body | more


def contribution(
    symbol: str, weight: str, beta: float, multiple: int | None = None
) -> dict[str, Any]:
    return {
        "instrument": f"in_{symbol.lower()}",
        "symbol": symbol,
        "weight": weight,
        "multiple": multiple,
        "beta": beta,
        "contribution": round(float(weight) * beta, 4),
        "status": "ok",
    }


def beta_item() -> dict[str, Any]:
    rows = [
        contribution("NVDA", "0.2600", 1.42),
        contribution("AMD", "0.1400", 1.31),
        contribution("SMH", "0.1100", 0.98),
        contribution("SOXL", "0.0400", 3.0, 3),
        contribution("SOXS", "0.0500", -3.0, -3),
        contribution("NVDA 261218P180", "-0.0040", -6.1),
        {
            "instrument": None,
            "label": "other 31",
            "weight": "0.2700",
            "beta": 0.4,
            "contribution": 0.108,
            "status": "ok",
        },
    ]
    return {
        "status": "ok",
        "method_version": "semi-beta/1.0.0",
        "problem": None,
        "result": {
            "beta_nav": sampled(0.7427, 0.0233, r2=0.71, durbin_watson=1.94, benchmark=BENCHMARK),
            "beta_ignoring_leverage": {"value": 0.8627, "unit": "1"},
            "nav": {"value": "12500000.00", "unit": "USD"},
            "usd_per_1pct_index": {"value": "92837.50", "unit": "USD"},
            "contributions": rows,
            "warnings": [
                {"code": "multiple-drift", "message": "The intraday multiple of SOXS is -2.86."},
                {
                    "code": "proxy-series",
                    "message": "NYSESEMI has no prices of its own; SOXX stands in.",
                },
            ],
        },
    }


def horizon(
    sessions: int, closed: float, seen: float | None, band: list[float] | None, blocks: int
) -> dict[str, Any]:
    empirical = {
        "value": seen,
        "unit": "1",
        "ci95": band,
        "n_blocks": blocks,
        "n_obs": blocks * sessions,
    }
    if seen is None:
        empirical |= {"status": "insufficient_data", "reason": f"{blocks} blocks of at least 8"}
    return {
        "horizon_sessions": sessions,
        "closed_form": {"at_minimum_variance": {"value": closed, "unit": "1"}},
        "empirical": empirical,
        "verdict": "pass" if closed >= 0.8 else "fail",
    }


def hedge_item() -> dict[str, Any]:
    return {
        "status": "ok",
        "method_version": "hedge/1.0.0",
        "problem": None,
        "result": {
            "regression": {
                "r2": 0.8619,
                "slope": sampled(-0.96, 0.035),
                "n_obs": 120,
                "pass": True,
            },
            "dollar_offset": {"cumulative": 0.4476, "range": ["0.80", "1.25"], "pass": False},
            "variance_reduction": {"value": 0.852, "horizon_sessions": 15},
            "horizons": [
                horizon(1, 1.0, 0.981, [0.972, 0.989], 252),
                horizon(5, 0.955, 0.941, [0.902, 0.969], 50),
                horizon(10, 0.902, 0.867, [0.771, 0.931], 25),
                horizon(15, 0.852, 0.818, [0.655, 0.912], 16),
                horizon(21, 0.794, 0.741, [0.48, 0.9], 12),
                horizon(63, 0.483, None, None, 4),
            ],
            "coverage_now": {"value": 0.68, "unit": "1"},
            "verdict": "inconclusive",
            "verdict_reason": "tests disagree",
            "warnings": [],
        },
    }


def window(sessions: int, index: float, fund: float, parts: list[float]) -> dict[str, Any]:
    names = ("simple", "convexity", "variance_cost", "financing", "expense", "residual")
    return {
        "status": "ok",
        "from": "2026-10-22",
        "to": "2026-11-20",
        "n_sessions": sessions,
        "index_return": index,
        "fund_return": fund,
        "decomposition": {**dict(zip(names, parts, strict=True)), "sum": fund, "abs_error": 0.0},
        "realized_volatility": {"value": 0.6, "unit": "annual"},
    }


def drag_item() -> dict[str, Any]:
    return {
        "status": "ok",
        "method_version": "leveraged-drag/1.0.0",
        "problem": None,
        "result": {
            "funds": [
                {
                    "instrument": "in_soxs",
                    "symbol": "SOXS",
                    "multiple": -3,
                    "quantity": "48000",
                    "windows": {
                        "month": window(
                            21,
                            0.04,
                            -0.21299,
                            [-0.12, 0.008996, -0.107257, 0.006917, -0.000446, -0.0012],
                        ),
                        "quarter": window(
                            63,
                            0.11,
                            -0.4412,
                            [-0.33, 0.061191, -0.178112, 0.013402, -0.001331, -0.00635],
                        ),
                    },
                },
                {
                    "instrument": "in_soxl",
                    "symbol": "SOXL",
                    "multiple": 3,
                    "quantity": "9000",
                    "windows": {
                        "month": window(
                            21,
                            0.04,
                            0.0681,
                            [0.12, 0.004864, -0.051122, -0.004917, -0.000525, -0.0002],
                        )
                    },
                },
            ],
            "warnings": [],
        },
    }


def refused(status: str, code: str, title: str, detail: str) -> dict[str, Any]:
    return {
        "status": status,
        "result": None,
        "problem": {"code": code, "title": title, "detail": detail},
    }


SHORT = refused(
    "insufficient_data",
    "insufficient-history",
    "Insufficient history",
    "17 observations of ARM are on file, 60 are needed. Load its prices from 2026-08-20 on.",
)
STALE = refused(
    "stale",
    "stale-price",
    "Stale price",
    "SOXS was last priced on 2026-11-17, 3 sessions ago; 1 is allowed.",
)
AWKWARD = '=Ünïcode <script>alert(1)</script> #set page() $x$ \\ *bold* "quoted" & co'


def portfolios(beta: float = 0.7427) -> list[PortfolioFigures]:
    first = beta_item()
    first["result"]["beta_nav"]["value"] = beta
    not_held = refused(
        "not_applicable", "no-leveraged-fund", "No leveraged fund held", "Nothing to decompose."
    )
    return [
        PortfolioFigures(
            "pf_1",
            "Semiconductors core, hedged",
            "CORE-1",
            "USD",
            "SOXX",
            {
                "semiconductor-beta": first,
                "hedge-effectiveness": hedge_item(),
                "leveraged-drag": drag_item(),
            },
        ),
        PortfolioFigures(
            "pf_2",
            "New listings",
            "",
            "USD",
            "SOXX",
            {"semiconductor-beta": SHORT, "hedge-effectiveness": STALE, "leveraged-drag": not_held},
        ),
        PortfolioFigures(
            "pf_3",
            AWKWARD,
            "@ext",
            "USD",
            "SOXX",
            {
                "semiconductor-beta": beta_item(),
                "hedge-effectiveness": SHORT,
                "leveraged-drag": not_held,
            },
        ),
    ]


def record(
    *,
    previous: dict[str, Any] | None = None,
    revision: int = 1,
    day: date = date(2026, 11, 20),
    beta: float = 0.7427,
    synthetic: bool = True,
) -> dict[str, Any]:
    return report_record(
        client={
            "id": "cl_0190c0de000070008000000000000001",
            "name": "Example Pension Fund",
            "synthetic": synthetic,
        },
        business_date=day,
        revision=revision,
        known_at=datetime(2026, 11, 21, 2, 10, 4, tzinfo=UTC),
        portfolios=portfolios(beta),
        previous=previous,
    )


def with_previous() -> dict[str, Any]:
    before = record(day=date(2026, 11, 19), beta=0.7011)
    return record(previous={"id": "rep_1", "record": before})
