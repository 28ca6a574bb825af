"""Keys bound to client certificates, over TLS that a proxy ends."""

from __future__ import annotations

import base64
import http.server
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import urllib3
from riskapi_client import ApiError, RiskApi

from riskapi.embedded.supervisor import LOCAL
from tests.certificates import Shown, certificate_of
from tests.flows.service import Service

_BOUND = """
from portfolios.models import Client
from portfolios.services.api_keys import api_key_create
from portfolios.tenancy import operator_scope
with operator_scope():
    client, _ = Client.objects.get_or_create(slug="bound", defaults={"name": "Bound"})
    print(api_key_create(client, NAME, certificate=CERTIFICATE)[1])
"""


class Proxy(http.server.BaseHTTPRequestHandler):
    """Ends TLS and says in `Client-Cert` which certificate it has seen, whatever it was sent."""

    target, form = "", "rfc9440"
    connection: ssl.SSLSocket

    def do_GET(self) -> None:
        headers = {"Authorization": self.headers["Authorization"]}
        if der := self.connection.getpeercert(binary_form=True):
            value = f":{base64.b64encode(der).decode()}:"
            if self.form == "nginx":
                value = quote(ssl.DER_cert_to_PEM_cert(der), safe="")
            headers["Client-Cert"] = value
        request = urllib.request.Request(self.target + self.path, headers=headers)  # noqa: S310 - ours
        try:
            with LOCAL.open(request, timeout=60) as answer:
                status, body = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, body = error.code, error.read()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Shown]:
    """Of the proxy and of two callers, each also as files."""
    folder = tmp_path_factory.mktemp("certificates")
    return {name: certificate_of(name).kept_in(folder) for name in ("localhost", "ours", "other")}


@pytest.fixture(scope="module")
def address(service: Service, certificates: dict[str, Shown]) -> Iterator[str]:
    """Where the proxy listens."""
    port = service.launch_beside("tests.flows.certificate_settings")
    Proxy.target = f"http://127.0.0.1:{port}"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates["localhost"].file)
    context.verify_mode = ssl.CERT_OPTIONAL
    for name in ("ours", "other"):
        context.load_verify_locations(certificates[name].file)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def key(service: Service, certificates: dict[str, Shown]) -> str:
    script = _BOUND.replace("NAME", "'flow'").replace("CERTIFICATE", repr(certificates["ours"].pem))
    return service.manage("shell", "--no-imports", "-c", script).strip()


@pytest.mark.parametrize("form", ["rfc9440", "nginx"])
def test_a_bound_key_opens_over_its_own_certificate_alone(
    address: str,
    key: str,
    certificates: dict[str, Shown],
    form: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Proxy, "form", form)
    trusted = str(certificates["localhost"].file)
    for name, code in (
        ("ours", ""),
        ("other", "certificate-required"),
        ("", "certificate-required"),
    ):
        file: Path | None = certificates[name].file if name else None
        pool = urllib3.PoolManager(ca_certs=trusted, cert_file=str(file) if file else None)
        with RiskApi(address, key=key, patience=5, pool=pool) as risk:
            if not code:
                assert risk.get("/v1/portfolios")["data"] == []
                continue
            with pytest.raises(ApiError) as refused:
                risk.get("/v1/portfolios")
            assert (refused.value.status, refused.value.code) == (401, code)


def test_a_header_of_the_callers_own_is_worth_nothing(
    service: Service, address: str, key: str, certificates: dict[str, Shown]
) -> None:
    """Neither through the proxy, which writes its own, nor past it."""
    trusted = str(certificates["localhost"].file)
    forged = {"Authorization": f"Bearer {key}", "Client-Cert": certificates["ours"].rfc9440}
    with urllib3.PoolManager(ca_certs=trusted) as pool:
        assert pool.request("GET", f"{address}/v1/portfolios", headers=forged).status == 401
        assert (
            pool.request("GET", f"{service.base_url}/v1/portfolios", headers=forged).status == 401
        )
