"""What figures count by stands in the indexes themselves, so that a year of them is read from those alone."""

from django.conf import settings
from django.db import migrations, models

from bookings.online import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('bookings', '0017_found_by_any_part'),
        ('lots', '0008_may_import_and_export'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='booking',
            name='booking_newest',
        ),
        migrations.RemoveIndex(
            model_name='booking',
            name='booking_made',
        ),
        migrations.RemoveIndex(
            model_name='booking',
            name='booking_ended',
        ),
        migrations.RemoveIndex(
            model_name='ledgerentry',
            name='ledger_at',
        ),
        AddIndexOnline(
            model_name='booking',
            index=models.Index(fields=['-starts_at', '-id'], include=('ends_at', 'state', 'kind', 'lot', 'driver'), name='booking_newest'),
        ),
        AddIndexOnline(
            model_name='booking',
            index=models.Index(fields=['created_at'], include=('kind', 'lot', 'driver'), name='booking_made'),
        ),
        AddIndexOnline(
            model_name='booking',
            index=models.Index(condition=models.Q(('state', 'completed')), fields=['ends_at'], include=('starts_at', 'booked_until', 'lot'), name='booking_ended'),
        ),
        AddIndexOnline(
            model_name='ledgerentry',
            index=models.Index(fields=['at'], include=('kind', 'currency', 'amount', 'provider', 'booking'), name='ledger_at'),
        ),
    ]
