"""This release knows the copies of rows no more; their tables go with the next one.

The release before still writes them while this one starts. Their links to people go now: a table nobody
knows must not hold on to one that is known.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def loose() -> models.ForeignKey:
    return models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=django.db.models.deletion.SET_NULL,
        related_name="+",
        db_constraint=False,
    )


class Migration(migrations.Migration):
    dependencies = [("lots", "0009_history_in_one_record")]

    operations = [
        migrations.AlterField("historicallot", "history_user", loose()),
        migrations.AlterField("historicalspot", "history_user", loose()),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.DeleteModel("HistoricalLot"),
                migrations.DeleteModel("HistoricalSpot"),
            ]
        ),
    ]
