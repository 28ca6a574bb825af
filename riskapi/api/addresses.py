"""Where a request comes from, behind proxies too."""

from __future__ import annotations

import functools
import ipaddress

from django.conf import settings
from django.http import HttpRequest

from portfolios.services.certificates import thumbprint_of_header

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def client_address(request: HttpRequest) -> str:
    """The nearest address on the way that is not a proxy of ours.

    `X-Forwarded-For` is anybody's to write, so it is read from its end, where our own proxies have
    written, and no further than they vouch for. Without `RISK_TRUSTED_PROXIES` it is never read.
    WSGI has one name for it and for `X_Forwarded_For`, which proxies must therefore drop.
    """
    nearest: str = request.META.get("REMOTE_ADDR", "")
    trusted = _networks(tuple(settings.TRUSTED_PROXIES))
    hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if trusted else []
    found = _parsed(nearest)
    while found is not None and hops and any(found in network for network in trusted):
        before = _parsed(hops.pop())
        if before is None:
            break
        found = before
    return nearest if found is None else str(found)


def client_certificate(request: HttpRequest) -> str:
    """The SHA-256 thumbprint of the certificate that the caller has shown to our proxy, or "".

    Anybody can write the header, and a certificate is no secret. So it is read from the proxies in
    `RISK_CERTIFICATE_PROXIES` alone, which write it themselves whatever they have been sent.
    """
    header = request.META.get("HTTP_CLIENT_CERT", "")
    if not header or not settings.CERTIFICATE_PROXIES:
        return ""
    nearest = _parsed(request.META.get("REMOTE_ADDR", ""))
    trusted = _networks(tuple(settings.CERTIFICATE_PROXIES))
    if nearest is None or not any(nearest in network for network in trusted):
        return ""
    return thumbprint_of_header(header)


@functools.lru_cache(maxsize=1024)
def _parsed(text: str) -> _Address | None:
    """An address, written with a port or as IPv4 mapped into IPv6 too."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


@functools.lru_cache(maxsize=8)
def _networks(
    texts: tuple[str, ...],
) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)
