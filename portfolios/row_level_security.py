"""SQL for migrations: privileges of the `app` role and the tenant policy of a table."""

from __future__ import annotations

from django.db import migrations

_CLIENT = "(SELECT nullif(current_setting('app.client_id', true), '')::uuid)"
_OPERATOR = "(SELECT current_setting('app.operator', true) = 'on')"


def tenant_policy(
    table: str, *, column: str = "client_id", shared: bool = False
) -> migrations.RunSQL:
    """Force row-level security on a table.

    A row is seen by its client and by an operator's transaction; with `shared`, rows of no client
    (market data loaded by the operator) by everyone. It is written by its client or an operator
    alone.
    """
    owns = f"{column} = {_CLIENT} OR {_OPERATOR}"
    sees = owns
    if shared:
        sees += f" OR {column} IS NULL"
    return migrations.RunSQL(
        sql=f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;"
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY;"
        f"CREATE POLICY tenant_read ON {table} FOR SELECT USING ({sees});"
        f"CREATE POLICY tenant_insert ON {table} FOR INSERT WITH CHECK ({owns});"
        f"CREATE POLICY tenant_update ON {table} FOR UPDATE USING ({owns}) WITH CHECK ({owns});"
        f"CREATE POLICY tenant_delete ON {table} FOR DELETE USING ({owns});",
        reverse_sql=f"DROP POLICY tenant_read ON {table};"
        f"DROP POLICY tenant_insert ON {table};"
        f"DROP POLICY tenant_update ON {table};"
        f"DROP POLICY tenant_delete ON {table};"
        f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;"
        f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;",
    )


def shared_but_not_with_sandboxes(table: str) -> migrations.RunSQL:
    """Show rows of no client to every client but sandboxes, whose ids are of version 8.

    An id says so by itself: a look at the table of clients would be added to every query.
    """
    owns = f"client_id = {_CLIENT} OR {_OPERATOR}"
    live = f"(SELECT substr({_CLIENT}::text, 15, 1) IS DISTINCT FROM '8')"
    return migrations.RunSQL(
        sql=f"ALTER POLICY tenant_read ON {table}"
        f" USING ({owns} OR (client_id IS NULL AND {live}));",
        reverse_sql=f"ALTER POLICY tenant_read ON {table} USING ({owns} OR client_id IS NULL);",
    )


def grant_to_app() -> migrations.RunSQL:
    """Let role `app` use every table of the owner, present and future, but own none."""
    return migrations.RunSQL(
        sql="GRANT USAGE ON SCHEMA public TO app;"
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app;"
        "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO app;"
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public"
        " GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO app;"
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO app;",
        reverse_sql=migrations.RunSQL.noop,
    )
