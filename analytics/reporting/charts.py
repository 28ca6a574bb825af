"""Charts as SVG text, the same bytes for the same numbers.

Drawn on `Figure` objects, never through pyplot: no global state, no display. Text stays text, so
the file is small, can be searched, and takes the reader's font. Nothing is told by color alone:
bars carry their number, lines their marker and label.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analytics.reporting.formats import number, percent

INK, FAINT, GRID = "#1f2933", "#66727f", "#dfe3e8"
POSITIVE, NEGATIVE, TOTAL = "#2a6f97", "#b3541e", "#4a5560"
WIDTH = 6.3

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica"],
    "font.size": 8,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.unicode_minus": True,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.parse_math": False,
}
_UNUSED_ID = re.compile(
    r' id="(?:figure|axes|patch|text|line2d|matplotlib\.axis|xtick|ytick|\w*Collection|legend)_\d+"'
)


class Bar(NamedTuple):
    """One bar: its name, its signed value."""

    label: str
    value: float


class HorizonPoint(NamedTuple):
    """Effectiveness at a horizon: by the closed form, and seen on non-overlapping blocks."""

    sessions: int
    closed_form: float | None
    empirical: float | None
    low: float | None
    high: float | None


def contributions_chart(bars: Sequence[Bar], *, title: str, description: str, key: str) -> str:
    """Signed horizontal bars, in the order given, from the top."""
    with mpl.rc_context({**_STYLE, "svg.hashsalt": key}):
        figure = Figure(figsize=(WIDTH, 0.42 + 0.21 * len(bars)), layout="constrained")
        axes = figure.subplots()
        values = [bar.value for bar in bars]
        rows = range(len(bars))
        drawn = axes.barh(
            rows, values, height=0.68, color=[POSITIVE if v >= 0 else NEGATIVE for v in values]
        )
        axes.bar_label(
            drawn, labels=[number(v, 3, signed=True) for v in values], padding=3, fontsize=7.5
        )
        axes.set_yticks(rows, [_short(bar.label) for bar in bars])
        axes.invert_yaxis()
        axes.set_ylim(len(bars) - 0.4, -0.6)
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.margins(x=0.14)
        axes.set_xlabel("contribution to beta (1)")
        _plain(axes, grid="x")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        return _svg(figure, title, description, key)


def horizon_chart(
    points: Sequence[HorizonPoint], *, threshold: float, title: str, description: str, key: str
) -> str:
    """Variance removed against the horizon: the closed form's line, the blocks with their band."""
    with mpl.rc_context({**_STYLE, "svg.hashsalt": key}):
        figure = Figure(figsize=(WIDTH, 2.5), layout="constrained")
        axes = figure.subplots()
        places = range(len(points))
        line = [
            (x, 100 * p.closed_form)
            for x, p in zip(places, points, strict=True)
            if p.closed_form is not None
        ]
        seen = [
            (
                x,
                100 * p.empirical,
                100 * (p.low if p.low is not None else p.empirical),
                100 * (p.high if p.high is not None else p.empirical),
            )
            for x, p in zip(places, points, strict=True)
            if p.empirical is not None
        ]
        if line:
            axes.plot(
                *zip(*line, strict=True),
                color=POSITIVE,
                marker="o",
                markersize=4,
                linewidth=1.4,
                label="closed form",
            )
        if seen:
            x, middle, low, high = (list(column) for column in zip(*seen, strict=True))
            axes.fill_between(x, low, high, color=NEGATIVE, alpha=0.14, linewidth=0)
            axes.plot(
                x,
                middle,
                color=NEGATIVE,
                marker="s",
                markersize=4,
                linewidth=1.2,
                linestyle=(0, (4, 2)),
                label="non-overlapping blocks, 95 % band",
            )
        axes.axhline(100 * threshold, color=INK, linewidth=0.7, linestyle=(0, (1, 2)))
        axes.annotate(
            f"{number(100 * threshold)} % line of practice",
            (0, 100 * threshold),
            xytext=(2, 2),
            textcoords="offset points",
            fontsize=7,
            color=FAINT,
        )
        lowest = min([y for _, y in line] + [row[2] for row in seen] + [0.0])
        axes.set_ylim(max(lowest, -100) - 4, 105)
        axes.set_xticks(places, [str(p.sessions) for p in points])
        axes.set_xlabel("horizon (sessions)")
        axes.set_ylabel("variance removed (%)")
        axes.legend(loc="lower left", frameon=False, fontsize=7.5)
        _plain(axes, grid="y")
        return _svg(figure, title, description, key)


def waterfall_chart(
    parts: Sequence[Bar], total: Bar, *, title: str, description: str, key: str
) -> str:
    """The parts of a fund's return, each starting where the former ended, and their sum."""
    with mpl.rc_context({**_STYLE, "svg.hashsalt": key}):
        figure = Figure(figsize=(WIDTH, 2.5), layout="constrained")
        axes = figure.subplots()
        level = 0.0
        for place, part in enumerate(parts):
            axes.bar(
                place,
                100 * part.value,
                bottom=100 * level,
                width=0.62,
                color=POSITIVE if part.value >= 0 else NEGATIVE,
            )
            end = 100 * (level + part.value)
            axes.plot([place - 0.31, place + 1.31], [end, end], color=FAINT, linewidth=0.6)
            _over(
                axes,
                place,
                100 * max(level, level + part.value),
                percent(part.value, 2, signed=True),
            )
            level += part.value
        axes.bar(len(parts), 100 * total.value, width=0.62, color=TOTAL)
        _over(axes, len(parts), 100 * max(total.value, 0.0), percent(total.value, 2, signed=True))
        axes.set_xticks(range(len(parts) + 1), [part.label for part in (*parts, total)])
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.margins(y=0.14)
        axes.set_ylabel("return (%)")
        _plain(axes, grid="y")
        axes.tick_params(axis="x", length=0)
        return _svg(figure, title, description, key)


def _over(axes: Axes, place: float, height: float, text: str) -> None:
    axes.annotate(
        text, (place, height), xytext=(0, 2), textcoords="offset points", ha="center", fontsize=7.5
    )


def _short(label: str) -> str:
    return label if len(label) <= 22 else label[:21] + "\N{HORIZONTAL ELLIPSIS}"


def _plain(axes: Axes, *, grid: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=grid, color=GRID, linewidth=0.6)  # type: ignore[arg-type]  # "x" or "y"
    axes.set_axisbelow(True)


def _svg(figure: Figure, title: str, description: str, key: str) -> str:
    """The drawing alone, named for screen readers, fit to stand beside others in one page."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    # Sheets and ids inside an inlined drawing would reach the whole page.
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"\s*<style[^>]*>.*?</style>", "", text, count=1, flags=re.DOTALL)
    text = _UNUSED_ID.sub("", text)
    head = f'<svg role="img" aria-labelledby="{key}-title {key}-desc" stroke-linejoin="round" '
    names = (
        f'<title id="{key}-title">{escape(title)}</title>'
        f'<desc id="{key}-desc">{escape(description)}</desc>'
    )
    return re.sub(r"<svg ([^>]*)>", lambda m: f"{head}{m[1]}>{names}", text, count=1)
