"""Tenant policies of the tables of webhooks, and events that cannot be changed."""

from django.db import migrations

from portfolios.row_level_security import tenant_policy

TABLES = ("event", "webhookendpoint", "delivery")


class Migration(migrations.Migration):
    dependencies = [("portfolios", "0006_webhooks")]

    operations = [
        *(tenant_policy(f"portfolios_{name}") for name in TABLES),
        # They are deleted when their time is over.
        migrations.RunSQL(
            sql="CREATE TRIGGER immutable BEFORE UPDATE ON portfolios_event"
            " FOR EACH ROW EXECUTE FUNCTION refuse_change();",
            reverse_sql="DROP TRIGGER immutable ON portfolios_event;",
        ),
    ]
