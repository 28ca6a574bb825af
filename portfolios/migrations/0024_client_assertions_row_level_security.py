"""Keys of OAuth 2.0 clients: their wall, how one is found before it is known whose it is, and
secrets that are refused."""

from importlib import import_module

from django.db import migrations

from portfolios.row_level_security import tenant_policy

BEFORE = import_module("portfolios.migrations.0013_credential_lookup").LOOKUP

# The secret is no condition of form 'ra': a signature has been checked in its place.
LOOKUP = BEFORE.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION").replace(
    "k.kind = CASE form WHEN 'rs' THEN 'oauth' ELSE 'api_key' END",
    "k.kind = CASE WHEN form IN ('rs', 'ra') THEN 'oauth' ELSE 'api_key' END"
    " AND NOT (form = 'rs' AND k.secret_refused)",
)

PUBLIC_KEY_LOOKUP = """
CREATE FUNCTION public_key_lookup(wanted text, wanted_kid text) RETURNS TABLE (
    id uuid, client_id uuid, credential_id uuid, secret_hmac bytea, algorithm varchar, jwk text
) LANGUAGE plpgsql AS $$
DECLARE
    before text := coalesce(current_setting('app.operator', true), '');
BEGIN
    PERFORM set_config('app.operator', 'on', true);
    RETURN QUERY SELECT p.id, k.client_id, k.id, k.secret_hmac, p.algorithm, p.jwk::text
        FROM portfolios_publickey p JOIN portfolios_apikey k ON k.id = p.credential_id
        WHERE k.key_id = wanted AND k.kind = 'oauth' AND p.kid = wanted_kid
            AND p.revoked_at IS NULL
            AND (p.expires_at IS NULL OR p.expires_at > clock_timestamp());
    PERFORM set_config('app.operator', before, true);
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("portfolios", "0023_client_assertions")]

    operations = [
        tenant_policy("portfolios_publickey"),
        tenant_policy("portfolios_usedassertion"),
        migrations.RunSQL(
            sql=LOOKUP + PUBLIC_KEY_LOOKUP,
            reverse_sql="DROP FUNCTION public_key_lookup(text, text);"
            + BEFORE.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"),
        ),
    ]
