"""The client's check of webhooks against the specification's own library."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from riskapi_client import InvalidSignature, verify_webhook
from standardwebhooks import Webhook

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OTHER = "whsec_" + base64.b64encode(b"fedcba9876543210fedcba9876543210").decode()
BODY = json.dumps({"type": "run.finished", "data": {"id": "run_1"}}).encode()
NOW = 1_796_083_200


def headers_of(*secrets: str, at: int = NOW) -> dict[str, str]:
    """Signed by the reference implementation, once with each secret."""
    moment = datetime.fromtimestamp(at, UTC)
    signed = [Webhook(secret).sign("msg_1", moment, BODY.decode()) for secret in secrets]
    return {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(at),
        "Webhook-Signature": " ".join(signed),
    }


def test_what_the_reference_signs_is_taken() -> None:
    assert verify_webhook(BODY, headers_of(SECRET), SECRET, now=NOW)["data"]["id"] == "run_1"


@pytest.mark.parametrize("secret", [SECRET, OTHER])
def test_while_rotating_either_secret_fits(secret: str) -> None:
    assert verify_webhook(BODY, headers_of(OTHER, SECRET), secret, now=NOW)


def test_a_changed_body_is_refused() -> None:
    with pytest.raises(InvalidSignature, match="no signature fits"):
        verify_webhook(BODY + b" ", headers_of(SECRET), SECRET, now=NOW)


def test_a_foreign_secret_is_refused() -> None:
    with pytest.raises(InvalidSignature, match="no signature fits"):
        verify_webhook(BODY, headers_of(OTHER), SECRET, now=NOW)


@pytest.mark.parametrize("off", [-301, 301])
def test_an_old_message_is_refused(off: int) -> None:
    with pytest.raises(InvalidSignature, match="300 seconds"):
        verify_webhook(BODY, headers_of(SECRET, at=NOW + off), SECRET, now=NOW)


@pytest.mark.parametrize("missing", ["Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"])
def test_a_missing_header_is_named(missing: str) -> None:
    headers = headers_of(SECRET)
    del headers[missing]
    with pytest.raises(InvalidSignature, match=missing.lower()):
        verify_webhook(BODY, headers, SECRET, now=NOW)


def test_an_unknown_version_counts_for_nothing() -> None:
    headers = headers_of(SECRET)
    headers["Webhook-Signature"] = headers["Webhook-Signature"].replace("v1,", "v0,")
    with pytest.raises(InvalidSignature, match="no signature fits"):
        verify_webhook(BODY, headers, SECRET, now=NOW)
