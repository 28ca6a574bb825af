"""`manage.py nightly`: the reports of a date, made here and now."""

from __future__ import annotations

import argparse
import json
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from analytics.models import Report
from analytics.services.nightly import Night, nightly_clients, nightly_date, nightly_run
from portfolios.errors import DomainError


class Command(BaseCommand):
    """Works on the rows that the workers work on; what is done already stays as it is."""

    help = "Make the nightly reports of a session, for every active client or for one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--date", type=_date, help="business date, YYYY-MM-DD; without: the latest session due"
        )
        parser.add_argument("--client", metavar="SLUG", help="this client alone")
        parser.add_argument(
            "--revise", action="store_true", help="make a new revision from what is known now"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_args: Any, **options: Any) -> None:
        console = Console(file=self.stdout)  # type: ignore[arg-type]  # has all that rich asks of a file
        try:
            business_date = nightly_date(options["date"])
            clients = nightly_clients(options["client"])
            with Progress(
                TextColumn("Reports of {task.fields[day]}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[client]}"),
                console=Console(stderr=True),
                transient=True,
                disable=options["json"],
            ) as progress:
                task = progress.add_task("", total=len(clients), day=business_date, client="")
                nights = []
                for night in nightly_run(business_date, clients, revise=options["revise"]):
                    nights.append(night)
                    progress.update(task, advance=1, client=night.report.client.name)
        except DomainError as refusal:
            raise CommandError(refusal.message) from None
        if options["json"]:
            self.stdout.write(json.dumps(_facts(business_date, nights)))
        else:
            console.print(_table(business_date, nights))
            console.print(_closing(nights))
        failed = [night.report for night in nights if night.report.state != Report.State.DONE]
        if failed:
            raise CommandError(f"{len(failed)} of {len(nights)} reports could not be made.")


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date, YYYY-MM-DD") from None


def _facts(business_date: date, nights: list[Night]) -> dict[str, Any]:
    return {
        "business_date": business_date.isoformat(),
        "changed": any(night.made for night in nights),
        "reports": [
            {
                "client": night.report.client.slug,
                "id": night.report.public_id,
                "revision": night.report.revision,
                "state": str(night.report.state),
                "made": night.made,
                "totals": (night.report.record or {}).get("totals"),
                "content_hash": night.report.content_hash,
            }
            for night in nights
        ],
    }


def _table(business_date: date, nights: list[Night]) -> Table:
    table = Table(title=f"Reports of {business_date}", title_justify="left")
    for heading in ("Client", "Rev.", "State", "Portfolios", "Figures"):
        table.add_column(heading, justify="right" if heading in {"Rev.", "Portfolios"} else "left")
    table.add_column("Report", no_wrap=True, min_width=len(Report().public_id))
    for night in nights:
        totals = (night.report.record or {}).get("totals", {"portfolios": "", "by_status": {}})
        table.add_row(
            Text(night.report.client.name),
            str(night.report.revision),
            str(night.report.state) if night.made else f"{night.report.state}, unchanged",
            str(totals["portfolios"]),
            ", ".join(f"{count} {status}" for status, count in totals["by_status"].items()),
            night.report.public_id,
        )
    return table


def _closing(nights: list[Night]) -> str:
    made = sum(night.made for night in nights)
    if not nights:
        return "There is no active client."
    if not made:
        return "Nothing to do: every report is there already. --revise makes a new revision."
    return f"{made} made, {len(nights) - made} there already."
