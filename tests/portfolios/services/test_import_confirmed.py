"""A price that looks like an error and is none: the operator says so, by ticker and day."""

from __future__ import annotations

import io
import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from portfolios.models import Instrument, Price
from portfolios.selectors.calendars import sessions_between
from portfolios.tenancy import operator_scope

pytestmark = pytest.mark.django_db

DAYS = sessions_between("XNYS", date(2026, 3, 2), date(2026, 11, 20))
JUMPS = (80, 120)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two shares, each with days of +19 % on the volume of any other day."""
    (tmp_path / "prices").mkdir()
    for seed, symbol in enumerate(("QUIET", "STILL")):
        moves = np.random.default_rng(seed).normal(0, 0.008, len(DAYS))
        moves[list(JUMPS)] = 0.19
        closes = 50 * np.cumprod(1 + moves)
        rows = [
            f"{day},{c:.4f},{c * 1.002:.4f},{c * 0.998:.4f},{c:.4f},{c:.4f},1000"
            for day, c in zip(DAYS, closes, strict=True)
        ]
        text = "\n".join(["date,open,high,low,close,adj_close,volume", *rows, ""])
        (tmp_path / "prices" / f"{symbol}.csv").write_text(text)
    return tmp_path


def load(folder: Path, *confirmed: str) -> dict[str, dict[str, Any]]:
    output = io.StringIO()
    flags = [f"--confirm={text}" for text in confirmed]
    call_command("import_market", str(folder), "--json", *flags, stdout=output, stderr=output)
    text = output.getvalue()
    return {row["file"]: row for row in json.loads(text[text.index("[") :])}


def test_day_confirmed_is_taken_for_its_ticker_alone(folder: Path) -> None:
    days = [str(DAYS[n]) for n in JUMPS]
    before = load(folder)
    assert {row["status"] for row in before.values()} == {"refused"}
    problem = before["QUIET.csv"]["problems"][0]
    assert problem["code"] == "unexplained-jump"
    assert "--confirm TICKER=DATE" in problem["suggestion"]
    partly = load(folder, f"quiet={days[0]}")
    assert partly["QUIET.csv"]["status"] == "refused"
    after = load(folder, *(f"QUIET={day}" for day in days))
    assert after["QUIET.csv"]["status"] == "accepted"
    assert after["STILL.csv"]["status"] == "refused"
    told = [
        note["message"] for note in after["QUIET.csv"]["notes"] if note["code"] == "jump-confirmed"
    ]
    assert [message.partition(":")[0] for message in told] == days
    with operator_scope():
        assert Price.objects.filter(instrument__symbol="QUIET").count() == len(DAYS)
        assert not Instrument.objects.filter(symbol="STILL").exists()


def test_day_once_confirmed_is_on_file(folder: Path) -> None:
    """Loading the same folder again changes nothing, and asks for nothing."""
    flags = [f"QUIET={DAYS[n]}" for n in JUMPS]
    load(folder, *flags)
    again = load(folder)["QUIET.csv"]
    assert (again["status"], again["rows_changed"]) == ("accepted", 0)


@pytest.mark.parametrize("text", ["QUIET", "QUIET=soon", "=2026-11-20", "QUIET=2026-13-01"])
def test_confirmation_that_says_no_ticker_and_day_is_refused(folder: Path, text: str) -> None:
    with pytest.raises(CommandError, match=r"where TICKER=DATE is expected"):
        load(folder, text)
