"""Guests; and on SQLite the bookings' triggers again, which new constraints have dropped."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from bookings import guards


class Migration(migrations.Migration):

    dependencies = [
        ('bookings', '0008_waitlist'),
        ('lots', '0005_a_code_for_every_label'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Guest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key_hash', models.CharField(editable=False, max_length=64, null=True, unique=True)),
                ('email', models.EmailField(blank=True, max_length=254, verbose_name='e-mail')),
                ('language', models.CharField(blank=True, max_length=10)),
                ('created_at', models.DateTimeField()),
                ('erased_at', models.DateTimeField(editable=False, null=True)),
            ],
            options={
                'verbose_name': 'guest',
                'indexes': [models.Index(condition=models.Q(('erased_at', None)), fields=['created_at'], name='guest_live')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('erased_at', None), ('key_hash__isnull', False)), models.Q(('email', ''), ('erased_at__isnull', False), ('key_hash', None), ('language', '')), _connector='OR'), name='guest_known_or_erased')],
            },
        ),
        migrations.AddField(
            model_name='booking',
            name='guest',
            field=models.ForeignKey(blank=True, db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='bookings', to='bookings.guest', verbose_name='guest'),
        ),
        migrations.AddIndex(
            model_name='booking',
            index=models.Index(condition=models.Q(('guest__isnull', False)), fields=['guest'], name='booking_guest'),
        ),
        migrations.AddConstraint(
            model_name='booking',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['held', 'confirmed', 'active'])), fields=('guest',), name='booking_one_stay_a_guest'),
        ),
        migrations.AddConstraint(
            model_name='booking',
            constraint=models.CheckConstraint(condition=models.Q(('driver__isnull', True), ('guest__isnull', True), _connector='OR'), name='booking_driver_or_guest'),
        ),
        guards.operation(),
    ]
