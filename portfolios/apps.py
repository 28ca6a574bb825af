"""Django application of the facts."""

from django.apps import AppConfig


class PortfoliosConfig(AppConfig):
    """Clients, portfolios, instruments, prices and imports."""

    name = "portfolios"
    default_auto_field = "django.db.models.BigAutoField"
