"""The database itself refuses two occupying bookings of one spot that overlap."""

from django.db import migrations

from bookings import guards


class Migration(migrations.Migration):
    dependencies = [("bookings", "0001_initial")]

    operations = [guards.operation()]
