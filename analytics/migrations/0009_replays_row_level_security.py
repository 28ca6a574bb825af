"""Tenant policy of replays."""

from django.db import migrations

from portfolios.row_level_security import tenant_policy


class Migration(migrations.Migration):
    dependencies = [("analytics", "0008_replays")]

    operations = [tenant_policy("analytics_replay")]
