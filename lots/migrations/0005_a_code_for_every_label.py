from django.db import migrations, models

import lots.labels

BATCH = 1000


def give_codes(apps, schema_editor):
    for name in ("Lot", "Spot"):
        model = apps.get_model("lots", name)
        while rows := list(model.objects.filter(code=None).only("pk")[:BATCH]):
            for row in rows:
                row.code = lots.labels.new_code()
            model.objects.bulk_update(rows, ["code"])


class Migration(migrations.Migration):
    dependencies = [("lots", "0004_labels_and_guests")]

    operations = [
        migrations.RunPython(give_codes, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="lot",
            name="code",
            field=models.CharField(default=lots.labels.new_code, editable=False, max_length=10, unique=True, verbose_name="label code"),
        ),
        migrations.AlterField(
            model_name="spot",
            name="code",
            field=models.CharField(default=lots.labels.new_code, editable=False, max_length=10, unique=True, verbose_name="label code"),
        ),
    ]
