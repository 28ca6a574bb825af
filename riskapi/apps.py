"""Django application of the composition root."""

from __future__ import annotations

from django.apps import AppConfig


class RiskApiConfig(AppConfig):
    """Makes our Celery application the one that every process of ours sends to, and has the
    system checks look at every part."""

    name = "riskapi"

    def ready(self) -> None:
        from riskapi import checks  # noqa: F401  # registers them
        from riskapi.celery import app

        app.set_default()
