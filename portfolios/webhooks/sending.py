"""One POST to one checked address: bounded in time and in bytes, without redirects or proxies."""

from __future__ import annotations

import email.utils
import functools
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import urllib3
from urllib3.connection import HTTPSConnection

from portfolios.webhooks.targets import Target, TargetRefused, addresses_of, target_of

#: From the look-up of the name to the status of the answer, however slowly its bytes drip.
TOTAL_SECONDS = 15.0
_CONNECT_SECONDS = 5.0
_ADDRESSES_TRIED = 3
#: So much of an answer is read and kept.
KEPT_BYTES = 500


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one attempt; `error` is empty where an answer with a status came."""

    seconds: float
    status: int | None = None
    error: str = ""
    body: str = ""
    retry_after: float | None = None


class _Cut(Exception):
    """The time was up."""


class _Connection(HTTPSConnection):
    """Connects to an address, asks for a name, and is cut off at a deadline.

    Timeouts of a socket begin anew with every byte. The timer shuts the connection itself down,
    which ends whatever the thread waits for: the handshake, a header, the body.
    """

    def __init__(self, address: str, target: Target, deadline: float) -> None:
        remaining = deadline - time.monotonic()
        super().__init__(
            address,
            target.port,
            timeout=max(min(_CONNECT_SECONDS, remaining), 0.01),
            ssl_context=_context(),
            server_hostname=target.host,
        )
        self._deadline = deadline
        self._held: socket.socket | None = None
        self._timer: threading.Timer | None = None

    def _new_conn(self) -> socket.socket:
        connected = super()._new_conn()
        self._held = connected.dup()
        self._timer = threading.Timer(max(self._deadline - time.monotonic(), 0.0), self._cut)
        self._timer.daemon = True
        self._timer.start()
        # From here on the timer bounds the time. The library sets `timeout` on the socket once more
        # before it reads, so both must be long enough not to end anything before the timer does.
        self.timeout = TOTAL_SECONDS
        connected.settimeout(TOTAL_SECONDS)
        return connected

    def _cut(self) -> None:
        try:
            if self._held is not None:
                self._held.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the other side was first

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
        if self._held is not None:
            self._held.close()
        super().close()


_FAILURES = (_Cut, OSError, ValueError, urllib3.exceptions.HTTPError, http.client.HTTPException)


def post(url: str, headers: Mapping[str, str], body: bytes) -> Reply:
    """Send, and say what came of it; never raises for what the other side does."""
    began = time.monotonic()
    deadline = began + TOTAL_SECONDS
    try:
        target = target_of(url)
        connection = _connected(target, addresses_of(target), deadline)
    except TargetRefused as refusal:
        return Reply(time.monotonic() - began, error=f"address refused: {refusal.message}")
    except _FAILURES as error:
        return Reply(time.monotonic() - began, error=_named(error, deadline))
    try:
        return _exchange(connection, target, headers, body, deadline)
    except _FAILURES as error:
        return Reply(time.monotonic() - began, error=_named(error, deadline))
    finally:
        connection.close()


def _connected(target: Target, addresses: list[str], deadline: float) -> _Connection:
    """A connection to the first of the addresses that takes one."""
    failure: Exception = _Cut()
    for address in addresses[:_ADDRESSES_TRIED]:
        if time.monotonic() >= deadline:
            break
        connection = _Connection(address, target, deadline)
        try:
            connection.connect()
        except _FAILURES as error:
            connection.close()
            failure = error
            continue
        return connection
    raise failure


def _exchange(
    connection: _Connection,
    target: Target,
    headers: Mapping[str, str],
    body: bytes,
    deadline: float,
) -> Reply:
    connection.request(
        "POST",
        target.path,
        body=body,
        headers={
            "Host": target.authority,
            "User-Agent": "RiskAPI-Webhooks/1",
            "Content-Type": "application/json",
            "Connection": "close",
            **headers,
        },
        preload_content=False,
        decode_content=False,
    )
    response = connection.getresponse()
    if time.monotonic() >= deadline:
        # The timer cut the connection in the middle of the headers; the library took that for their
        # end and made an answer of what had come.
        raise _Cut
    status = response.status
    retry_after = _retry_after(response.headers.get("Retry-After"))
    try:
        kept = response.read(KEPT_BYTES)
    except _FAILURES:
        kept = b""  # the status is the answer; what follows is only for the log
    return Reply(
        time.monotonic() - deadline + TOTAL_SECONDS,
        status=status,
        body=kept[:KEPT_BYTES].decode("utf-8", "replace").replace("\x00", "\ufffd"),
        retry_after=retry_after,
    )


def _retry_after(text: str | None) -> float | None:
    """Seconds from now, given as such or as a date."""
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) < 8:
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)


def _named(error: Exception, deadline: float) -> str:
    """A short, stable word for the log, and the library's own where it helps."""
    chain = [error, *(e for e in (error.__cause__, error.__context__, *error.args) if e)]
    certificate = next((e for e in chain if isinstance(e, ssl.SSLCertVerificationError)), None)
    if certificate is not None:
        return f"certificate: {certificate.verify_message}"[:200]
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        return "connect: the connection was not accepted"
    slow = (TimeoutError, urllib3.exceptions.TimeoutError, _Cut)
    if time.monotonic() >= deadline or any(isinstance(e, slow) for e in chain):
        return f"timeout: no answer within {TOTAL_SECONDS:.0f} s"
    if any(isinstance(e, (ssl.SSLError, urllib3.exceptions.SSLError)) for e in chain):
        return "tls: the handshake failed"
    return "protocol: the connection ended without an HTTP answer"


@functools.cache
def _context() -> ssl.SSLContext:
    """Certificates are checked against the system's authorities (SSL_CERT_FILE names others)."""
    return ssl.create_default_context()
