"""The one query that knows a key before its client is known."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("portfolios", "0002_row_level_security")]

    operations = [
        # The setting holds for the function alone, and the function shows one row by its full
        # name: authentication costs one query without a transaction, and opens nothing else.
        migrations.RunSQL(
            sql="""
            CREATE FUNCTION api_key_lookup(wanted text) RETURNS TABLE (
                id uuid, name varchar, secret_hmac bytea, scopes varchar[],
                allowed_networks varchar[], expires_at timestamptz, revoked_at timestamptz,
                last_used_at timestamptz, client_id uuid, client_name varchar, slug varchar,
                base_currency varchar, is_synthetic boolean, is_active boolean,
                created_at timestamptz
            ) LANGUAGE plpgsql AS $$
            DECLARE
                before text := coalesce(current_setting('app.operator', true), '');
            BEGIN
                PERFORM set_config('app.operator', 'on', true);
                RETURN QUERY SELECT k.id, k.name, k.secret_hmac, k.scopes, k.allowed_networks, k.expires_at,
                       k.revoked_at, k.last_used_at, c.id, c.name, c.slug, c.base_currency,
                       c.is_synthetic, c.is_active, c.created_at
                FROM portfolios_apikey k JOIN portfolios_client c ON c.id = k.client_id
                WHERE k.key_id = wanted;
                PERFORM set_config('app.operator', before, true);
            END $$;
            """,
            reverse_sql="DROP FUNCTION api_key_lookup(text);",
        ),
    ]
