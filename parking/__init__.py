"""Wiring only: settings, URLs, the API's and the admin's frame, Celery."""

from parking.celery import app as celery_app

__all__ = ["celery_app"]
