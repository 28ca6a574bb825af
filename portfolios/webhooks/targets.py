"""Which addresses an installation calls on a client's behalf: public ones, by HTTPS, on port 443.

The URL comes from a client, the network position is ours (server-side request forgery). So the
URL's form is narrow, its name is resolved once, every answer must be public, and the connection
goes to an address that was checked, never to the name again. Exempt are the `host:port` pairs
that the operator lists in `RISK_WEBHOOK_PRIVATE_TARGETS`.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
from dataclasses import dataclass

from django.conf import settings

from portfolios.errors import InvalidRequest

MAX_URL = 2_000
HTTPS_PORT = 443
#: A name server that keeps us waiting longer has not answered.
RESOLVE_SECONDS = 3.0
_MAX_RESOLVING = 16
_resolving = threading.BoundedSemaphore(_MAX_RESOLVING)

#: One spelling per URL: no user info, no fragment, no backslash, no escapes in the host.
_URL = re.compile(
    r"https://(?P<host>[A-Za-z0-9.-]+)(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<path>(?:[/?](?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?)",
    re.ASCII,
)
#: At least two labels, the last one beginning with a letter: no IPv4 address in any spelling.
_NAME = re.compile(
    r"(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?",
    re.ASCII,
)

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)
#: Not for us whatever the standard library of this Python says of them.
_CLOSED_V4 = [
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # public in form; the host's own service in one large cloud
    )
]  # fmt: skip
_CLOSED_V6 = [
    ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
]


class TargetRefused(InvalidRequest):
    """The URL is not one we call."""

    code = "webhook-url-refused"

    def __init__(self, message: str) -> None:
        entry = {"pointer": "/url", "code": self.code, "message": message}
        super().__init__(message, errors=[entry])


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart."""

    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The Host header."""
        return self.host if self.port == HTTPS_PORT else f"{self.host}:{self.port}"

    @property
    def is_exempt(self) -> bool:
        """Whether the operator has listed exactly this host and port."""
        return f"{self.host}:{self.port}" in settings.WEBHOOK_PRIVATE_TARGETS


def target_of(url: str) -> Target:
    """Take a client's URL apart; raises TargetRefused for every form but the plain one."""
    if len(url) > MAX_URL:
        raise TargetRefused(f"A URL has at most {MAX_URL} characters.")
    found = _URL.fullmatch(url)
    if found is None:
        raise TargetRefused(
            "Write the URL as https://host.example/path in ASCII (an international name in its"
            " xn-- form, other characters percent-encoded), without user name and fragment."
        )
    path = found["path"]
    target = Target(
        found["host"].lower(),
        int(found["port"] or HTTPS_PORT),
        path if path.startswith("/") else f"/{path}",
    )
    if target.is_exempt:
        return target
    if _NAME.fullmatch(target.host) is None:
        raise TargetRefused("Name the host in full, as hooks.example.com; not by an address.")
    if target.port != HTTPS_PORT:
        raise TargetRefused(f"Only port {HTTPS_PORT} is called.")
    return target


def addresses_of(target: Target, patience: float = RESOLVE_SECONDS) -> list[str]:
    """Resolve the name once; the addresses to connect to, all of them checked.

    If one address is not public, all are refused, and in the same words as a name that does not
    exist: otherwise a client could find out which names our own network knows.
    """
    found = _lookup(target, patience)
    if not found or not (target.is_exempt or all(map(is_public, found))):
        raise TargetRefused("The host's name does not resolve to public addresses alone.")
    return found


def is_public(text: str) -> bool:
    """Whether an address is anybody's on the Internet, what is embedded in it included."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not any(address in closed for closed in _CLOSED_V4)
    if address.scope_id is not None:
        return False
    embedded = _embedded(address)
    if embedded:
        return all(is_public(str(inner)) for inner in embedded)
    return (
        address in _GLOBAL_UNICAST
        and address.is_global
        and not any(address in closed for closed in _CLOSED_V6)
    )


def _embedded(address: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """IPv4 addresses that a packet to this one is sent on to."""
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address.sixtofour is not None:
        return [address.sixtofour]
    if address.teredo is not None:
        return list(address.teredo)
    low = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _NAT64:
        return [low]
    if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP and not is_public(str(low)):
        return [low]
    return []


def _lookup(target: Target, patience: float) -> list[str]:
    """What the resolver says, in its order; nothing where it fails or takes too long.

    The call cannot be interrupted, so a thread makes it and is left alone after `patience` seconds;
    at most `_MAX_RESOLVING` such threads live at a time.
    """
    places = _resolving
    if not places.acquire(timeout=patience):
        return []
    found: list[str] = []
    over = threading.Event()

    def ask() -> None:
        try:
            answers = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
            found.extend(dict.fromkeys(str(answer[4][0]) for answer in answers))
        except (OSError, UnicodeError):
            found.clear()
        finally:
            places.release()
            over.set()

    threading.Thread(target=ask, name=f"resolve-{target.host}", daemon=True).start()
    return list(found) if over.wait(patience) else []
