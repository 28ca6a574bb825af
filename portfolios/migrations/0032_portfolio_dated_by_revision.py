"""A portfolio is dated by its revision: one clock says when it changed, however one asks."""

from importlib import import_module

import django.db.models.functions.datetime
from django.db import migrations, models

_KEPT = import_module("portfolios.migrations.0018_revisions_kept")
_OLD, _NEW = (_KEPT._of(row, _KEPT.PORTFOLIO) for row in ("OLD", "NEW"))
_BEFORE = _KEPT._kept("portfolio", "portfolio_id", _KEPT.PORTFOLIO, "created_at").sql
_FUNCTION = _BEFORE[: _BEFORE.index("CREATE TRIGGER")].replace(
    "CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"
)

# The row is locked before its trigger runs, so that of two changes the later one is dated later.
SQL = f"""
SELECT set_config('app.operator', 'on', true);
UPDATE portfolios_portfolio AS portfolio SET updated_at = revision.recorded_at
    FROM portfolios_portfoliorevision AS revision
    WHERE revision.portfolio_id = portfolio.id AND revision.superseded_at IS NULL;
SELECT set_config('app.operator', '', true);
CREATE FUNCTION date_portfolio() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND ({_OLD}) IS NOT DISTINCT FROM ({_NEW}) THEN
        NEW.updated_at := OLD.updated_at;
    ELSE
        NEW.updated_at := clock_timestamp();
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER dated_by_revision BEFORE INSERT OR UPDATE ON portfolios_portfolio
    FOR EACH ROW EXECUTE FUNCTION date_portfolio();
{_FUNCTION.replace("moment timestamptz := clock_timestamp()", "moment timestamptz := NEW.updated_at")}
"""


class Migration(migrations.Migration):

    dependencies = [
        ('portfolios', '0031_instrument_by_symbol'),
    ]

    operations = [
        migrations.AlterField(
            model_name='portfolio',
            name='updated_at',
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Of its present revision; a trigger sees to it.'),
        ),
        migrations.RunSQL(
            sql=SQL,
            reverse_sql="DROP TRIGGER dated_by_revision ON portfolios_portfolio;"
            f" DROP FUNCTION date_portfolio(); {_FUNCTION}",
        ),
    ]
