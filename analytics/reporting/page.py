"""The record laid out for reading: one page of tables, charts and sentences.

HTML and PDF show this same object; all rounding happens here. Texts are plain: each template
escapes for its own language.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from analytics.reporting import charts
from analytics.reporting.figures import (
    BETA,
    DRAG,
    HEDGE,
    STATUS_WORDS,
    Figure,
    figure,
    read,
    reason,
)
from analytics.reporting.formats import (
    MINUS,
    UNAVAILABLE,
    interval,
    long_date,
    number,
    percent,
)

MEASURE_NAMES = {
    BETA: "Semiconductor beta",
    HEDGE: "Hedge effectiveness",
    DRAG: "Leveraged-fund drag",
}
PARTS = (
    ("simple", "Simple"),
    ("convexity", "Convexity"),
    ("variance_cost", "Variance cost"),
    ("financing", "Financing"),
    ("expense", "Expense"),
    ("residual", "Residual"),
)
WINDOW_NAMES = {"month": "Month", "quarter": "Quarter"}
VERDICTS = {
    "pass": "effective",
    "fail": "not effective",
    "inconclusive": "inconclusive",
}
#: Variance removed that practice calls effective (R² of the regression test, ASC 815).
THRESHOLD = 0.8
TOP = 12

#: What the reader can do about a problem, where the problem does not say it itself.
CURES = {
    "insufficient-history": "Import more sessions of the instruments named, or shorten the window.",
    "no-semiconductor-benchmark": "Set a semiconductor benchmark on the portfolio.",
    "zero-variance": "Check the series named: its prices do not move.",
    "stale-price": "Import the missing sessions and ask for a new revision.",
    "missing-fx": "Import the exchange rate and ask for a new revision.",
    "leverage-terms-gap": "Record the fund's leverage terms for the dates named.",
    "market-data-missing": "Import the data named and ask for a new revision.",
    "no-positions": "Upload a position set dated on or before the business date.",
}


@dataclass(frozen=True)
class Cell:
    """A text, and in small below it what qualifies it."""

    text: str
    note: str = ""


@dataclass(frozen=True)
class Column:
    """A heading with its unit."""

    label: str
    unit: str = ""
    numeric: bool = True


@dataclass(frozen=True)
class Table:
    """The first column names its row."""

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    note: str = ""

    def pairs(self) -> list[list[tuple[Column, Cell]]]:
        """Each cell beside its column, as the HTML template needs them."""
        return [list(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True)
class Chart:
    """A drawing, with the sentence that says the same to those who do not see it."""

    title: str
    description: str
    svg: str


@dataclass(frozen=True)
class Notice:
    """A warning or a problem, and what to do about it."""

    kind: str
    measure: str
    text: str
    cure: str = ""


@dataclass(frozen=True)
class Section:
    """One portfolio."""

    anchor: str
    name: str
    status: str
    facts: Sequence[tuple[str, str]]
    tables: Sequence[Table]
    charts: Sequence[Chart]
    notices: Sequence[Notice]


@dataclass(frozen=True)
class Page:
    """The whole report."""

    title: str
    client: str
    date: str
    business_date: str
    synthetic: str
    facts: Sequence[tuple[str, str]]
    summary: Sequence[Table]
    changes: Table | None
    sections: Sequence[Section]
    footnotes: Sequence[tuple[str, str]] = field(default_factory=tuple)


def page_of(record: Mapping[str, Any]) -> Page:
    """Lay a record out. Equal records make equal pages."""
    entries = record["portfolios"]
    date = long_date(record["business_date"])
    return Page(
        title=f"Nightly risk report, {record['client']['name']}, {date}",
        client=record["client"]["name"],
        date=date,
        business_date=record["business_date"],
        synthetic="SYNTHETIC DATA: prices are made by a model, not by a market."
        if record["client"].get("synthetic")
        else "",
        facts=_header(record),
        summary=[t for t in (_exposure(entries), _hedges(entries), _funds(entries)) if t.rows],
        changes=_changes(record),
        sections=[_section(entry, place) for place, entry in enumerate(entries, 1)],
        footnotes=_footnotes(record),
    )


def _header(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    totals = record["totals"]
    by_status = totals["by_status"]
    counts = ", ".join(
        f"{by_status[status]} {words if status == 'ok' else words.lower()}"
        for status, words in STATUS_WORDS.items()
        if status in by_status
    )
    return [
        ("Business date", record["business_date"]),
        ("Revision", str(record["revision"])),
        ("Data as of", record["data_as_of"] or UNAVAILABLE),
        ("Known at", record["known_at"][:16].replace("T", " ") + " UTC"),
        ("Portfolios", number(totals["portfolios"])),
        ("Figures", counts or "none"),
        ("Methods", ", ".join(sorted(record["method_versions"].values())) or UNAVAILABLE),
    ]


def _cell(found: Figure, text: str, *, explain: bool = True) -> Cell:
    if found.value is not None:
        return Cell(text)
    return Cell(UNAVAILABLE, found.reason if explain else "")


def _status(entry: Mapping[str, Any], kinds: Iterable[str] | None = None) -> str:
    """The words of what is not in order; OK where everything is."""
    measures = entry["measures"]
    chosen = [measures[kind] for kind in (kinds or sorted(measures)) if kind in measures]
    bad = [item["status"] for item in chosen if item["status"] not in {"ok", "not_applicable"}]
    if bad:
        return ", ".join(dict.fromkeys(STATUS_WORDS.get(status, status) for status in bad))
    if chosen and all(item["status"] == "not_applicable" for item in chosen):
        return STATUS_WORDS["not_applicable"]
    return "OK" if chosen else "Not computed"


def _status_cell(entry: Mapping[str, Any], measure: str) -> Cell:
    """The status in words; where nothing was computed, why, once for the whole row."""
    item = entry["measures"].get(measure)
    if item is None or item.get("result") is not None:
        return Cell(_status(entry, [measure]))
    return Cell(_status(entry, [measure]), reason(item))


def _computed(entry: Mapping[str, Any], measure: str) -> bool:
    return entry["measures"].get(measure, {}).get("result") is not None


def _money_unit(figures: Sequence[Figure]) -> str:
    units = {found.unit.split("_")[0].upper() for found in figures if found.value is not None}
    return units.pop() if len(units) == 1 else ""


def _money(found: Figure, unit: str, *, explain: bool) -> Cell:
    if found.value is None:
        return _cell(found, "", explain=explain)
    return Cell(number(found.value), "" if unit else found.unit.split("_")[0].upper())


def _exposure(entries: Sequence[Mapping[str, Any]]) -> Table:
    navs = [figure(entry["measures"], BETA, "nav") for entry in entries]
    dollars = [figure(entry["measures"], BETA, "usd_per_1pct_index") for entry in entries]
    nav_unit, dollar_unit = _money_unit(navs), _money_unit(dollars)
    rows = []
    for entry, nav, dollar in zip(entries, navs, dollars, strict=True):
        beta = figure(entry["measures"], BETA, "beta_nav")
        naive = figure(entry["measures"], BETA, "beta_ignoring_leverage")
        explain = _computed(entry, BETA)
        rows.append(
            [
                Cell(entry["name"]),
                _money(nav, nav_unit, explain=explain),
                _cell(beta, _plus_minus(beta), explain=explain),
                Cell(interval(beta.ci95, 3)),
                _cell(naive, number(naive.value, 3), explain=explain),
                _money(dollar, dollar_unit, explain=explain),
                _status_cell(entry, BETA),
            ]
        )
    columns = [
        Column("Portfolio", numeric=False),
        Column("NAV", nav_unit),
        Column("Semis beta", "± standard error"),
        Column("95 % interval"),
        Column("Ignoring leverage"),
        Column("Per 1 % of index", dollar_unit),
        Column("Status", numeric=False),
    ]
    return Table("Semiconductor exposure", columns, rows)


def _plus_minus(found: Figure) -> str:
    text = number(found.value, 3)
    return text if found.se is None else f"{text} ± {number(found.se, 3)}"


def _horizons(entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    result = entry["measures"].get(HEDGE, {}).get("result") or {}
    return list(result.get("horizons") or ())


def _hedges(entries: Sequence[Mapping[str, Any]]) -> Table:
    sessions = sorted({h["horizon_sessions"] for entry in entries for h in _horizons(entry)})
    rows = []
    for entry in entries:
        item = entry["measures"].get(HEDGE)
        if item is None or item["status"] == "not_applicable":
            continue
        by_horizon = {h["horizon_sessions"]: h for h in _horizons(entry)}
        explain = _computed(entry, HEDGE)
        coverage = figure(entry["measures"], HEDGE, "coverage_now")
        verdict = figure(entry["measures"], HEDGE, "verdict")
        rows.append(
            [
                Cell(entry["name"]),
                *(_horizon_cell(by_horizon.get(n), explain=explain) for n in sessions),
                _cell(coverage, percent(coverage.value, 0), explain=explain),
                _cell(
                    verdict, VERDICTS.get(str(verdict.value), str(verdict.value)), explain=explain
                ),
                _status_cell(entry, HEDGE),
            ]
        )
    columns = [
        Column("Portfolio", numeric=False),
        *(Column(f"{n} d", "%") for n in sessions),
        Column("Coverage now", "%"),
        Column("Verdict", numeric=False),
        Column("Status", numeric=False),
    ]
    return Table(
        "Hedge effectiveness by horizon",
        columns,
        rows,
        note="Share of variance removed over 1, 5, ... sessions (d), as seen on non-overlapping "
        "blocks; where these are too few, by the closed form if the hedge is one daily-reset fund. "
        "The word below a figure is the verdict at that horizon.",
    )


def _closed_form(horizon: Mapping[str, Any]) -> Figure:
    """What the best holding of the fund removes, where the hedge is one daily-reset fund."""
    closed = horizon.get("closed_form")
    return read(closed and closed["at_minimum_variance"])


def _horizon_cell(horizon: Mapping[str, Any] | None, *, explain: bool) -> Cell:
    if horizon is None:
        return Cell(UNAVAILABLE, "not computed" if explain else "")
    seen, closed = read(horizon.get("empirical")), _closed_form(horizon)
    shown = seen if seen.value is not None else closed
    if shown.value is None:
        return Cell(UNAVAILABLE, seen.reason)
    return Cell(percent(shown.value), VERDICTS.get(str(horizon.get("verdict")), ""))


def _fund_windows(
    entry: Mapping[str, Any],
) -> list[tuple[Mapping[str, Any], str, Mapping[str, Any]]]:
    result = entry["measures"].get(DRAG, {}).get("result") or {}
    return [
        (fund, name, fund["windows"][name])
        for fund in result.get("funds", ())
        for name in WINDOW_NAMES
        if name in fund["windows"]
    ]


def _fund_name(fund: Mapping[str, Any]) -> str:
    multiple = fund.get("multiple")
    name = str(fund.get("symbol") or fund.get("label") or fund.get("instrument"))
    return name if multiple is None else f"{name} ({number(multiple, 0, signed=True)}x)"


def _funds(entries: Sequence[Mapping[str, Any]]) -> Table:
    """Every fund once: its drag is the same in each portfolio."""
    seen = {
        (_fund_name(fund), name): window
        for entry in entries
        for fund, name, window in _fund_windows(entry)
    }
    return _drag_table([(fund, name, window) for (fund, name), window in seen.items()])


def _drag_table(windows: Sequence[tuple[str, str, Mapping[str, Any]]]) -> Table:
    rows = []
    for fund, name, window in windows:
        parts = window.get("decomposition")
        first = [Cell(fund), _period(name, window)]
        if parts is None:
            why = reason(window) if "status" in window else "not available"
            rows.append(
                [
                    *first,
                    Cell(UNAVAILABLE, why),
                    *(Cell(UNAVAILABLE) for _ in range(len(PARTS) + 1)),
                ]
            )
            continue
        rows.append(
            [
                *first,
                Cell(percent(window["index_return"], 2, signed=True)),
                Cell(percent(window["fund_return"], 2, signed=True)),
                *(Cell(percent(parts.get(key), 2, signed=True)) for key, _ in PARTS),
            ]
        )
    columns = [
        Column("Fund", numeric=False),
        Column("Period", numeric=False),
        Column("Index", "%"),
        Column("Fund", "%"),
        *(Column(label, "%") for _, label in PARTS),
    ]
    return Table(
        "Leveraged and inverse funds: where their return came from",
        columns,
        rows,
        note="Simple = multiple x index return. Convexity and variance cost are the two terms of "
        "what is called decay; the six parts sum to the fund's return.",
    )


def _period(name: str, window: Mapping[str, Any]) -> Cell:
    sessions = window.get("n_sessions")
    if not sessions:
        return Cell(WINDOW_NAMES[name])
    return Cell(f"{WINDOW_NAMES[name]} ({sessions}\N{NO-BREAK SPACE}d)", f"to {window['to']}")


def _changes(record: Mapping[str, Any]) -> Table | None:
    previous = record["previous"]
    if previous is None:
        return None
    caption = f"What changed since {previous['business_date']}, revision {previous['revision']}"
    columns = [
        Column("Portfolio", numeric=False),
        Column("Figure", numeric=False),
        Column("Before"),
        Column("Now"),
        Column("Change"),
    ]
    rows = [_change_row(change) for change in record["changes"]]
    return Table(caption, columns, rows, note="" if rows else "Nothing.")


_CHANGE_NAMES = {
    "nav": ("NAV", 0),
    "beta_nav": ("Semis beta", 3),
    "usd_per_1pct_index": ("Per 1 % of index", 0),
    "coverage_now": ("Coverage of the hedge", 3),
    "verdict": ("Hedge verdict", None),
}


def _change_row(change: Mapping[str, Any]) -> list[Cell]:
    kind = change["change"]
    if kind in {"added", "removed"}:
        return [Cell(change["name"]), Cell(f"Portfolio {kind}"), Cell(""), Cell(""), Cell("")]
    before, after = change["before"], change["after"]
    label, places = _CHANGE_NAMES.get(kind, (kind[:1].upper() + kind[1:], None))
    if places is None:
        words = [
            UNAVAILABLE
            if value is None
            else VERDICTS.get(value) or STATUS_WORDS.get(value) or str(value)
            for value in (before, after)
        ]
        return [
            Cell(change["name"]),
            Cell(label.replace("-", " ")),
            Cell(words[0]),
            Cell(words[1]),
            Cell(""),
        ]
    difference = None if before is None or after is None else float(after) - float(before)
    unit = change["unit"].split("_")[0].upper() if kind in {"nav", "usd_per_1pct_index"} else ""
    return [
        Cell(change["name"]),
        Cell(f"{label} ({unit})" if unit else label),
        Cell(number(before, places)),
        Cell(number(after, places)),
        Cell(number(difference, places, signed=True)),
    ]


def _section(entry: Mapping[str, Any], place: int) -> Section:
    tables = [
        table
        for table in (_contributions(entry), _horizon_table(entry), _portfolio_funds(entry))
        if table.rows
    ]
    return Section(
        anchor=f"portfolio-{place}",
        name=entry["name"],
        status=_status(entry),
        facts=_facts(entry),
        tables=tables,
        charts=list(_charts(entry, place)),
        notices=_notices(entry),
    )


def _facts(entry: Mapping[str, Any]) -> list[tuple[str, str]]:
    measures = entry["measures"]
    nav, beta = figure(measures, BETA, "nav"), figure(measures, BETA, "beta_nav")
    facts = [
        ("External id", entry["external_id"]),
        ("Benchmark", entry["benchmark"]),
        (
            "NAV",
            f"{number(nav.value)} {nav.unit}" if nav.value is not None else f"- ({nav.reason})",
        ),
        ("Semis beta", _plus_minus(beta) if beta.value is not None else f"- ({beta.reason})"),
    ]
    result = measures.get(BETA, {}).get("result") or {}
    node = result.get("beta_nav") or {}
    if node.get("n_obs"):
        facts.append(("Sample", f"{node['n_obs']} returns, {node['first']} to {node['last']}"))
    if node.get("r2") is not None:
        facts.append(("R²", number(node["r2"], 2)))
    hedge = measures.get(HEDGE, {}).get("result") or {}
    if hedge.get("verdict"):
        words = VERDICTS.get(hedge["verdict"], hedge["verdict"])
        why = hedge.get("verdict_reason")
        facts.append(("Hedge verdict", f"{words} ({why})" if why else words))
    return [(label, value) for label, value in facts if value]


def _instrument_name(row: Mapping[str, Any]) -> str:
    return str(row.get("symbol") or row.get("label") or row.get("instrument"))


def _top(entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The largest contributions by size; the rest as one row, so that the column still sums."""
    result = entry["measures"].get(BETA, {}).get("result") or {}
    rows = sorted(
        result.get("contributions") or (),
        key=lambda row: (-abs(row.get("contribution") or 0.0), _instrument_name(row)),
    )
    if len(rows) <= TOP:
        return rows
    rest = rows[TOP - 1 :]
    other: dict[str, Any] = {
        "label": f"other {len(rest)}",
        "weight": sum(float(row.get("weight") or 0) for row in rest),
        "contribution": sum(row.get("contribution") or 0.0 for row in rest),
        "status": "ok" if all(row.get("status", "ok") == "ok" for row in rest) else "error",
    }
    return [*rows[: TOP - 1], other]


def _contributions(entry: Mapping[str, Any]) -> Table:
    top = _top(entry)
    rows = [
        [
            Cell(_instrument_name(row)),
            Cell(percent(row.get("weight"), 2)),
            Cell(_leverage(row)),
            Cell(number(row.get("beta"), 2) if row.get("beta") is not None else ""),
            Cell(number(row.get("contribution"), 4, signed=True), row.get("reason") or ""),
            Cell(STATUS_WORDS.get(row.get("status", "ok"), str(row.get("status")))),
        ]
        for row in top
    ]
    if rows:
        total = number(sum(row.get("contribution") or 0.0 for row in top), 4, signed=True)
        rows.append([Cell(text) for text in ("Sum", "", "", "", total, "")])
    columns = [
        Column("Instrument", numeric=False),
        Column("Weight", "% of NAV"),
        Column("Leverage", "multiple or delta"),
        Column("Beta"),
        Column("Contribution"),
        Column("Status", numeric=False),
    ]
    note = "Contribution = weight x beta."
    if any(row.get("delta") is not None for row in top):
        note += " An option shows its underlying's beta and contributes with its delta exposure."
    return Table("Largest contributions to beta", columns, rows, note=note)


def _leverage(row: Mapping[str, Any]) -> str:
    if row.get("delta") is not None:
        return f"delta {number(row['delta'], 2)}"
    multiple = row.get("multiple")
    return f"{number(multiple, 0, signed=True)}x" if multiple else ""


def _horizon_table(entry: Mapping[str, Any]) -> Table:
    rows = []
    for horizon in _horizons(entry):
        closed, seen = _closed_form(horizon), read(horizon.get("empirical"))
        raw = horizon.get("empirical")
        blocks = raw.get("n_blocks") if isinstance(raw, Mapping) else None
        rows.append(
            [
                Cell(number(horizon["horizon_sessions"])),
                _cell(closed, percent(closed.value), explain=False),
                _cell(seen, percent(seen.value)),
                Cell(_percent_interval(seen.ci95)),
                Cell(number(blocks)),
                Cell(VERDICTS.get(str(horizon.get("verdict")), UNAVAILABLE)),
            ]
        )
    columns = [
        Column("Horizon", "sessions", numeric=False),
        Column("Best by closed form", "%"),
        Column("Seen", "%"),
        Column("95 % band", "%"),
        Column("Blocks"),
        Column("Verdict", numeric=False),
    ]
    note = "" if all(row[1].text != UNAVAILABLE for row in rows) else _NO_CLOSED_FORM
    return Table("Variance removed by the hedge", columns, rows, note=note)


def _percent_interval(bounds: tuple[float, float] | None) -> str:
    return UNAVAILABLE if bounds is None else interval([100 * bound for bound in bounds], 1)


def _portfolio_funds(entry: Mapping[str, Any]) -> Table:
    return _drag_table(
        [(_fund_name(fund), name, window) for fund, name, window in _fund_windows(entry)]
    )


def _charts(entry: Mapping[str, Any], place: int) -> Iterable[Chart]:
    bars = [
        charts.Bar(_instrument_name(row), float(row["contribution"]))
        for row in _top(entry)
        if row.get("contribution") is not None
    ]
    if bars:
        title = "Contributions to beta"
        says = "; ".join(f"{bar.label} {number(bar.value, 3, signed=True)}" for bar in bars)
        yield Chart(
            title,
            f"Signed bars: {says}.",
            charts.contributions_chart(
                bars, title=title, description=says, key=f"contributions-{place}"
            ),
        )
    if points := [_point(horizon) for horizon in _horizons(entry)]:
        title = "Hedge effectiveness by horizon"
        says = "; ".join(_point_words(point) for point in points)
        yield Chart(
            title,
            f"Variance removed: {says}.",
            charts.horizon_chart(
                points, threshold=THRESHOLD, title=title, description=says, key=f"horizons-{place}"
            ),
        )
    elif waterfall := next((w for w in _fund_windows(entry) if w[2].get("decomposition")), None):
        fund, name, window = waterfall
        parts = [charts.Bar(label, float(window["decomposition"][key])) for key, label in PARTS]
        total = charts.Bar("Fund", float(window["fund_return"]))
        title = f"{_fund_name(fund)}, {WINDOW_NAMES[name].lower()}: from the index to the fund"
        says = "; ".join(
            f"{bar.label} {percent(bar.value, 2, signed=True)} %" for bar in (*parts, total)
        )
        yield Chart(
            title,
            f"Waterfall: {says}.",
            charts.waterfall_chart(
                parts, total, title=title, description=says, key=f"drag-{place}"
            ),
        )


def _point(horizon: Mapping[str, Any]) -> charts.HorizonPoint:
    seen = read(horizon.get("empirical"))
    low, high = seen.ci95 if seen.ci95 is not None else (None, None)
    return charts.HorizonPoint(
        horizon["horizon_sessions"], _closed_form(horizon).value, seen.value, low, high
    )


def _point_words(point: charts.HorizonPoint) -> str:
    return (
        f"{point.sessions} sessions {percent(point.closed_form)} % closed form, "
        f"{percent(point.empirical)} % seen"
    )


def _notices(entry: Mapping[str, Any]) -> list[Notice]:
    """Problems and warnings; what several measures say is said once, with their names."""
    said: dict[tuple[str, str, str], list[str]] = {}
    for kind, item in sorted(entry["measures"].items(), key=_measure_order):
        found = [("Warning", warning) for warning in _warnings(item)]
        if problem := item.get("problem"):
            word = "Note" if item["status"] == "not_applicable" else "Problem"
            found.insert(0, (word, problem))
        for word, told in found:
            text = told.get("detail") or told.get("message") or told.get("title") or told["code"]
            cure = told.get("cure") or CURES.get(told["code"], "")
            key = (word, _minus_signs(_sentence(str(text))), str(cure))
            said.setdefault(key, []).append(MEASURE_NAMES.get(kind, kind))
    return [
        Notice(word, ", ".join(measures), text, cure)
        for (word, text, cure), measures in said.items()
    ]


def _measure_order(named: tuple[str, Any]) -> tuple[int, str]:
    """Beta, hedges, drag. The record's own order means nothing: the database keeps none."""
    known = list(MEASURE_NAMES)
    return known.index(named[0]) if named[0] in known else len(known), named[0]


def _warnings(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Of the result and of its funds' windows, each once."""
    result = item.get("result") or {}
    windows = [w for fund in result.get("funds", ()) for w in fund["windows"].values()]
    found = [*(result.get("warnings") or ())]
    for window in windows:
        found += window.get("warnings") or ()
        if window.get("problem"):
            found.append({"message": window["problem"]["detail"], **window["problem"]})
    return list({warning["message"]: warning for warning in found}.values())


def _sentence(text: str) -> str:
    """With a capital and a full stop: messages of the calculations have neither."""
    first = text[:1].upper() if text[:1].islower() and text.split(" ", 1)[0].islower() else text[:1]
    return f"{first}{text[1:]}{'' if text.endswith(('.', '?', '!')) else '.'}"


def _minus_signs(text: str) -> str:
    """A hyphen before a digit, after a space, is a minus sign."""
    return "".join(
        MINUS
        if character == "-"
        and text[place + 1 : place + 2].isdigit()
        and text[place - 1 : place] in {"", " ", "("}
        else character
        for place, character in enumerate(text)
    )


_NO_CLOSED_FORM = "There is a closed form where the hedge is one daily-reset fund alone."
_UNITS = (
    "Betas are pure numbers: return of the portfolio's net asset value per return of the "
    "benchmark. Percentages are marked % in the heading. Money is in the currency of the "
    "heading. Short positions have negative quantities and weights."
)
_BETA_NOTE = (
    "Look-through beta on daily simple total returns: a leveraged fund counts with its "
    "multiple, an option with its delta. Standard errors are robust to autocorrelation "
    "(Newey and West). Ignoring leverage: the figure one gets by treating funds as plain "
    "holdings; shown for comparison only."
)
_HEDGE_NOTE = (
    "Share of variance removed over the horizon. Closed form: exact for independent daily "
    "returns at the volatility of the sample. Seen: on non-overlapping blocks of that "
    f"length. {number(100 * THRESHOLD)} % is the line of practice for R², not a rule of the "
    "Codification. This is economic effectiveness, not an accounting opinion."
)
_COVERAGE_NOTE = (
    "Exposure of the hedge over exposure of the hedged item, against its start: a static "
    "position in a daily-reset fund drifts with the path."
)
_DRAG_NOTE = (
    "Exact discrete decomposition of the fund's return, in the order of the columns. "
    "Convexity is never negative, variance cost never positive; the residual holds premium, "
    "index fixing and distributions."
)
_UNAVAILABLE_NOTE = "A figure that could not be computed is shown as - with the reason, never as 0."


def _footnotes(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    versions = "; ".join(
        f"{MEASURE_NAMES.get(kind, kind)}: {version}"
        for kind, version in sorted(record["method_versions"].items())
    )
    notes = [
        ("Units", _UNITS),
        ("Semis beta", _BETA_NOTE),
        ("Hedge effectiveness", _HEDGE_NOTE),
        ("Coverage now", _COVERAGE_NOTE),
        ("Drag", _DRAG_NOTE),
        ("Unavailable", _UNAVAILABLE_NOTE),
    ]
    if versions:
        notes.append(("Methods", versions))
    return notes
