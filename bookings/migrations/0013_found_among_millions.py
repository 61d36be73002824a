from django.db import migrations, models

from bookings.online import AddIndexOnline


class Migration(migrations.Migration):
    # Nobody waits for indexes on the table everything is booked in.
    atomic = False

    dependencies = [
        ('bookings', '0012_may_import_and_export'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='booking',
            name='booking_plate',
        ),
        AddIndexOnline(
            model_name='booking',
            index=models.Index(fields=['plate_normalised'], name='booking_plate_begins', opclasses=['varchar_pattern_ops']),
        ),
        AddIndexOnline(
            model_name='booking',
            index=models.Index(fields=['-starts_at', '-id'], name='booking_newest'),
        ),
        AddIndexOnline(
            model_name='booking',
            index=models.Index(fields=['created_at'], name='booking_made'),
        ),
        AddIndexOnline(
            model_name='booking',
            index=models.Index(condition=models.Q(('state', 'completed')), fields=['ends_at'], name='booking_ended'),
        ),
    ]
