from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("lots", "0003_operators_of_lots")]

    operations = [
        migrations.AddField(
            model_name="historicallot",
            name="guests_may_book",
            field=models.BooleanField(default=True, help_text="Whoever scans a label here parks without an account.", verbose_name="guests may book"),
        ),
        migrations.AddField(
            model_name="lot",
            name="guests_may_book",
            field=models.BooleanField(default=True, help_text="Whoever scans a label here parks without an account.", verbose_name="guests may book"),
        ),
        # Filled and closed by the next migration: every row there is needs a code of its own.
        migrations.AddField(
            model_name="lot",
            name="code",
            field=models.CharField(editable=False, max_length=10, null=True, verbose_name="label code"),
        ),
        migrations.AddField(
            model_name="spot",
            name="code",
            field=models.CharField(editable=False, max_length=10, null=True, verbose_name="label code"),
        ),
    ]
