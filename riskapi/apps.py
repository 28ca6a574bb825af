"""Django application of the composition root."""

from __future__ import annotations

from django.apps import AppConfig


class RiskApiConfig(AppConfig):
    """Makes our Celery application the one that every process of ours sends to."""

    name = "riskapi"

    def ready(self) -> None:
        from riskapi.celery import app

        app.set_default()
