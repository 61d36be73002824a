"""The table of the database cache, so that `migrate` alone makes a database every page works with."""

from django.core.management import call_command
from django.db import migrations


def make_table(apps, schema_editor):
    # Made even where Redis is the cache today: it costs nothing empty and is there on the way back.
    call_command("createcachetable", "parking_cache", database=schema_editor.connection.alias, verbosity=0)


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [migrations.RunPython(make_table, migrations.RunPython.noop)]
