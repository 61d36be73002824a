"""The receipts' triggers."""

from django.db import migrations

from bookings import receipt_guards


class Migration(migrations.Migration):
    dependencies = [("bookings", "0006_receipts")]

    operations = [receipt_guards.operation()]
