"""Several former secrets beside the present one; what was the former one is the first of them."""

from django.db import migrations, models

MOVED = """
SELECT set_config('app.operator', 'on', true);
UPDATE portfolios_webhookendpoint
    SET former_secrets = jsonb_build_array(
        jsonb_build_object('secret', previous_secret, 'until', previous_secret_until))
    WHERE previous_secret <> '' AND previous_secret_until IS NOT NULL;
SELECT set_config('app.operator', '', true);
"""


class Migration(migrations.Migration):
    dependencies = [("portfolios", "0021_policy_holders")]

    operations = [
        migrations.AddField(
            model_name="webhookendpoint",
            name="former_secrets",
            field=models.JSONField(
                default=list,
                editable=False,
                help_text="Sealed, each with the time until which it signs too; the newest first.",
            ),
        ),
        migrations.RunSQL(MOVED, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="webhookendpoint",
            name="previous_secret_until",
            field=models.DateTimeField(
                blank=True,
                editable=False,
                help_text="Until the newest of them ends.",
                null=True,
            ),
        ),
        migrations.RemoveField(model_name="webhookendpoint", name="previous_secret"),
    ]
