"""Thumbprints of certificates, which keys may be bound to (RFC 8705, section 3)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from portfolios.errors import InvalidRequest

_FINGERPRINT = re.compile(r"(?:sha256 fingerprint=)?((?:[0-9a-f]{2}:?){32})", re.IGNORECASE)
_PEM = re.compile(r"\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*")
_BYTE_SEQUENCE = re.compile(r":([A-Za-z0-9+/]+={0,2}):")


def thumbprint_of_header(value: str) -> str:
    """SHA-256 of the certificate in a `Client-Cert` header, in hexadecimal; "" where there is none.

    The header is that of RFC 9440, `:<DER in base64>:`. nginx has no such value, so what it does
    have is read too: PEM, percent-encoded. What is neither is no certificate.
    """
    value = value.strip()
    found = _BYTE_SEQUENCE.fullmatch(value) or _PEM.fullmatch(unquote(value))
    if found is None:
        return ""
    try:
        der = base64.b64decode("".join(found[1].split()), validate=True)
    except binascii.Error:
        return ""
    return hashlib.sha256(der).hexdigest()


def thumbprint_of_text(text: str) -> str:
    """That of a certificate in PEM, or of a fingerprint as `openssl x509 -fingerprint -sha256` says
    it; "" of nothing."""
    text = text.strip()
    if not text:
        return ""
    if found := _FINGERPRINT.fullmatch(text):
        return found[1].replace(":", "").lower()
    try:
        certificate = x509.load_pem_x509_certificate(text.encode())
    except ValueError:
        raise InvalidRequest(
            "This is no certificate in PEM, nor its SHA-256 fingerprint (64 hexadecimal digits, as"
            " `openssl x509 -noout -fingerprint -sha256` writes them)."
        ) from None
    return certificate.fingerprint(SHA256()).hex()
