"""Tenant policies of the derived tables."""

from django.db import migrations

from portfolios.row_level_security import tenant_policy

TABLES = ("run", "unit", "result", "outboxmessage", "report", "reportitem")


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0001_initial"),
        ("portfolios", "0002_row_level_security"),
    ]

    operations = [tenant_policy(f"analytics_{name}") for name in TABLES]
