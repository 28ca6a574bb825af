"""The Python client against a service that fails in every way."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from riskapi_client import ApiError, PrivateKey, RiskApi, TransportError


class Moody(http.server.BaseHTTPRequestHandler):
    """Answers as scripted: a status, `drop` for a closed connection."""

    script: list[Any] = []
    seen: list[tuple[str, str | None]] = []
    retry_after = "0"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, self.headers["Idempotency-Key"]))
        told = self.script.pop(0)
        if told == "drop":
            self.connection.close()
            return
        status, code = told
        body = json.dumps({"code": code, "id": "pf_1", "detail": "scripted", "errors": [],
                           "access_token": "t", "expires_in": 900}).encode()  # fmt: skip
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status in (409, 429):
            self.send_header("Retry-After", self.retry_after)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def moody() -> Iterator[str]:
    Moody.script, Moody.seen = [], []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Moody)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_what_fails_is_sent_again_with_the_same_key(moody: str) -> None:
    Moody.script = [
        "drop", (503, "service-degraded"), (429, "quota-exceeded"),
        (409, "idempotency-in-progress"), (201, ""),
    ]  # fmt: skip
    with RiskApi(moody, key="k") as risk:
        assert risk.post("/v1/portfolios", {"name": "x"})["id"] == "pf_1"
    assert len({key for _, key in Moody.seen}) == 1
    assert len(Moody.seen) == 5


def test_each_call_has_a_key_of_its_own_unless_one_is_given(moody: str) -> None:
    Moody.script = [(201, "")] * 3
    with RiskApi(moody, key="k") as risk:
        risk.post("/v1/portfolios", {})
        risk.post("/v1/portfolios", {})
        risk.post("/v1/portfolios", {}, idempotency_key="mine")
    keys = [key for _, key in Moody.seen]
    assert len(set(keys)) == 3
    assert keys[2] == "mine"


def test_a_token_that_cannot_be_had_now_is_asked_for_again(moody: str) -> None:
    Moody.script = ["drop", (503, ""), (429, ""), (200, ""), (201, "")]
    with RiskApi(moody, client_id="c", client_secret="s") as risk:
        assert risk.post("/v1/portfolios", {})["id"] == "pf_1"
    assert [path for path, _ in Moody.seen] == ["/oauth/token"] * 4 + ["/v1/portfolios"]


@pytest.mark.parametrize("statuses", [(401,), (200, 401, 401), (200, 401, 200, 401)])
def test_a_refused_token_is_renewed_once(moody: str, statuses: tuple[int, ...]) -> None:
    Moody.script = [(status, "") for status in statuses]
    with RiskApi(moody, client_id="c", client_secret="s") as risk, pytest.raises(ApiError):
        risk.post("/v1/portfolios", {})
    assert len(Moody.seen) == len(statuses)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 422, 500])
def test_a_refusal_is_not_sent_again(moody: str, status: int) -> None:
    Moody.script = [(status, "refused")]
    with RiskApi(moody, key="k") as risk, pytest.raises(ApiError):
        risk.post("/v1/portfolios", {})
    assert len(Moody.seen) == 1


def test_patience_ends(moody: str) -> None:
    Moody.script = ["drop"] * 50
    with RiskApi(moody, key="k", patience=1.0) as risk, pytest.raises(TransportError):
        risk.post("/v1/portfolios", {})
    assert len(Moody.seen) > 1


def test_one_way_to_say_who_is_calling() -> None:
    with pytest.raises(ValueError, match="either key or client_id"):
        RiskApi("http://x", key="k", client_id="c", client_secret="s")
    halves: list[dict[str, Any]] = [{}, {"client_id": "c"}, {"client_secret": "s"}]
    for half in halves:
        with pytest.raises(ValueError, match="either key or client_id"):
            RiskApi("http://x", **half)


def test_a_private_key_is_one() -> None:
    with pytest.raises(ValueError, match="P-256, Ed25519 or RSA"):
        PrivateKey("nothing", "kid")


def test_what_is_sent_again_waits_as_long_as_it_was_told(
    moody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("riskapi_client.transport.time.sleep", waited.append)
    monkeypatch.setattr(Moody, "retry_after", "7")
    Moody.script = [(429, "quota-exceeded"), (201, "")]
    with RiskApi(moody, key="k") as risk:
        assert risk.post("/v1/portfolios", {"name": "x"})["id"] == "pf_1"
    assert waited == [7.0]


def test_who_is_told_to_wait_longer_than_its_patience_is_told_so_at_once(
    moody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Moody, "retry_after", "600")
    Moody.script = [(429, "quota-exceeded")]
    with RiskApi(moody, key="k") as risk, pytest.raises(ApiError, match="quota-exceeded"):
        risk.post("/v1/portfolios", {"name": "x"})
    assert len(Moody.seen) == 1
