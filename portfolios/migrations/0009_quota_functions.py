"""Quotas: their wall, and the functions that take from them and give back, one row lock each."""

from django.db import migrations

from portfolios.row_level_security import tenant_policy

LOOKUP_BEFORE = """
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
"""

# The client's own limits come with it.
LOOKUP = """
CREATE FUNCTION api_key_lookup(wanted text) RETURNS TABLE (
    id uuid, name varchar, secret_hmac bytea, scopes varchar[],
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
    RETURN QUERY SELECT k.id, k.name, k.secret_hmac, k.scopes, k.allowed_networks, k.expires_at,
           k.revoked_at, k.last_used_at, c.id, c.name, c.slug, c.base_currency,
           c.is_synthetic, c.is_active, c.created_at, c.requests_per_minute, c.runs_per_minute,
           c.max_open_runs
    FROM portfolios_apikey k JOIN portfolios_client c ON c.id = k.client_id
    WHERE k.key_id = wanted;
    PERFORM set_config('app.operator', before, true);
END $$;
"""

# Takes one from each policy, or from none: where one is used up, what the others gave is put back.
# Rows are locked in the order of the names given, which is the same for everybody. A quota of 0 is
# no limit. Counts and ages come back in the order of the names, up to the one that is violated.
QUOTA_TAKE = """
CREATE FUNCTION quota_take(owner uuid, names text[], quotas integer[], seconds integer)
RETURNS TABLE (violated text, used integer[], started timestamptz[], age double precision[])
LANGUAGE plpgsql STRICT AS $$
DECLARE
    before text := coalesce(current_setting('app.operator', true), '');
    span interval := make_interval(secs => seconds);
    moment timestamptz;
    begun timestamptz;
    count_now integer;
BEGIN
    PERFORM set_config('app.operator', 'on', true);
    FOR i IN 1 .. coalesce(array_length(names, 1), 0) LOOP
        count_now := 0;
        moment := clock_timestamp();
        begun := moment;
        WHILE quotas[i] > 0 LOOP
            UPDATE portfolios_quotawindow q
            SET used = CASE WHEN q.started_at + span <= moment THEN 1 ELSE q.used + 1 END,
                started_at = CASE WHEN q.started_at + span <= moment THEN moment ELSE q.started_at END
            WHERE q.client_id = owner AND q.policy = names[i]
                AND (q.used < quotas[i] OR q.started_at + span <= moment)
            RETURNING q.used, q.started_at INTO count_now, begun;
            EXIT WHEN FOUND;
            SELECT q.used, q.started_at INTO count_now, begun FROM portfolios_quotawindow q
            WHERE q.client_id = owner AND q.policy = names[i];
            IF NOT FOUND THEN
                INSERT INTO portfolios_quotawindow (client_id, policy, started_at, used)
                VALUES (owner, names[i], moment, 0) ON CONFLICT DO NOTHING;
            ELSIF count_now >= quotas[i] AND begun + span > moment THEN
                violated := names[i];
                FOR j IN 1 .. i - 1 LOOP
                    UPDATE portfolios_quotawindow q SET used = q.used - 1
                    WHERE q.client_id = owner AND q.policy = names[j]
                        AND q.started_at = started[j] AND q.used > 0;
                    used[j] := greatest(used[j] - 1, 0);
                END LOOP;
                EXIT;
            END IF;
            moment := clock_timestamp();
        END LOOP;
        used[i] := count_now;
        started[i] := begun;
        age[i] := greatest(extract(epoch FROM moment - begun), 0);
        EXIT WHEN violated IS NOT NULL;
    END LOOP;
    PERFORM set_config('app.operator', before, true);
    RETURN NEXT;
END $$;
"""

# Puts back what a request has taken from the window that began then, if that is still the one.
QUOTA_RETURN = """
CREATE FUNCTION quota_return(owner uuid, names text[], began timestamptz[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    before text := coalesce(current_setting('app.operator', true), '');
BEGIN
    PERFORM set_config('app.operator', 'on', true);
    FOR i IN 1 .. coalesce(array_length(names, 1), 0) LOOP
        UPDATE portfolios_quotawindow q SET used = q.used - 1
        WHERE q.client_id = owner AND q.policy = names[i] AND q.started_at = began[i] AND q.used > 0;
    END LOOP;
    PERFORM set_config('app.operator', before, true);
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("portfolios", "0008_quotas")]

    operations = [
        tenant_policy("portfolios_quotawindow"),
        # Counters of a minute: no write-ahead log to wait for, and room in the page for new versions.
        migrations.RunSQL(
            sql="ALTER TABLE portfolios_quotawindow SET UNLOGGED;"
            "ALTER TABLE portfolios_quotawindow SET (fillfactor = 20);"
            "ALTER TABLE portfolios_authfailurewindow SET UNLOGGED;",
            reverse_sql="ALTER TABLE portfolios_quotawindow SET LOGGED;"
            "ALTER TABLE portfolios_authfailurewindow SET LOGGED;",
        ),
        migrations.RunSQL(
            sql="DROP FUNCTION api_key_lookup(text);" + LOOKUP,
            reverse_sql="DROP FUNCTION api_key_lookup(text);" + LOOKUP_BEFORE,
        ),
        migrations.RunSQL(
            sql=QUOTA_TAKE,
            reverse_sql="DROP FUNCTION quota_take(uuid, text[], integer[], integer);",
        ),
        migrations.RunSQL(
            sql=QUOTA_RETURN,
            reverse_sql="DROP FUNCTION quota_return(uuid, text[], timestamptz[]);",
        ),
    ]
