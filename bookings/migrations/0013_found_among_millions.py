from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('bookings', '0012_may_import_and_export'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='booking',
            name='booking_plate',
        ),
        migrations.AddIndex(
            model_name='booking',
            index=models.Index(fields=['plate_normalised'], name='booking_plate_begins', opclasses=['varchar_pattern_ops']),
        ),
        migrations.AddIndex(
            model_name='booking',
            index=models.Index(fields=['-starts_at', '-id'], name='booking_newest'),
        ),
        migrations.AddIndex(
            model_name='booking',
            index=models.Index(fields=['created_at'], name='booking_made'),
        ),
        migrations.AddIndex(
            model_name='booking',
            index=models.Index(condition=models.Q(('state', 'completed')), fields=['ends_at'], name='booking_ended'),
        ),
    ]
