"""The ledger's triggers; and on SQLite the bookings' own again, which adding columns has dropped."""

from django.db import migrations

from bookings import guards
from bookings.payments import guards as ledger_guards


class Migration(migrations.Migration):
    dependencies = [("bookings", "0004_payments_and_ledger")]

    operations = [guards.operation(), ledger_guards.operation()]
