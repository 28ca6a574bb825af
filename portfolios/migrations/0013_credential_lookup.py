"""Tokens: their wall, and the one query that knows a key, a client's secret or a token."""

from importlib import import_module

from django.db import migrations

from portfolios.row_level_security import tenant_policy

LOOKUP_BEFORE = import_module("portfolios.migrations.0009_quota_functions").LOOKUP

# The row of the key itself; of a token, the key's with the token's secret, scopes and times.
LOOKUP = """
CREATE FUNCTION credential_lookup(form text, wanted text) RETURNS TABLE (
    id uuid, key_id varchar, kind varchar, name varchar, secret_hmac bytea, scopes varchar[],
    allowed_networks varchar[], expires_at timestamptz, revoked_at timestamptz,
    last_used_at timestamptz, client_id uuid, client_name varchar, slug varchar,
    base_currency varchar, is_synthetic boolean, is_active boolean,
    created_at timestamptz, requests_per_minute integer, runs_per_minute integer,
    max_open_runs integer
) LANGUAGE plpgsql AS $$
DECLARE
    before text := coalesce(current_setting('app.operator', true), '');
BEGIN
    PERFORM set_config('app.operator', 'on', true);
    IF form = 'rt' THEN
        RETURN QUERY SELECT k.id, k.key_id, k.kind, k.name, t.secret_hmac, t.scopes,
               k.allowed_networks, least(t.expires_at, k.expires_at),
               coalesce(t.revoked_at, k.revoked_at), k.last_used_at, c.id, c.name, c.slug,
               c.base_currency, c.is_synthetic, c.is_active, c.created_at,
               c.requests_per_minute, c.runs_per_minute, c.max_open_runs
        FROM portfolios_accesstoken t JOIN portfolios_apikey k ON k.id = t.credential_id
            JOIN portfolios_client c ON c.id = k.client_id
        WHERE t.token_id = wanted;
    ELSE
        RETURN QUERY SELECT k.id, k.key_id, k.kind, k.name, k.secret_hmac, k.scopes,
               k.allowed_networks, k.expires_at, k.revoked_at, k.last_used_at, c.id, c.name,
               c.slug, c.base_currency, c.is_synthetic, c.is_active, c.created_at,
               c.requests_per_minute, c.runs_per_minute, c.max_open_runs
        FROM portfolios_apikey k JOIN portfolios_client c ON c.id = k.client_id
        WHERE k.key_id = wanted AND k.kind = CASE form WHEN 'rs' THEN 'oauth' ELSE 'api_key' END;
    END IF;
    PERFORM set_config('app.operator', before, true);
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("portfolios", "0012_audit_correlation")]

    operations = [
        tenant_policy("portfolios_accesstoken"),
        migrations.RunSQL(
            sql="DROP FUNCTION api_key_lookup(text);" + LOOKUP,
            reverse_sql="DROP FUNCTION credential_lookup(text, text);" + LOOKUP_BEFORE,
        ),
    ]
