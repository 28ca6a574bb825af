"""`manage.py load_sample`: the sample client, printed as one JSON object."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import Progress

from portfolios.errors import DomainError
from riskapi.sample.loading import load_sample


class Command(BaseCommand):
    """Load the sample client, or report the one that is there."""

    help = "Load the sample client (synthetic prices), or with --market real ones from a folder."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--market", metavar="DIR", help="a folder in the form of a market folder"
        )

    def handle(self, *, market: str | None = None, **_options: Any) -> None:
        """Load and print."""
        console = Console(stderr=True)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("importing", total=None)

            def show(path: Path, number: int, count: int) -> None:
                bar.update(task, description=path.name, completed=number, total=count)

            try:
                facts = load_sample(Path(market) if market else None, show)
            except DomainError as error:
                raise CommandError(error.message) from error
        self.stdout.write(json.dumps(facts))
