"""A credential is found with the certificate it is bound to: a token with its own."""

from importlib import import_module

from django.db import migrations

BEFORE = import_module(
    "portfolios.migrations.0024_client_assertions_row_level_security"
).LOOKUP.replace("CREATE OR REPLACE FUNCTION", "CREATE FUNCTION")

LOOKUP = (
    BEFORE.replace("max_open_runs integer\n)", "max_open_runs integer, certificate_sha256 varchar\n)")
    .replace("FROM portfolios_accesstoken", ", t.certificate_sha256 FROM portfolios_accesstoken")
    .replace("FROM portfolios_apikey k JOIN", ", k.certificate_sha256 FROM portfolios_apikey k JOIN")
)
DROP = "DROP FUNCTION credential_lookup(text, text);"


class Migration(migrations.Migration):
    dependencies = [("portfolios", "0025_certificate_bindings")]

    operations = [migrations.RunSQL(sql=DROP + LOOKUP, reverse_sql=DROP + BEFORE)]
