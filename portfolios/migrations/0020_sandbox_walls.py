"""The wall between sandboxes and what is shared, and ids that say which client is one."""

from django.db import migrations

from portfolios.row_level_security import shared_but_not_with_sandboxes

SHARED = ("instrument", "instrumentrevision", "leverageterms", "optionterms", "corporateaction", "price", "fxrate", "rateobservation", "optionquote", "dataversion")


class Migration(migrations.Migration):
    dependencies = [("portfolios", "0019_sandbox_clients")]

    operations = [
        migrations.RunSQL(
            sql="ALTER TABLE portfolios_client ADD CONSTRAINT client_sandbox_id"
            " CHECK ((sandbox_of_id IS NOT NULL) = (substr(id::text, 15, 1) = '8'));",
            reverse_sql="ALTER TABLE portfolios_client DROP CONSTRAINT client_sandbox_id;",
        ),
        *(shared_but_not_with_sandboxes(f"portfolios_{name}") for name in SHARED),
    ]
