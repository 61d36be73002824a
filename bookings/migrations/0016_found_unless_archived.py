from django.db import migrations, models

from bookings.online import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("bookings", "0015_archive")]

    operations = [
        AddIndexOnline(
            model_name="booking",
            index=models.Index(
                condition=models.Q(("archived_at__isnull", True)), fields=["id"], name="booking_not_archived"
            ),
        ),
    ]
