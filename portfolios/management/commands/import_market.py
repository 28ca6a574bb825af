"""Import a folder in the form of a market folder, or a single file of it."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from portfolios.errors import DomainError
from portfolios.services.feed_hints import Confirmed
from portfolios.services.imports import FileOutcome, import_file, import_folder
from portfolios.tenancy import operator_scope

_SHOWN_PROBLEMS = 20
#: Columns of the table where no terminal says how many there are.
_PLAIN_WIDTH = 132


class Command(BaseCommand):
    help = (
        "Import market data shared by all clients: a folder with prices/TICKER.csv and, where"
        " present, splits, distributions, rates, fund_facts, holdings/, options/; or one file."
        " The same data again changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, help="a folder, or a single CSV file")
        parser.add_argument(
            "--confirm",
            metavar="TICKER=DATE",
            type=_confirmation,
            action="append",
            default=[],
            help="the price of this day is real, though it looks wrong; again for more days",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, path: Path, **options: Any) -> None:
        if not path.exists():
            raise CommandError(f"{path} does not exist.")
        console = Console(file=sys.stderr)
        try:
            outcomes = self._import(path, console, _by_ticker(options["confirm"]))
        except DomainError as error:
            raise CommandError(error.message) from error
        if options["json"]:
            self.stdout.write(json.dumps([_as_json(outcome) for outcome in outcomes]))
        else:
            width = None if sys.stdout.isatty() else _PLAIN_WIDTH
            _show(outcomes, Console(file=self.stdout, width=width))  # type: ignore[arg-type]  # has all that rich asks of a file

    def _import(self, path: Path, console: Console, confirmed: Confirmed) -> list[FileOutcome]:
        if path.is_file():
            with operator_scope():
                return [import_file(path, confirmed=confirmed)]
        columns = (
            TextColumn("{task.description:<28}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=console) as progress:
            bar = progress.add_task("importing", total=None)
            outcomes = import_folder(
                path,
                progress=lambda file, number, total: progress.update(
                    bar, description=file.name, completed=number, total=total
                ),
                confirmed=confirmed,
            )
            progress.update(bar, description="imported", completed=len(outcomes))
        return outcomes


def _confirmation(text: str) -> tuple[str, date]:
    ticker, _, day = text.partition("=")
    try:
        if ticker:
            return ticker.upper(), date.fromisoformat(day)
    except ValueError:
        pass
    raise ArgumentTypeError(f"{text!r} where TICKER=DATE is expected, for example NVDA=2026-11-20")


def _by_ticker(given: Iterable[tuple[str, date]]) -> Confirmed:
    days: dict[str, set[date]] = {}
    for ticker, day in given:
        days.setdefault(ticker, set()).add(day)
    return {ticker: frozenset(several) for ticker, several in days.items()}


def _as_json(outcome: FileOutcome) -> dict[str, Any]:
    imported = outcome.imported
    return {
        "file": outcome.path.name,
        "kind": imported.kind,
        "instrument": imported.instrument_symbol,
        "status": outcome.verdict.status,
        "rows_in": imported.rows_in,
        "rows_accepted": imported.rows_accepted,
        "rows_rejected": imported.rows_rejected,
        "rows_changed": imported.rows_changed,
        "notes": imported.notes,
        "problems": [
            {
                "row": problem.row,
                "column": problem.column,
                "code": problem.code,
                "value": problem.value,
                "message": problem.message,
                "suggestion": problem.suggestion,
            }
            for problem in outcome.verdict.problems
        ],
    }


def _show(outcomes: list[FileOutcome], console: Console) -> None:
    table = Table(title="Imported", header_style="bold")
    for name in ("file", "kind", "verdict"):
        table.add_column(name)
    for name in ("rows in", "accepted", "rejected", "changed"):
        table.add_column(name, justify="right")
    for outcome in outcomes:
        imported = outcome.imported
        counts = (
            imported.rows_in,
            imported.rows_accepted,
            imported.rows_rejected,
            imported.rows_changed,
        )
        table.add_row(
            outcome.path.name,
            imported.kind,
            outcome.verdict.status.replace("_", " "),
            *(f"{count:,}" for count in counts),
        )
    console.print(table)
    for outcome in outcomes:
        problems = outcome.verdict.problems
        for problem in problems[:_SHOWN_PROBLEMS]:
            place = f"row {problem.row}" if problem.row else "file"
            column = f", column {problem.column}" if problem.column else ""
            cure = f" {problem.suggestion}" if problem.suggestion else ""
            console.print(
                f"{outcome.path.name}: {place}{column}: {problem.code}: {problem.message}.{cure}",
                markup=False,
                highlight=False,
            )
        if len(problems) > _SHOWN_PROBLEMS:
            console.print(f"{outcome.path.name}: and {len(problems) - _SHOWN_PROBLEMS} more")
