"""The trigger that keeps viewings as they were written."""

from django.db import migrations

from accounts.viewings import VIEWINGS


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_changes_and_viewings")]

    operations = [VIEWINGS.operation()]
