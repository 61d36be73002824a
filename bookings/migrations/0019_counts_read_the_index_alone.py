from django.db import migrations, models

from bookings.online import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("bookings", "0018_figures_from_indexes_alone")]

    operations = [
        AddIndexOnline(
            model_name="booking",
            index=models.Index(
                condition=models.Q(("state__in", ["held", "confirmed", "active"])),
                fields=["spot", "starts_at"],
                include=("ends_at", "state", "held_until", "no_show_at"),
                name="booking_blocking",
            ),
        ),
        # Whatever asked this one is answered by the other.
        migrations.RemoveIndex(model_name="booking", name="booking_occupying"),
    ]
