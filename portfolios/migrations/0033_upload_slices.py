"""Uploads are kept as they come: a slice of a compressed value costs all that is before it."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('portfolios', '0032_portfolio_dated_by_revision'),
    ]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE portfolios_import ALTER COLUMN content SET STORAGE EXTERNAL",
            "ALTER TABLE portfolios_import ALTER COLUMN content SET STORAGE EXTENDED",
        ),
    ]
