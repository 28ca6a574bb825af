"""Units are read in the message that shows the credential: on kept connections, among refusals."""

from __future__ import annotations

import http.client
import itertools
import json
from concurrent.futures import ThreadPoolExecutor

from tests.flows.service import Service
from tests.sizes import sized

REQUESTS = sized(150, 1_000)
CONNECTIONS = 4
#: A client with a result of its own, a key that is good and one without the scope.
_HOLDER = """
import json

from analytics.models import Result
from portfolios.models import Client
from portfolios.services.api_keys import api_key_create
from portfolios.tenancy import client_scope, operator_scope
from tests.architecture.populations import fill
from tests.callers import caller_create
holder = caller_create(SLUG)
names = fill(holder, 1)
body = json.dumps({"result": SLUG, "status": "ok"})
with client_scope(holder.client.pk):
    Result.objects.update(body=body, content_hash=SLUG)
path = "/v1/runs/{run_id}/units/{name}".format(**names)
print(json.dumps([holder.text, holder.with_key(scopes=["prices:read"]).text, path, body]))
"""


def test_results_of_two_clients_on_kept_connections_never_mix(service: Service) -> None:
    scripts = [_HOLDER.replace("SLUG", repr(slug)) for slug in ("looker-one", "looker-two")]
    holders = [json.loads(service.manage("shell", "--no-imports", "-c", one)) for one in scripts]
    cases: list[tuple[str, str, str, int, str]] = []
    for (key, unscoped, path, body), other in zip(holders, reversed(holders), strict=True):
        cases += [
            ("GET", key, path, 200, body), ("HEAD", key, path, 200, ""),
            ("GET", key, other[2], 404, ""), ("GET", unscoped, path, 403, ""),
            ("GET", key[:-1] + "_", path, 401, ""), ("GET", key, f"{path}%20", 404, ""),
            ("GET", key, f"{path}?fields=status", 200, '{"status":"ok"}'),
            ("GET", key, f"{path}?format=none", 400, ""),
        ]  # fmt: skip

    def ask(first: int) -> int:
        connection = http.client.HTTPConnection(
            service.base_url.removeprefix("http://"), timeout=60
        )
        turns = itertools.islice(itertools.cycle(cases), first, first + REQUESTS)
        for method, key, path, status, body in turns:
            connection.request(method, path, headers={"Authorization": f"Bearer {key}"})
            answer = connection.getresponse()
            content = answer.read().decode()
            # Refused keys are limited by address.
            assert answer.status in (status, 429 if status == 401 else status), (path, content)
            if status == 200:
                assert content == body
            else:
                assert not any(one[3] in content for one in holders)
        connection.close()
        return REQUESTS

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        asked = list(pool.map(ask, range(0, 5 * CONNECTIONS, 5)))
    assert sum(asked) == CONNECTIONS * REQUESTS
