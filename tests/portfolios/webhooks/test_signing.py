"""Secrets and signatures, checked by the specification's own library and its own example."""

from __future__ import annotations

import json
import time

import pytest
from pytest_django import Settings
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from portfolios.webhooks.signing import (
    WebhooksNotConfigured,
    current_key_id,
    seal,
    secret_make,
    signature,
    unseal,
)

BODY = b'{"type":"run.finished"}'


def headers_of(signed: str, moment: int) -> dict[str, str]:
    return {
        "webhook-id": "evt_1", "webhook-timestamp": str(moment), "webhook-signature": signed
    }  # fmt: skip


def test_signature_equals_the_example_of_the_specification() -> None:
    """https://github.com/standard-webhooks/standard-webhooks, spec: "Signature scheme"."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_library_of_the_specification_verifies_and_refuses() -> None:
    secret, moment = secret_make(), int(time.time())
    signed = signature(secret, "evt_1", moment, BODY)
    assert Webhook(secret).verify(BODY, headers_of(signed, moment)) == json.loads(BODY)
    for body, stamped in ((BODY + b" ", moment), (BODY, moment - 1), (BODY, moment - 600)):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, headers_of(signed, stamped))


def test_receiver_with_either_secret_verifies_a_list_of_signatures() -> None:
    old, new, moment = secret_make(), secret_make(), int(time.time())
    signed = " ".join(signature(secret, "evt_1", moment, BODY) for secret in (new, old))
    for secret in (old, new):
        Webhook(secret).verify(BODY, headers_of(signed, moment))
    with pytest.raises(WebhookVerificationError):
        Webhook(secret_make()).verify(BODY, headers_of(signed, moment))


def test_sealed_text_is_neither_readable_nor_alike() -> None:
    assert unseal(seal(b"whsec_x")) == b"whsec_x"
    assert "whsec" not in seal(b"whsec_x")
    assert seal(b"x") != seal(b"x")


def test_former_key_opens_what_it_sealed(settings: Settings) -> None:
    settings.WEBHOOK_KEY, settings.WEBHOOK_KEY_FALLBACKS = "old" * 20, []
    sealed = seal(b"secret")
    settings.WEBHOOK_KEY, settings.WEBHOOK_KEY_FALLBACKS = "new" * 20, ["old" * 20]
    assert unseal(sealed) == b"secret"
    assert not sealed.startswith(current_key_id())
    settings.WEBHOOK_KEY_FALLBACKS = []
    with pytest.raises(WebhooksNotConfigured):
        unseal(sealed)


def test_without_a_key_nothing_is_kept(settings: Settings) -> None:
    settings.WEBHOOK_KEY = ""
    with pytest.raises(WebhooksNotConfigured):
        seal(b"secret")
