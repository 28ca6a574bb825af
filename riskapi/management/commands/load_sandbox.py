"""`manage.py load_sandbox`: a client's sandbox, printed as one JSON object."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portfolios.errors import DomainError
from riskapi.sample.books import SYNTHETIC
from riskapi.sample.loading import load_sandbox


class Command(BaseCommand):
    """Make a client's sandbox, or complete the one that is there."""

    help = (
        "Make the sandbox of a client, with a test key, or add to the one that is there what it"
        " lacks; what is in it is left as it is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("slug", nargs="?", default=SYNTHETIC.slug, help="of the client")

    def handle(self, *, slug: str = SYNTHETIC.slug, **_options: Any) -> None:
        """Load and print."""
        try:
            facts = load_sandbox(slug)
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(json.dumps(facts))
