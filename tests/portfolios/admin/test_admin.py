"""The operator's pages through Django's own client: they open and keep the facts' promises."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from portfolios.errors import Refused
from portfolios.models import (
    AccessToken,
    ApiKey,
    AuditEvent,
    Client,
    CorporateAction,
    DataVersion,
    Instrument,
    LeverageTerms,
    Portfolio,
    Position,
    PositionSet,
    Price,
)
from portfolios.services.authentication import api_key_authenticate
from portfolios.tenancy import operator_scope

pytestmark = pytest.mark.django_db

World = dict[str, Any]
FormOf = Callable[[str], dict[str, Any]]
WEBHOOKS = ("event", "webhookendpoint", "delivery")
MODELS = ("client", "apikey", "portfolio", "positionset", "instrument", "price", "fxrate", "import",
          *WEBHOOKS)  # fmt: skip
READ_ONLY = ("price", "fxrate", "import", "auditevent", "rateobservation", *WEBHOOKS)


@pytest.mark.parametrize("model", [*MODELS, "auditevent", "rateobservation"])
def test_list_opens_with_data(operator: Browser, world: World, model: str) -> None:
    page = operator.get(f"/admin/portfolios/{model}/")
    assert page.status_code == 200
    if model in world:
        assert str(world[model].pk) in page.content.decode()


@pytest.mark.parametrize("model", MODELS)
def test_object_opens(operator: Browser, world: World, model: str) -> None:
    assert operator.get(f"/admin/portfolios/{model}/{world[model].pk}/change/").status_code == 200


@pytest.mark.parametrize("model", ["client", "apikey", "portfolio", "positionset", "instrument"])
def test_form_for_a_new_one_opens(operator: Browser, world: World, model: str) -> None:
    assert operator.get(f"/admin/portfolios/{model}/add/").status_code == 200


@pytest.mark.parametrize("model", READ_ONLY)
def test_read_only_pages_take_nothing(operator: Browser, world: World, model: str) -> None:
    assert operator.get(f"/admin/portfolios/{model}/add/").status_code == 403
    if model in world:
        path = f"/admin/portfolios/{model}/{world[model].pk}/change/"
        assert operator.post(path, {"close": "1"}).status_code == 403


@pytest.mark.parametrize("model", MODELS)
def test_nothing_can_be_deleted(operator: Browser, world: World, model: str) -> None:
    path = f"/admin/portfolios/{model}/{world[model].pk}/delete/"
    assert operator.post(path, {"post": "yes"}).status_code == 403
    with operator_scope():
        assert type(world[model]).objects.filter(pk=world[model].pk).exists()


@pytest.mark.parametrize("path", ["", "portfolios/client/", "portfolios/price/"])
def test_visitors_and_users_without_staff_rights_are_sent_to_log_in(path: str) -> None:
    browser = Browser()
    assert browser.get(f"/admin/{path}").headers["Location"].startswith("/admin/login/")
    browser.force_login(User.objects.create_user("somebody", password="x"))
    assert browser.get(f"/admin/{path}").headers["Location"].startswith("/admin/login/")


def test_staff_see_what_they_have_rights_to(world: World) -> None:
    user = User.objects.create_user("helper", password="x", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_price"))
    browser = Browser()
    browser.force_login(user)
    assert browser.get("/admin/portfolios/price/").status_code == 200
    assert browser.get("/admin/portfolios/client/").status_code == 403


def test_positions_edited_become_a_new_set_that_supersedes(
    operator: Browser, world: World, form_of: FormOf
) -> None:
    path = f"/admin/portfolios/positionset/add/?portfolio={world['portfolio'].pk}"
    data = form_of(path)
    assert data["positions-0-quantity"] == "48000"
    data |= {"as_of": "2026-11-20", "positions-0-quantity": "-100.5",
             "positions-1-instrument": world["index"].pk, "positions-1-quantity": "20"}  # fmt: skip
    assert operator.post(path, data).status_code == 302
    with operator_scope():
        old, new = PositionSet.objects.order_by("recorded_at")
        assert (old.pk, old.superseded_at) == (world["positionset"].pk, new.recorded_at)
        assert new.checksum != old.checksum
        rows = Position.objects.filter(position_set=new).values_list(
            "instrument__symbol", "quantity", "tags"
        )
        assert {(s, f"{q:f}", *t) for s, q, t in rows} == {
            ("SOXS", "-100.5", "hedge"),
            ("SOXX", "20"),
        }
        assert Position.objects.filter(position_set=old).get().quantity == 48000
        assert (
            AuditEvent.objects.filter(action="positions.put", actor="admin:operator").count() == 1
        )


def test_the_same_positions_again_change_nothing(
    operator: Browser, world: World, form_of: FormOf
) -> None:
    path = f"/admin/portfolios/positionset/add/?portfolio={world['portfolio'].pk}"
    page = operator.post(path, form_of(path) | {"as_of": "2026-11-20"}, follow=True)
    assert "on file already" in page.content.decode()
    with operator_scope():
        assert PositionSet.objects.count() == 1


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"as_of": "2999-01-01"}, "once they are held"),
        ({"as_of": "2026-11-20", "positions-1-quantity": "1"}, "correct the duplicate"),
        ({"as_of": "2026-11-20", "positions-0-quantity": "many"}, "Enter a number"),
    ],
)
def test_positions_that_make_no_sense_are_refused_at_the_field(
    operator: Browser, world: World, form_of: FormOf, sent: dict[str, str], said: str
) -> None:
    path = f"/admin/portfolios/positionset/add/?portfolio={world['portfolio'].pk}"
    data = form_of(path) | sent
    if "positions-1-quantity" in sent:
        data["positions-1-instrument"] = data["positions-0-instrument"]
    page = operator.post(path, data)
    assert page.status_code == 200
    assert said in page.content.decode()
    with operator_scope():
        assert PositionSet.objects.count() == 1


def test_another_clients_instrument_is_refused(
    operator: Browser, world: World, form_of: FormOf
) -> None:
    with operator_scope():
        stranger = Client.objects.create(name="Stranger", slug="stranger")
        foreign = Instrument.objects.create(client=stranger, symbol="PRIVATE", kind="equity")
    path = f"/admin/portfolios/positionset/add/?portfolio={world['portfolio'].pk}"
    data = form_of(path) | {"as_of": "2026-11-20", "positions-0-instrument": foreign.pk}
    assert "another client" in operator.post(path, data).content.decode()


def test_recorded_positions_cannot_be_edited(operator: Browser, world: World) -> None:
    path = f"/admin/portfolios/positionset/{world['positionset'].pk}/change/"
    assert operator.post(path, {"source": "forged"}).status_code == 403


def test_portfolio_page_shows_its_positions_and_saves_as_a_new_version(
    operator: Browser, world: World, form_of: FormOf
) -> None:
    path = f"/admin/portfolios/portfolio/{world['portfolio'].pk}/change/"
    page = operator.get(path).content.decode()
    assert "48000" in page
    assert "Record positions" in page
    assert operator.post(path, form_of(path) | {"name": "Renamed"}).status_code == 302
    with operator_scope():
        saved = Portfolio.objects.get(pk=world["portfolio"].pk)
        assert (saved.name, saved.version, saved.client_id) == ("Renamed", 2, world["client"].pk)
        assert AuditEvent.objects.filter(action="portfolio.update", client=saved.client).exists()


def test_a_new_client_and_its_portfolio(operator: Browser, world: World, form_of: FormOf) -> None:
    data = form_of("/admin/portfolios/client/add/") | {"name": "New", "slug": "new"}
    assert operator.post("/admin/portfolios/client/add/", data).status_code == 302
    with operator_scope():
        client = Client.objects.get(slug="new")
    data = form_of("/admin/portfolios/portfolio/add/") | {"client": client.pk, "name": "First"}
    assert operator.post("/admin/portfolios/portfolio/add/", data).status_code == 302
    with operator_scope():
        assert Portfolio.objects.get(client=client).name == "First"
        assert AuditEvent.objects.filter(client=client).count() == 2


@pytest.mark.parametrize("field", ["name", "external_id"])
def test_names_are_those_that_the_api_takes(
    operator: Browser, world: World, form_of: FormOf, field: str
) -> None:
    path = f"/admin/portfolios/portfolio/{world['portfolio'].pk}/change/"
    page = operator.post(path, {**form_of(path), field: "Core\u202etxet"})
    assert "without control characters or changes of direction" in page.content.decode()
    with operator_scope():
        assert Portfolio.objects.get().name == "Core"


def test_tags_are_those_that_the_api_takes(
    operator: Browser, world: World, form_of: FormOf
) -> None:
    path = f"/admin/portfolios/positionset/add/?portfolio={world['portfolio'].pk}"
    fields = {**form_of(path), "as_of": "2026-11-20", "positions-0-tags": "hedge,\u200b"}
    page = operator.post(path, fields)
    assert "with something to be seen in it" in page.content.decode()


def test_key_is_shown_once_and_works(operator: Browser, world: World, form_of: FormOf) -> None:
    path = "/admin/portfolios/apikey/add/"
    data = form_of(path) | {"client": world["client"].pk, "name": "new", "scopes": ["reports:read"]}
    page = operator.post(path, data)
    assert "no-store" in page.headers["Cache-Control"]
    found = re.search(r"rk_live_\w+", page.content.decode())
    assert found
    key = api_key_authenticate(found[0], "127.0.0.1")
    assert (key.name, key.scopes) == ("new", ["reports:read"])
    later = operator.get(f"/admin/portfolios/apikey/{key.pk}/change/").content.decode()
    assert found[0] not in later
    assert "secret" not in later.lower()


def test_test_keys_are_made_beside_live_ones(
    operator: Browser, world: World, form_of: FormOf, settings: Settings
) -> None:
    """Of the client's sandbox, which the first one makes; shut with the client."""
    settings.SANDBOX_SEED = "builtins.repr"  # the market is of no interest here
    path = "/admin/portfolios/apikey/add/"
    data = form_of(path) | {"client": world["client"].pk, "scopes": ["reports:read"]}
    texts = []
    for name in ("one", "two"):
        page = operator.post(path, data | {"mode": "test", "name": name}).content.decode()
        found = re.search(r"rk_test_\w+", page)
        assert found
        texts.append(found[0])
        assert "<strong>Test</strong>" in page
    keys = [api_key_authenticate(text, "127.0.0.1") for text in texts]
    assert keys[0].client == keys[1].client != world["client"]
    with operator_scope():
        sandbox = Client.objects.get(sandbox_of=world["client"])
        assert AuditEvent.objects.filter(client=sandbox, action="sandbox.create").count() == 1
    assert keys[0].client == sandbox

    listed = operator.get("/admin/portfolios/apikey/").content.decode()
    assert re.search(r">\s*test\s*<", listed)
    assert re.search(r">\s*live\s*<", listed)
    wrong = operator.post(path, data | {"mode": "live", "name": "x", "client": sandbox.pk})
    assert "A sandbox has test keys alone." in wrong.content.decode()

    change = f"/admin/portfolios/client/{world['client'].pk}/change/"
    shut = form_of(change)
    shut.pop("is_active", None)
    assert operator.post(change, shut).status_code == 302
    with pytest.raises(Refused):
        api_key_authenticate(texts[0], "127.0.0.1")


def test_oauth_client_is_shown_once_and_gets_tokens(
    operator: Browser, world: World, form_of: FormOf
) -> None:
    path = "/admin/portfolios/apikey/add/"
    data = form_of(path) | {"client": world["client"].pk, "name": "app", "kind": "oauth",
                            "scopes": ["reports:read"]}  # fmt: skip
    page = operator.post(path, data).content.decode()
    secret = re.search(r"rs_live_\w+", page)
    assert secret
    with operator_scope():
        key = ApiKey.objects.get(name="app")
    assert f">{key.key_id}<" in page
    form = f"grant_type=client_credentials&client_id={key.key_id}&client_secret={secret[0]}"
    token = Browser().post("/oauth/token", form, content_type="application/x-www-form-urlencoded")
    assert token.json()["scope"] == "reports:read"
    with operator_scope():
        made = AccessToken.objects.get()
    data = {"action": "revoke", "_selected_action": [str(made.pk)]}
    assert operator.post("/admin/portfolios/accesstoken/", data).status_code == 302
    bearer = f"Bearer {token.json()['access_token']}"
    assert Browser().get("/v1/me", HTTP_AUTHORIZATION=bearer).status_code == 401
    with operator_scope():
        actions = set(
            AuditEvent.objects.filter(client=world["client"]).values_list("action", flat=True)
        )
    assert {"apikey.create", "token.issued", "accesstoken.revoke"} <= actions


def test_third_key_and_bad_networks_are_refused_with_a_sentence(
    operator: Browser, world: World, form_of: FormOf
) -> None:
    path = "/admin/portfolios/apikey/add/"
    data = form_of(path) | {"client": world["client"].pk, "name": "trading",
                            "scopes": ["reports:read"]}  # fmt: skip
    refused = operator.post(path, data | {"allowed_networks": "10.0.0.1/8"}, follow=True)
    assert "Not a network" in refused.content.decode()
    assert operator.post(path, data).status_code == 200
    third = operator.post(path, data, follow=True)
    assert "at most 2 may be" in third.content.decode()
    with operator_scope():
        assert ApiKey.objects.filter(name="trading").count() == 2


def test_revoked_key_is_dead(operator: Browser, world: World) -> None:
    data = {"action": "revoke", "_selected_action": [str(world["apikey"].pk)]}
    assert operator.post("/admin/portfolios/apikey/", data).status_code == 302
    with operator_scope():
        assert ApiKey.objects.get(pk=world["apikey"].pk).revoked_at is not None
        assert AuditEvent.objects.filter(action="apikey.revoke").count() == 1


def test_leverage_terms_are_added_with_the_instruments_owner(
    operator: Browser, world: World, form_of: FormOf
) -> None:
    path = f"/admin/portfolios/instrument/{world['instrument'].pk}/change/"
    data = form_of(path) | {
        "leverage_terms-TOTAL_FORMS": "2",
        "leverage_terms-1-instrument": world["instrument"].pk,
        "leverage_terms-1-valid_from": "2027-01-04",
        "leverage_terms-1-multiple": "-2",
        "leverage_terms-1-reference_index": world["index"].pk,
        "leverage_terms-1-expense_ratio": "0.01",
        "leverage_terms-1-swap_spread": "0",
    }
    assert operator.post(path, data).status_code == 302
    with operator_scope():
        terms = LeverageTerms.objects.order_by("valid_from")
        assert [(t.valid_from, int(t.multiple), t.client_id) for t in terms] == [
            (date(2021, 8, 25), -3, None),
            (date(2027, 1, 4), -2, None),
        ]
        assert DataVersion.objects.get(client=None).version >= 1


def test_corrected_split_supersedes_the_one_on_file(
    operator: Browser, world: World, form_of: FormOf
) -> None:
    path = f"/admin/portfolios/instrument/{world['instrument'].pk}/change/"
    data = form_of(path) | {
        "corporate_actions-TOTAL_FORMS": "1",
        "corporate_actions-INITIAL_FORMS": "0",
        "corporate_actions-0-instrument": world["instrument"].pk,
        "corporate_actions-0-ex_date": "2024-04-22",
        "corporate_actions-0-kind": "split",
        "corporate_actions-0-new_shares": "1",
        "corporate_actions-0-old_shares": "20",
    }
    page = operator.post(path, data)
    assert page.status_code == 302, page.content.decode()[:3000]
    with operator_scope():
        old, new = CorporateAction.objects.order_by("id")
        assert (old.old_shares, old.superseded_at is None) == (10, False)
        assert (new.old_shares, new.superseded_at) == (20, None)


def test_a_new_option_comes_with_its_contract(
    operator: Browser, world: World, form_of: FormOf
) -> None:
    path = "/admin/portfolios/instrument/add/"
    data = form_of(path) | {
        "symbol": "SOXX270115P00200000",
        "kind": "option",
        "currency": "USD",
        "option_terms-TOTAL_FORMS": "1",
        "option_terms-0-underlying": world["index"].pk,
        "option_terms-0-right": "put",
        "option_terms-0-style": "american",
        "option_terms-0-strike": "200",
        "option_terms-0-expiry": "2027-01-15",
        "option_terms-0-multiplier": "100",
    }
    assert operator.post(path, data).status_code == 302
    with operator_scope():
        option = Instrument.objects.get(symbol="SOXX270115P00200000")
        assert (option.option_terms.strike, option.option_terms.underlying) == (200, world["index"])


def test_import_shows_its_problems_as_text(operator: Browser, world: World) -> None:
    page = operator.get(f"/admin/portfolios/import/{world['import'].pk}/change/").content.decode()
    assert "scale-break" in page
    assert "&lt;b&gt;6e11&lt;/b&gt;" in page


@pytest.mark.parametrize(
    ("term", "hits"), [("soxs", 1), ("SOXS 2026-11-20", 1), ("SOXX", 0), ("2026-11-19", 0)]
)
def test_prices_are_found_by_symbol_and_date(
    operator: Browser, world: World, term: str, hits: int
) -> None:
    page = operator.get("/admin/portfolios/price/", {"q": term})
    assert len(page.context["cl"].result_list) == hits


def test_price_list_neither_counts_nor_asks_per_row(operator: Browser, world: World) -> None:
    with operator_scope():
        Price.objects.bulk_create(
            Price(instrument=world["index"], session=date(2026, 1, 1) + timedelta(n), close=1)
            for n in range(130)
        )
    with CaptureQueriesContext(connection) as queries:
        assert operator.get("/admin/portfolios/price/").status_code == 200
    about_prices = [q["sql"] for q in queries if "portfolios_price" in q["sql"]]
    assert not [sql for sql in about_prices if "COUNT(" in sql]
    assert [sql for sql in about_prices if "LIMIT" not in sql] == []
    assert len(queries) < 20


def test_portfolio_list_does_not_ask_per_row(operator: Browser, world: World) -> None:
    with operator_scope():
        Portfolio.objects.bulk_create(
            Portfolio(client=world["client"], name=f"Book {n}", benchmark=world["index"])
            for n in range(40)
        )
    with CaptureQueriesContext(connection) as queries:
        page = operator.get("/admin/portfolios/portfolio/")
    assert len(page.context["cl"].result_list) == 41
    assert len(queries) < 20


def test_webhook_shows_its_log_and_no_secret(operator: Browser, world: World) -> None:
    path = "/admin/portfolios/{}/{}/change/"
    page = operator.get(path.format("webhookendpoint", world["webhookendpoint"].pk))
    assert "https://hooks.example.com/" in page.content.decode()
    assert "SEALED" not in page.content.decode()
    log = operator.get(path.format("delivery", world["delivery"].pk)).content.decode()
    assert "503" in log
    assert "<b>busy</b>" not in log
    assert "&lt;b&gt;busy" in log


def test_pages_run_no_script_but_from_our_files(operator: Browser) -> None:
    for path in ("/admin/", "/admin/portfolios/client/", "/admin/nothing/", "/admin/login/"):
        policy = operator.get(path).headers["Content-Security-Policy"]
        assert "script-src 'self' 'unsafe-eval';" in policy
        assert "frame-ancestors 'self'" in policy


def test_form_without_its_token_is_refused(db: None) -> None:
    """The admin's forms are protected by a class of ours, which Django's own check cannot see."""
    User.objects.create_superuser("operator", password="correct horse battery")
    browser = Browser(enforce_csrf_checks=True)
    said = {"username": "operator", "password": "correct horse battery"}
    assert browser.post("/admin/login/", said).status_code == 403
    page = browser.get("/admin/login/")
    token = browser.cookies["csrftoken"].value
    assert page.status_code == 200
    entered = browser.post("/admin/login/?next=/admin/", {**said, "csrfmiddlewaretoken": token})
    assert entered.status_code == 302
    assert browser.get("/admin/").status_code == 200
    change = "/admin/portfolios/client/add/"
    assert browser.post(change, {"name": "Fund", "slug": "fund"}).status_code == 403


def test_programs_get_no_cookies_and_no_session(operator: Browser, world: World) -> None:
    with CaptureQueriesContext(connection) as asked:
        answer = operator.get("/v1/errors")
    assert answer.status_code == 200
    assert not answer.cookies
    assert "Cookie" not in answer.headers.get("Vary", "")
    assert not asked.captured_queries


@pytest.mark.parametrize(("model", "digits"), [("price", "5.25"), ("fxrate", "0.031")])
def test_lists_show_digits_and_days_as_they_are(
    operator: Browser, world: World, model: str, digits: str
) -> None:
    page = operator.get(f"/admin/portfolios/{model}/").content.decode()
    cells = {text.strip() for text in re.findall(r">([^<>]+)<", page)}
    assert {digits, world[model].session.isoformat()} <= cells
