"""Tenant policy of the table of policies."""

from django.db import migrations

from portfolios.row_level_security import tenant_policy


class Migration(migrations.Migration):
    dependencies = [("portfolios", "0015_policies")]

    operations = [tenant_policy("portfolios_policy")]
