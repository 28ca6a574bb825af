"""What the guide says of webhooks is so."""

from __future__ import annotations

import re
from typing import Any

from portfolios.services.deliveries import RETRY_DELAYS
from portfolios.webhooks.catalogue import CATALOGUE
from portfolios.webhooks.sending import post
from portfolios.webhooks.signing import secret_make, signature
from riskapi.api.guide import PAGES
from tests.receiver import Receiver

GUIDE = PAGES["webhooks"].path.read_text()


def test_the_lines_that_check_a_signature_check_a_delivery(receiver: Receiver) -> None:
    [code] = re.findall(r"```python\n(import base64, hashlib, hmac.*?)```", GUIDE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, "webhooks.md", "exec"), names)  # noqa: S102 - our own text
    is_genuine = names["is_genuine"]
    secret, other = secret_make(), secret_make()
    moment, body = int(names["time"].time()), b'{"type":"run.finished"}'
    signed = [signature(each, "evt_1", moment, body) for each in (other, secret)]
    headers = {"webhook-id": "evt_1", "webhook-timestamp": str(moment)}
    post(receiver.url, {**headers, "webhook-signature": " ".join(signed)}, body)
    [got] = receiver.received

    assert is_genuine(got.headers, got.body, secret)
    assert is_genuine(got.headers, got.body, other)
    assert not is_genuine(got.headers, got.body, secret_make())
    assert not is_genuine(got.headers, got.body + b" ", secret)
    assert not is_genuine({**got.headers, "webhook-id": "evt_2"}, got.body, secret)
    old = {**headers, "webhook-timestamp": str(moment - 301)}
    old["webhook-signature"] = signature(secret, "evt_1", moment - 301, body)
    assert not is_genuine(old, body, secret)


def test_every_event_is_in_the_table_with_its_statuses() -> None:
    rows = {
        f"| `{kind}` | {described.says} | {', '.join(described.statuses)} |"
        for kind, described in CATALOGUE.items()
    }
    assert rows <= set(GUIDE.splitlines())


def test_the_schedule_is_the_one_described() -> None:
    assert "5 s, 5 min, 30 min, 2, 5, 10, 14, 20 and 24 hours" in GUIDE
    hours = [delay.total_seconds() / 3600 for delay in RETRY_DELAYS[3:]]
    assert hours == [2, 5, 10, 14, 20, 24]
