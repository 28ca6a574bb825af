"""When a fact is recorded: at its writing, behind a lock that tells who has not committed yet."""

from django.db import migrations, models

import portfolios.models.fields

#: Any number that no other advisory lock of two numbers has for its first.
LOCK = int.from_bytes(b"fact")

# A fact written by a client is waited for by that client alone, one by the operator by all.
MOMENT = f"""
CREATE FUNCTION fact_moment() RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    owner text := coalesce(current_setting('app.client_id', true), '');
BEGIN
    IF owner = '' OR coalesce(current_setting('app.operator', true), '') <> '' THEN
        PERFORM pg_advisory_xact_lock_shared({LOCK}, 0);
    ELSE
        PERFORM pg_advisory_xact_lock_shared({LOCK}, hashtext(owner));
    END IF;
    RETURN clock_timestamp();
END $$;
"""

# Other transactions that hold such a lock: whoever asks for a moment later gets a later one.
WRITERS = f"""
CREATE FUNCTION fact_writers(owner uuid) RETURNS SETOF text LANGUAGE sql VOLATILE AS $$
    SELECT l.virtualtransaction FROM pg_locks l
    WHERE l.locktype = 'advisory' AND l.classid = {LOCK} AND l.objsubid = 2
        AND l.objid IN (0, (hashtext(owner::text)::bigint & 4294967295)::oid)
        AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
        AND l.pid <> pg_backend_pid()
$$;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('portfolios', '0027_token_scopes'),
    ]

    operations = [
        migrations.RunSQL(MOMENT, "DROP FUNCTION fact_moment();"),
        migrations.RunSQL(WRITERS, "DROP FUNCTION fact_writers(uuid);"),
        migrations.AlterField(
            model_name='corporateaction',
            name='recorded_at',
            field=models.DateTimeField(db_default=portfolios.models.fields.FactMoment(), editable=False),
        ),
        migrations.AlterField(
            model_name='fundfact',
            name='recorded_at',
            field=models.DateTimeField(db_default=portfolios.models.fields.FactMoment(), editable=False),
        ),
        migrations.AlterField(
            model_name='fundholding',
            name='recorded_at',
            field=models.DateTimeField(db_default=portfolios.models.fields.FactMoment(), editable=False),
        ),
        migrations.AlterField(
            model_name='fxrate',
            name='recorded_at',
            field=models.DateTimeField(db_default=portfolios.models.fields.FactMoment(), editable=False),
        ),
        migrations.AlterField(
            model_name='leverageterms',
            name='recorded_at',
            field=models.DateTimeField(db_default=portfolios.models.fields.FactMoment(), editable=False),
        ),
        migrations.AlterField(
            model_name='optionquote',
            name='recorded_at',
            field=models.DateTimeField(db_default=portfolios.models.fields.FactMoment(), editable=False),
        ),
        migrations.AlterField(
            model_name='positionset',
            name='recorded_at',
            field=models.DateTimeField(db_default=portfolios.models.fields.FactMoment(), editable=False),
        ),
        migrations.AlterField(
            model_name='price',
            name='recorded_at',
            field=models.DateTimeField(db_default=portfolios.models.fields.FactMoment(), editable=False),
        ),
        migrations.AlterField(
            model_name='rateobservation',
            name='recorded_at',
            field=models.DateTimeField(db_default=portfolios.models.fields.FactMoment(), editable=False),
        ),
    ]
