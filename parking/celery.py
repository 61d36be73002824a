"""The Celery application: settings come from Django, tasks from each app's tasks.py."""

import os

from celery import Celery

from parking import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "parking.settings")
broker.install()
app = Celery("parking")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
