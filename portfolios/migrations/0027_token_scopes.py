"""A token opens no more than its client does now, whatever it was given when it was made."""

from importlib import import_module

from django.db import migrations

BEFORE = import_module("portfolios.migrations.0026_certificate_lookup").LOOKUP.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")

LOOKUP = BEFORE.replace(" t.scopes,", " ARRAY(SELECT s FROM unnest(t.scopes) s WHERE s = ANY (k.scopes)),")


class Migration(migrations.Migration):
    dependencies = [("portfolios", "0026_certificate_lookup")]

    operations = [migrations.RunSQL(sql=LOOKUP, reverse_sql=BEFORE)]
