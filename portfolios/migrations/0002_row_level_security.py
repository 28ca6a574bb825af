"""The second wall: privileges of role `app`, tenant policies, and an audit table without edits."""

from django.db import migrations

from portfolios.row_level_security import grant_to_app, tenant_policy

OWN = ("idempotencyrecord", "auditevent", "portfolio", "positionset", "position", "import", "importproblem")
SHARED = ("instrument", "leverageterms", "optionterms", "corporateaction", "price", "fxrate", "rateobservation", "optionquote", "dataversion")


class Migration(migrations.Migration):
    dependencies = [("portfolios", "0001_initial")]

    operations = [
        grant_to_app(),
        tenant_policy("portfolios_client", column="id"),
        tenant_policy("portfolios_apikey"),
        *(tenant_policy(f"portfolios_{name}") for name in OWN),
        *(tenant_policy(f"portfolios_{name}", shared=True) for name in SHARED),
        migrations.RunSQL(
            sql="""
            CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
            END $$;
            CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON portfolios_auditevent
                FOR EACH ROW EXECUTE FUNCTION refuse_change();
            """,
            reverse_sql="DROP TRIGGER append_only ON portfolios_auditevent; DROP FUNCTION refuse_change();",
        ),
    ]
