"""Operators can look at every table, or there is a reason why not."""

from __future__ import annotations

from django.apps import apps
from django.contrib import admin

#: Not registered: what an operator sees elsewhere, or should not touch.
EXEMPT = {
    "portfolios.IdempotencyRecord": "answers kept for repetition; bodies of clients' requests",
    "portfolios.DataVersion": "a counter",
    "portfolios.QuotaWindow": "counters of a minute",
    "portfolios.UsedAssertion": "hashes of ids, kept for minutes",
    "portfolios.AuthFailureWindow": "counters of a minute; what was limited is in the audit",
    "portfolios.ImportProblem": "listed on the page of its import",
    "portfolios.FundFact": "reference data, loaded by import_market; the file is the place to edit",
    "portfolios.FundHolding": "likewise",
    "portfolios.OptionQuote": "thousands a snapshot, append-only; see the import of the chain",
    "portfolios.PortfolioRevision": "written by a trigger; each change is in the audit",
    "portfolios.InstrumentRevision": "likewise",
    "analytics.Result": "its unit is on the page of the run, its body at /v1/runs",
    "analytics.RunInput": "a view of the facts, which are shown as themselves",
    "analytics.ReportItem": "a line of its report, which is shown as a page",
}


def _models() -> dict[str, type]:
    return {
        model._meta.label: model
        for app in ("portfolios", "analytics")
        for model in apps.get_app_config(app).get_models()
    }


def _shown() -> set[str]:
    """Registered, or inline on the page of one that is."""
    registered = {model._meta.label for model in admin.site._registry}
    inlines = {
        inline.model._meta.label
        for model_admin in admin.site._registry.values()
        for inline in model_admin.inlines
    }
    return registered | inlines


def test_every_table_is_in_the_admin_or_exempt() -> None:
    assert sorted(set(_models()) - _shown() - set(EXEMPT)) == []


def test_exemptions_are_needed() -> None:
    assert set(EXEMPT) & _shown() == set()
    assert set(EXEMPT) <= set(_models())
