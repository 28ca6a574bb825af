"""Load: 32 clients for as long as said, both children of the worker saturated, nothing lost.

`RISK_BENCH_SECONDS=600 python3 manage.py python -m tests.bench load`; a minute unless said.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter, defaultdict
from typing import Any

from tests.bench.timing import Goal, goals, latencies, show_table
from tests.flows.service import Api, Service
from tests.switches import figure

CLIENTS = 32
_SECONDS = figure("RISK_BENCH_SECONDS", 60)
_EXPECTED = {200, 202, 304}


def run(service: Service) -> bool:
    """Clients that ask for analyses and read; what came back, and how healthz did meanwhile."""
    sample = service.load_sample()
    load = _Load(Api(service.base_url, sample["api_key"]), sample["analyses"])
    threads = [threading.Thread(target=load.client, args=(number,)) for number in range(CLIENTS)]
    threads.append(threading.Thread(target=load.watch))
    for thread in threads:
        thread.start()
    time.sleep(_SECONDS)
    load.over.set()
    for thread in threads:
        thread.join()
    show_table(
        f"Load: {CLIENTS} clients for {_SECONDS:.0f} s, a new connection for each request",
        ("request", "answers", "what came back"),
        [
            (
                name,
                f"{sum(answers.values()):,}",
                ", ".join(f"{k}: {v:,}" for k, v in answers.items()),
            )
            for name, answers in sorted(load.answers.items())
        ],
        note=f"units waiting for a worker: {min(load.waiting)} to {max(load.waiting)}",
    )
    latencies("Latencies", load.seconds)
    health = sorted(load.seconds["GET /healthz"])
    p95 = 1e3 * health[int(0.95 * len(health))]
    errors = sum(
        number
        for answers in load.answers.values()
        for answer, number in answers.items()
        if answer not in _EXPECTED
    )
    return goals(
        "Goals of the load",
        [
            Goal("4", "errors", errors, 0.5, 0.0, unit=""),
            Goal("4", "p95 of /healthz", p95, 100.1, 100.0, unit=" ms"),
        ],
    )


class _Load:
    def __init__(self, api: Api, analyses: dict[str, Any]) -> None:
        self.api = api
        self.analyses = analyses
        self.over = threading.Event()
        self.answers: dict[str, Counter[Any]] = defaultdict(Counter)
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.waiting: list[int] = []
        self._lock = threading.Lock()

    def client(self, number: int) -> None:
        """Ask for an analysis, waiting for it or not, then read lists and results."""
        kinds = itertools.islice(itertools.cycle(self.analyses), number, None)
        last = None
        for turn, kind in enumerate(kinds):
            if self.over.is_set():
                return
            body = {**self.analyses[kind], "force": True}
            prefer = {"Prefer": "wait=20"} if (turn + number) % 4 == 0 else {}
            answer = self.ask("POST", f"/v1/analyses/{kind}", body, **prefer)
            if answer is not None:
                last = f"/v1/runs/{answer['id']}"
            for path in ("/v1/portfolios", "/v1/runs?limit=20", last, "/v1/me"):
                if path is not None:
                    self.ask("GET", path, None)

    def watch(self) -> None:
        """Ask for health twenty times a second, and how many units wait, now and then."""
        from analytics.models import Unit
        from portfolios.tenancy import operator_scope

        for turn in itertools.count():
            if self.over.wait(0.05):
                return
            self.ask("GET", "/healthz", None)
            if turn % 40 == 0:
                with operator_scope():
                    self.waiting.append(Unit.objects.filter(state="queued").count())

    def ask(self, method: str, path: str, body: Any, **headers: str) -> Any:
        name = f"{method} {'/v1/runs/{id}' if path.startswith('/v1/runs/') else path}"
        began = time.perf_counter()
        came: Any
        answer = None
        try:
            answer = self.api.send(method, path, body, **headers)
            came = answer.status
        except OSError as error:
            came = type(error).__name__
        taken = time.perf_counter() - began
        with self._lock:
            self.answers[name][came] += 1
            if not headers:
                self.seconds[name].append(taken)
        return answer.json if answer is not None and came in _EXPECTED else None
