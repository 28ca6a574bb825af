"""One POST to a real HTTPS server: the name is checked, time and bytes are bounded."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from pytest_django import Settings

from portfolios.webhooks import sending
from portfolios.webhooks.sending import KEPT_BYTES, post
from tests.receiver import Receiver, Reply


def test_request_arrives_with_name_headers_and_body(receiver: Receiver) -> None:
    receiver.answer = lambda _: Reply(200, body=b"thanks")
    reply = post(receiver.url + "?a=1", {"webhook-id": "evt_1"}, b'{"a":1}')
    assert (reply.status, reply.error, reply.body) == (200, "", "thanks")
    [got] = receiver.received
    assert (got.path, got.body, got.server_name) == ("/hook?a=1", b'{"a":1}', "localhost")
    assert got.headers["host"] == receiver.target
    assert got.headers["webhook-id"] == "evt_1"
    assert got.headers["content-type"] == "application/json"


def test_certificate_is_checked_for_the_name_though_an_address_is_called(
    receiver: Receiver, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", receiver.port))]
    real = socket.getaddrinfo

    def resolve(host: str, *rest: Any, **named: Any) -> Any:
        return answers if host.endswith(".com") else real(host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    for name, status in (("hooks.example.com", 204), ("hooks.example-evil.com", None)):
        settings.WEBHOOK_PRIVATE_TARGETS = [f"{name}:{receiver.port}"]
        reply = post(f"https://{name}:{receiver.port}/", {}, b"{}")
        assert reply.status == status
    assert reply.error.startswith("certificate:")
    assert [got.server_name for got in receiver.received] == ["hooks.example.com"]


def test_certificate_of_an_unknown_authority_is_refused(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    sending._context.cache_clear()
    assert post(receiver.url, {}, b"{}").error.startswith("certificate:")
    assert receiver.received == []


def test_redirect_is_an_answer_and_not_followed(receiver: Receiver) -> None:
    receiver.answer = lambda _: Reply(307, {"Location": receiver.url + "/elsewhere"})
    assert post(receiver.url, {}, b"{}").status == 307
    assert len(receiver.received) == 1


def test_of_a_large_answer_the_first_bytes_are_kept(receiver: Receiver) -> None:
    receiver.answer = lambda _: Reply(500, body=b"\x00\xff" + b"x" * 10_000_000)
    reply = post(receiver.url, {}, b"{}")
    assert reply.status == 500
    assert reply.body == "\ufffd\ufffd" + "x" * (KEPT_BYTES - 2)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("soon", None),
        ("-5", None),
        ("9" * 20, None),
        (f"Thu, {'9' * 20} Jan 2026 00:00:00 GMT", None),
        (f"Thu, 1 Jan {'9' * 20} 00:00:00 GMT", None),
        (f"Thu, 1 Jan 2026 00:00:00 +{'9' * 20}", None),
    ],
)
def test_retry_after_in_seconds(receiver: Receiver, given: str, expected: float | None) -> None:
    receiver.answer = lambda _: Reply(429, {"Retry-After": given})
    assert post(receiver.url, {}, b"{}").retry_after == expected


def test_retry_after_as_a_date(receiver: Receiver) -> None:
    moment = datetime.now(UTC) + timedelta(hours=1)
    receiver.answer = lambda _: Reply(503, {"Retry-After": format_datetime(moment, usegmt=True)})
    asked = post(receiver.url, {}, b"{}").retry_after
    assert asked is not None
    assert 3_000 < asked <= 3_600


def test_port_where_nobody_listens(settings: Settings) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings.WEBHOOK_PRIVATE_TARGETS = [f"localhost:{port}"]
    assert post(f"https://localhost:{port}/", {}, b"{}").error.startswith("connect")


def test_server_that_speaks_no_tls(settings: Settings) -> None:
    with answering(lambda connection: connection.sendall(b"SSH-2.0-x\r\n" * 20)) as port:
        settings.WEBHOOK_PRIVATE_TARGETS = [f"localhost:{port}"]
        assert post(f"https://localhost:{port}/", {}, b"{}").error.startswith("tls")


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("never", None),
        ("drip", None),
        ("drip header", None),
        ("drip body", 200),
        ("close", None),
        ("nonsense", None),
    ],
)
def test_receiver_that_never_ends_is_cut_off(
    receiver: Receiver,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    status: int | None,
) -> None:
    """Each goes on until the other side hangs up: that the call returns is the proof."""
    monkeypatch.setattr(sending, "TOTAL_SECONDS", 0.8)
    play = getattr(Scripts(receiver.context), script.replace(" ", "_"))
    with answering(play) as port:
        settings.WEBHOOK_PRIVATE_TARGETS = [f"localhost:{port}"]
        reply = post(f"https://localhost:{port}/", {}, b"{}")
    assert reply.status == status
    kinds = {"close": "protocol", "nonsense": "protocol"}
    assert reply.error.startswith(kinds.get(script, "timeout") if status is None else "")


class Scripts:
    """Ways of being slow or rude, until the other side hangs up."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self.tls = tls

    def never(self, connection: socket.socket) -> None:
        while connection.recv(4096):
            pass

    def drip(self, connection: socket.socket) -> None:
        """The first bytes of a handshake record that announces thousands."""
        connection.sendall(b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb")
        _forever(connection, b"\x00")

    def drip_header(self, connection: socket.socket) -> None:
        with self.tls.wrap_socket(connection, server_side=True) as secure:
            secure.recv(4096)
            secure.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            _forever(secure, b"x")

    def drip_body(self, connection: socket.socket) -> None:
        with self.tls.wrap_socket(connection, server_side=True) as secure:
            secure.recv(4096)
            secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            _forever(secure, b"x")

    def close(self, connection: socket.socket) -> None:
        with self.tls.wrap_socket(connection, server_side=True) as secure:
            secure.recv(4096)

    def nonsense(self, connection: socket.socket) -> None:
        with self.tls.wrap_socket(connection, server_side=True) as secure:
            secure.recv(4096)
            secure.sendall(b"what?\r\n\r\n")


def _forever(connection: socket.socket, byte: bytes) -> None:
    pause = threading.Event()
    while True:
        connection.sendall(byte)
        pause.wait(0.05)


@contextmanager
def answering(play: Callable[[Any], object]) -> Iterator[int]:
    """A listener that plays a script on the first connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    play(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield int(listener.getsockname()[1])
        thread.join()
