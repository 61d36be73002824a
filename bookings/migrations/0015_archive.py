"""Old bookings can be archived; the database keeps them as they were proven."""

from django.db import migrations, models

from bookings import archive_guards


class Migration(migrations.Migration):
    dependencies = [("bookings", "0014_problems_drivers_report")]

    operations = [
        migrations.AddField(
            model_name="booking",
            name="archived_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        archive_guards.operation(),
    ]
