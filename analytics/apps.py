"""Django application of the derived numbers."""

from django.apps import AppConfig


class AnalyticsConfig(AppConfig):
    """Runs, results and reports."""

    name = "analytics"
    default_auto_field = "django.db.models.BigAutoField"
