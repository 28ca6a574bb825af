"""The Python client with tokens, against a running service."""

from __future__ import annotations

import json
import time
import types
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from riskapi_client import ApiError, PrivateKey, RiskApi, transport

from riskapi.embedded.supervisor import LOCAL
from tests.flows.service import Service
from tests.key_pairs import Signer, key_of, pem_of

_APPLICATION = """
import json
from portfolios.models import ApiKey, Client
from portfolios.services.api_keys import api_key_create
from portfolios.services.public_keys import public_key_register
from portfolios.tenancy import operator_scope
with operator_scope():
    client, _ = Client.objects.get_or_create(slug="tokens", defaults={"name": "Tokens"})
    scopes = ["portfolios:read", "portfolios:write"]
    key, secret = api_key_create(client, NAME, scopes, kind=ApiKey.Kind.OAUTH)
    for algorithm, pem in json.loads(KEYS).items():
        public_key_register(key, pem, kid=algorithm, algorithm=algorithm)
    print(key.key_id, secret, api_key_create(client, NAME, ["audit:read"])[1])
"""


@dataclass
class Application:
    """An OAuth2 client of the service's, and how many tokens it has been given."""

    service: Service
    client_id: str
    secret: str
    auditor: str

    def tokens(self) -> int:
        with RiskApi(self.service.base_url, key=self.auditor) as audit:
            issued = audit.pages("/v1/audit", actor=f"oauth:{self.client_id}")
            return sum(event["action"] == "token.issued" for event in issued)

    def revoke_tokens(self) -> None:
        self.service.postgres.execute(
            "UPDATE portfolios_accesstoken SET revoked_at = now() WHERE credential_id ="
            f" (SELECT id FROM portfolios_apikey WHERE key_id = '{self.client_id}')"
        )

    def connect(self) -> RiskApi:
        return RiskApi(
            self.service.base_url, client_id=self.client_id, client_secret=self.secret, patience=5
        )


def application_of(service: Service, name: str, **keys: str) -> Application:
    script = _APPLICATION.replace("NAME", repr(name)).replace("KEYS", repr(json.dumps(keys)))
    return Application(service, *service.manage("shell", "--no-imports", "-c", script).split())


def test_a_token_is_kept_and_renewed_before_it_ends(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = application_of(service, "kept")
    passed = 0.0
    clock = types.SimpleNamespace(monotonic=lambda: time.monotonic() + passed, sleep=time.sleep)
    monkeypatch.setattr(transport, "time", clock)
    with application.connect() as risk:
        for _ in range(5):
            assert risk.get("/v1/me")["key"]["id"] == application.client_id
        passed = 800.0
        risk.get("/v1/me")
        assert application.tokens() == 1
        passed = 845.0  # of 900: a minute is left for requests on their way
        risk.get("/v1/me")
        risk.get("/v1/me")
        assert application.tokens() == 2


def test_a_token_that_was_revoked_is_renewed_once(service: Service) -> None:
    application = application_of(service, "revoked")
    with application.connect() as risk:
        risk.get("/v1/me")
        application.revoke_tokens()
        risk.post("/v1/portfolios", {"name": "once", "external_id": "once"})
        risk.get("/v1/me")
        assert application.tokens() == 2
        assert len(list(risk.portfolios(external_id="once"))) == 1


def test_a_client_that_is_shut_out_is_told_so_and_asks_no_more(service: Service) -> None:
    application = application_of(service, "shut out")
    with application.connect() as risk:
        risk.get("/v1/me")
        service.postgres.execute(
            "UPDATE portfolios_apikey SET revoked_at = now()"
            f" WHERE key_id = '{application.client_id}'"
        )
        with pytest.raises(ApiError, match="No such client") as refused:
            risk.get("/v1/me")
    assert (refused.value.status, refused.value.code) == (401, "invalid_client")
    assert application.tokens() == 1


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "PS256", "EdDSA"])
@pytest.mark.parametrize("form", ["pem", "jwk"])
def test_a_private_key_gets_tokens(service: Service, algorithm: str, form: str) -> None:
    key = key_of(algorithm)
    application = application_of(service, f"{algorithm} {form}", **{algorithm: pem_of(key)})
    given = key.as_dict(private=True) if form == "jwk" else pem_of(key, private=True)
    said = algorithm if algorithm == "PS256" else None
    proof = PrivateKey(given, algorithm, algorithm=said)
    with RiskApi(
        service.base_url, client_id=application.client_id, private_key=proof, patience=5
    ) as risk:
        assert risk.get("/v1/me")["key"]["id"] == application.client_id
        application.revoke_tokens()
        assert risk.get("/v1/portfolios")["data"] is not None
    assert application.tokens() == 2


def test_of_twenty_uses_of_one_assertion_one_gets_a_token(service: Service) -> None:
    signer = Signer("", audience=f"{service.base_url}/oauth/token", kid="ES256")
    application = application_of(service, "race", ES256=pem_of(signer.key))
    signer.client_id = application.client_id
    for _ in range(5):
        form = {"grant_type": "client_credentials", **signer.form()}
        with ThreadPoolExecutor(20) as pool:
            got = Counter(pool.map(lambda form: _status(service, form), [form] * 20))
        assert got == {200: 1, 401: 19}
    assert application.tokens() == 5


def _status(service: Service, form: dict[str, str]) -> int:
    request = urllib.request.Request(  # noqa: S310 - our own http address
        f"{service.base_url}/oauth/token", data=urllib.parse.urlencode(form).encode()
    )
    try:
        with LOCAL.open(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return int(error.code)
