"""Triggers that keep the revisions of portfolios and instruments, whoever changes them; tenant
policies; and the state on file as the first revisions."""

from django.db import migrations

from portfolios.row_level_security import tenant_policy

PORTFOLIO = "external_id, name, base_currency, benchmark_id, market_benchmark_id, is_active, version"
INSTRUMENT = "symbol, name, kind, currency, calendar, isin, figi, is_synthetic, proxy_id"


def _of(row: str, columns: str) -> str:
    return ", ".join(f"{row}.{name.strip()}" for name in columns.split(","))


def _kept(table: str, key: str, told: str, fixed: str) -> migrations.RunSQL:
    """`told` are the columns whose change makes a revision; `fixed` are copied along."""
    revisions, source = f"portfolios_{table}revision", f"portfolios_{table}"
    columns = f"client_id, {key}, {fixed}, {told}"
    return migrations.RunSQL(
        sql=f"""
        CREATE FUNCTION keep_{table}_revision() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE moment timestamptz := clock_timestamp();
        BEGIN
            IF TG_OP = 'UPDATE'
                AND ({_of('OLD', told)}) IS NOT DISTINCT FROM ({_of('NEW', told)}) THEN
                RETURN NULL;
            END IF;
            UPDATE {revisions} SET superseded_at = moment
                WHERE {key} = NEW.id AND superseded_at IS NULL;
            INSERT INTO {revisions} ({columns}, recorded_at)
                VALUES (NEW.client_id, NEW.id, {_of('NEW', fixed)}, {_of('NEW', told)}, moment);
            RETURN NULL;
        END $$;
        CREATE TRIGGER keep_revision AFTER INSERT OR UPDATE ON {source}
            FOR EACH ROW EXECUTE FUNCTION keep_{table}_revision();
        SELECT set_config('app.operator', 'on', true);
        INSERT INTO {revisions} ({columns}, recorded_at)
            SELECT client_id, id, {fixed}, {told}, created_at FROM {source};
        SELECT set_config('app.operator', '', true);
        """,
        reverse_sql=f"DROP TRIGGER keep_revision ON {source};"
        f" DROP FUNCTION keep_{table}_revision();",
    )


class Migration(migrations.Migration):
    dependencies = [("portfolios", "0017_revisions")]

    operations = [
        tenant_policy("portfolios_portfoliorevision"),
        tenant_policy("portfolios_instrumentrevision", shared=True),
        _kept("portfolio", "portfolio_id", PORTFOLIO, "created_at"),
        _kept("instrument", "instrument_id", INSTRUMENT, "uid"),
    ]
