"""Client certificates, signed by themselves."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


@dataclass(frozen=True)
class Shown:
    """A certificate, and how proxies pass it on."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    file: Path = Path()

    def kept_in(self, folder: Path) -> Shown:
        """The same with a file of certificate and private key."""
        file = folder / f"{self.thumbprint}.pem"
        private = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_text(self.pem + private.decode())
        return replace(self, file=file)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def rfc9440(self) -> str:
        der = self.certificate.public_bytes(Encoding.DER)
        return f":{base64.b64encode(der).decode()}:"

    @property
    def nginx(self) -> str:
        """`$ssl_client_escaped_cert`: all but letters, digits and `-._~` is percent-encoded."""
        return quote(self.pem, safe="")

    @property
    def thumbprint(self) -> str:
        return hashlib.sha256(self.certificate.public_bytes(Encoding.DER)).hexdigest()


def certificate_of(name: str) -> Shown:
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(names)
        .issuer_name(names)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    return Shown(made.sign(key, hashes.SHA256()), key)
