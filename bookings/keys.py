"""Answers kept for requests that may be sent twice (the Idempotency-Key header)."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class IdempotencyKeyQuerySet(models.QuerySet["IdempotencyKey"]):
    def older_than(self, moment: datetime) -> IdempotencyKeyQuerySet:
        return self.filter(created_at__lt=moment)


class IdempotencyKey(models.Model):
    """One request of one user, with the answer it got. Written in the transaction of its effect."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=255)
    # sha256 of method, path and body: the same key for another request is a mistake of the client.
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    # As it was sent, byte for byte: a JSON column would not keep the order of the members.
    body = models.TextField(blank=True)
    created_at = models.DateTimeField(db_index=True)

    objects = IdempotencyKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("idempotency key")
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_once_a_user"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}/{self.key}"
