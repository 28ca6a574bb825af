"""What a unit has come to, as a function: PostgreSQL keeps its plan, which costs more to make than
to carry out."""

from django.db import migrations

# With the caller's rights and scope, so behind the walls of the tables.
UNIT_RESULT = """
CREATE FUNCTION unit_result(owner uuid, wanted uuid, unit_name text)
RETURNS TABLE (state text, body text, content_hash text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY SELECT unit.state::text, result.body, result.content_hash::text
    FROM analytics_run run
        LEFT JOIN analytics_unit unit ON unit.run_id = run.id AND unit.name = unit_name
        LEFT JOIN analytics_result result ON result.unit_id = unit.id
    WHERE run.id = wanted AND run.client_id = owner;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("analytics", "0009_replays_row_level_security")]

    operations = [
        migrations.RunSQL(sql=UNIT_RESULT, reverse_sql="DROP FUNCTION unit_result(uuid, uuid, text);")
    ]
