"""A unit's answer is read in the message that shows the credential: of what it sees, nothing comes
out for one who is refused, and no scope stays behind on the connection."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from pytest_django import Settings

from analytics.models import Result
from portfolios.models import ApiKey, Client
from portfolios.tenancy import client_scope, operator_scope
from tests.architecture import populations
from tests.callers import Caller, caller_create

#: Without a transaction around it, as the server asks.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ours() -> Caller:
    return caller_create("holder")


@pytest.fixture
def unit(ours: Caller) -> str:
    names = populations.fill(ours, 1)
    return "/v1/runs/{run_id}/units/{name}".format(**names)


def _left_behind() -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(current_setting('app.client_id', true), ''),"
            " coalesce(current_setting('app.operator', true), ''),"
            " (SELECT count(*) FROM analytics_result)"
        )
        found: tuple[Any, ...] = cursor.fetchone()
    return found


def _body(caller: Caller) -> bytes:
    with client_scope(caller.client.pk):
        return Result.objects.get().body.encode()


def _change(key: ApiKey, **changes: Any) -> None:
    with operator_scope():
        ApiKey.objects.filter(pk=key.pk).update(**changes)


def test_nothing_is_answered_to_one_who_is_refused(
    ours: Caller, unit: str, settings: Settings
) -> None:
    body = _body(ours)
    assert ours.get(unit).content == body
    revoked, expired, elsewhere, bound = (ours.with_key() for _ in range(4))
    _change(revoked.key, revoked_at=Now())
    _change(expired.key, expires_at=Now())
    _change(elsewhere.key, allowed_networks=["10.0.0.0/8"])
    _change(bound.key, certificate_sha256="0" * 64)
    unscoped = ours.with_key(scopes=["portfolios:read"])
    other_mode = Caller(ours.client, ours.key, ours.text.replace("rk_live_", "rk_test_"))
    mistyped = Caller(
        ours.client, ours.key, ours.text[:-1] + ("a" if ours.text[-1] != "a" else "b")
    )
    refused = {
        "revoked": (revoked, 401), "expired": (expired, 401), "elsewhere": (elsewhere, 403),
        "bound": (bound, 401), "unscoped": (unscoped, 403), "other mode": (other_mode, 401),
        "mistyped": (mistyped, 401), "another's": (caller_create("stranger"), 404),
    }  # fmt: skip
    for why, (caller, status) in refused.items():
        for method in ("GET", "HEAD"):
            answer = caller.send(method, unit)
            assert answer.status == status, why
            assert body not in answer.content
            assert "ETag" not in answer.headers, why
            assert _left_behind() == ("", "", 0), why
    settings.REQUESTS_PER_MINUTE = 2
    with operator_scope():
        Client.objects.filter(pk=ours.client.pk).update(is_active=False)
    assert ours.get(unit).status == 401
    with operator_scope():
        Client.objects.filter(pk=ours.client.pk).update(is_active=True)
    assert [ours.send(method, unit).status for method in ("GET", "HEAD", "GET")] == [200, 200, 429]
    assert _left_behind() == ("", "", 0)


@pytest.mark.parametrize(
    "name",
    ["%25", "%25s", "%25%25s", "'", "%22", "%5C", ";", "%3B%20SELECT%201", "$1", "x" * 5_000,
     "%F0%9F%82%A1", "%0A", "%20"],
)  # fmt: skip
def test_no_name_is_read_as_anything_else(ours: Caller, unit: str, name: str) -> None:
    run, _ = unit.rsplit("/", 1)
    assert ours.get(f"{run}/{name}").status == (400 if name.startswith("%25") else 404)
    for one in (name, "run_" + "g" * 32, "run_" + "0" * 32, "pf_" + "0" * 32):
        answer = ours.get(f"/v1/runs/{one}/units/main")
        assert answer.status in (400, 404), one
    assert _left_behind() == ("", "", 0)
    assert ours.get(unit).status == 200


def test_look_that_fails_leaves_the_next_request_as_it_should_be(
    ours: Caller, unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("analytics.selectors.runs._UNIT_RESULT", "SELECT %s, %s FROM nowhere")
        assert ours.get(unit).status == 500
        assert _left_behind() == ("", "", 0)
    assert ours.get(unit).content == _body(ours)
