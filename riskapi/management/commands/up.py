"""`manage.py up`: the whole service from nothing, with first results, until Ctrl-C."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from riskapi.embedded import first_results, supervisor
from riskapi.embedded.migrations import migrate
from riskapi.embedded.results_table import results_table

#: Columns of the table where no terminal says how many there are.
_PLAIN_WIDTH = 132


class Command(BaseCommand):
    """Start every server and process of the service and show what it computes."""

    help = "Start the whole service on this machine, load a sample client, show its first results."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--once", action="store_true", help="end after the first results")
        parser.add_argument(
            "--json", action="store_true", dest="as_json", help="print the facts as one JSON object"
        )
        parser.add_argument("--market", metavar="DIR", help="load this market folder as the sample")
        parser.add_argument("--port", type=int, default=8000, help="port of the web server (8000)")

    def handle(
        self, *, once: bool, as_json: bool, market: str | None, port: int, **_options: object
    ) -> None:
        """Start, show, stay."""
        running = supervisor.prepared()
        self._progress = Progress(running.started_at)
        sample = self._start(running, port, market)
        with ThreadPoolExecutor(len(sample.analyses)) as pool:
            results = list(
                pool.map(
                    lambda kind: first_results.run_analysis(running.base_url, sample, kind),
                    sample.analyses,
                )
            )
        self._progress.say("first results are there")
        facts = {
            "base_url": running.base_url,
            "client": sample.client,
            "synthetic": sample.is_synthetic,
            "api_key": sample.api_key,
            "admin": {
                "url": f"{running.base_url}/admin/",
                "username": sample.admin_username,
                "password": sample.admin_password,
            },
            "results": results,
        }
        if once:
            self._show(facts, as_json=as_json)
            failed = [run["kind"] for run in results if not first_results.succeeded(run)]
            if failed:
                raise CommandError(f"no result from {', '.join(failed)}")
            running.patience = 0.5  # nothing is under way
        else:
            if not as_json:
                self._show(facts, as_json=False)
            facts["test_api_key"] = first_results.load_sandbox(sample)
            self._progress.say("the sandbox is loaded")
            if as_json:
                self._show(facts, as_json=True)
            else:
                self.stdout.write(f"Test key           {facts['test_api_key']}")
                self.stdout.flush()
            self._progress.say(f"logs in {running.state.logs}; Ctrl-C ends everything")
            running.start_relay_and_scheduler()
            while True:
                running.check(self._progress.say)
                time.sleep(0.5)

    def _start(
        self, running: supervisor.Supervisor, wanted_port: int, market: str | None
    ) -> first_results.Sample:
        running.servers.wait()
        self._progress.say("database and broker are there")
        port = supervisor.free_port(wanted_port)
        if port != wanted_port:
            self._progress.say(f"port {wanted_port} is taken, using {port}")
        running.start_web(port)
        if migrate():
            self._progress.say("tables are up to date")
        running.start_worker()
        sample = first_results.load_sample(market)
        for remark in sample.remarks:
            self._progress.say(remark)
        self._progress.say(f"{sample.client} is loaded")
        running.wait_until_ready(self._progress.say)
        self._progress.say(f"web server answers at {running.base_url}")
        return sample

    def _show(self, facts: dict[str, Any], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(facts))
            self.stdout.flush()
            return
        console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _PLAIN_WIDTH)
        console.print(results_table(facts["results"], f"First results of {facts['client']}"))
        console.print(f"Guide              {facts['base_url']}/v1/guide", highlight=False)
        console.print(f"API documentation  {facts['base_url']}/v1/docs", highlight=False)
        console.print(f"API key            {facts['api_key']}", highlight=False, soft_wrap=True)
        admin = facts["admin"]
        console.print(
            f"Admin              {admin['url']}  {admin['username']} / {admin['password']}",
            highlight=False,
            soft_wrap=True,
        )


class Progress:
    """Lines on standard error with the seconds since the start."""

    def __init__(self, started_at: float) -> None:
        self._started_at = started_at

    def say(self, text: str) -> None:
        """Print one line."""
        sys.stderr.write(f"riskapi: {time.monotonic() - self._started_at:5.1f} s  {text}\n")
        sys.stderr.flush()
