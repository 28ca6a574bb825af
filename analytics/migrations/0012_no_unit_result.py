"""A connection keeps the plan of the statement itself (`portfolios.plans`)."""

from importlib import import_module

from django.db import migrations

BEFORE = import_module("analytics.migrations.0010_unit_result").UNIT_RESULT


class Migration(migrations.Migration):
    dependencies = [("analytics", "0011_no_hinted_at")]

    operations = [
        migrations.RunSQL(sql="DROP FUNCTION unit_result(uuid, uuid, text);", reverse_sql=BEFORE)
    ]
