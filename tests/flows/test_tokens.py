"""Tokens on a running service: what is revoked opens nothing, on no connection."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from riskapi.embedded.supervisor import LOCAL
from tests.flows.service import Api, Service


@pytest.fixture(scope="module")
def credentials(service: Service) -> tuple[str, str]:
    return service.oauth_client(service.stranger_key(), ["portfolios:read"])


def ask(service: Service, path: str, credentials: tuple[str, str], **form: str) -> Any:
    form |= {"client_id": credentials[0], "client_secret": credentials[1]}
    request = urllib.request.Request(  # noqa: S310 - our own http address
        service.base_url + path, data=urllib.parse.urlencode(form).encode()
    )
    with LOCAL.open(request, timeout=60) as answer:
        return json.loads(answer.read())


def statuses(service: Service, tokens: list[str]) -> Counter[int]:
    with ThreadPoolExecutor(16) as pool:
        return Counter(
            pool.map(lambda t: Api(service.base_url, t).get("/v1/portfolios").status, tokens)
        )


def test_no_request_passes_once_its_token_is_revoked(
    service: Service, credentials: tuple[str, str]
) -> None:
    with ThreadPoolExecutor(8) as pool:
        given = list(
            pool.map(
                lambda _: ask(
                    service, "/oauth/token", credentials, grant_type="client_credentials"
                ),
                range(10),
            )
        )
    tokens = [answer["access_token"] for answer in given]
    assert len(set(tokens)) == 10
    assert statuses(service, tokens * 5) == {200: 50}

    ask(service, "/oauth/revoke", credentials, token=tokens[0])

    assert statuses(service, [tokens[0]] * 50) == {401: 50}
    assert statuses(service, tokens[1:] * 5) == {200: 45}

    service.postgres.execute(
        f"UPDATE portfolios_apikey SET revoked_at = now() WHERE key_id = '{credentials[0]}'"
    )

    assert statuses(service, tokens * 5) == {401: 50}
    with pytest.raises(urllib.error.HTTPError, match="401"):
        ask(service, "/oauth/token", credentials, grant_type="client_credentials")
