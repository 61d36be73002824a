"""Two records that only grow: what operators changed, and which of them were shown what about whom."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Change(models.Model):
    """One row of ours was made, changed or removed: by whom, when, from what to what (accounts.changes)."""

    class Action(models.TextChoices):
        MADE = "made", _("made")
        CHANGED = "changed", _("changed")
        REMOVED = "removed", _("removed")

    class Kind(models.TextChoices):
        LOT = "lots.lot", _("lot")
        SPOT = "lots.spot", _("spot")
        TARIFF = "lots.tariff", _("tariff")
        CLOSURE = "lots.closure", _("closure")
        USER = "accounts.user", _("user's rights")
        ROLE = "auth.group", _("role")

    at = models.DateTimeField(_("when"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("who")
    )
    # The command or the file it came by; where nobody did it, this is all there is to say.
    through = models.CharField(_("through"), max_length=100, blank=True)
    kind = models.CharField(_("of what"), max_length=20, choices=Kind)
    # Numbers, not relations: what is told outlives what it is about, and accounts know no lots.
    object_id = models.BigIntegerField(_("its number"))
    lot_id = models.BigIntegerField(_("its lot's number"), null=True)
    # Of people none: whoever is erased must not live on here.
    name = models.CharField(_("name"), max_length=200, blank=True)
    action = models.CharField(_("done"), max_length=8, choices=Action)
    # [[field, from, to], …], each as text.
    fields = models.JSONField(_("changes"), default=list)
    reason = models.CharField(_("reason"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("change")
        indexes = [
            models.Index(fields=["-at", "-id"], name="change_latest"),
            models.Index(fields=["kind", "object_id", "-at"], name="change_of_a_row"),
            models.Index(fields=["lot_id", "-at"], name="change_of_a_lot"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.object_id} {self.action} {self.at:%Y-%m-%d %H:%M}"


class ViewingQuerySet(models.QuerySet["Viewing"]):
    def naming(self, person: Any) -> ViewingQuerySet:
        """A look at a short text each: rows are few (days are limited), and people ask seldom."""
        return self.filter(people__contains=f"|{person.pk}|")


class Viewing(models.Model):
    """Staff were shown what we know about people: one row a page or file (accounts.viewings)."""

    at = models.DateTimeField(_("when"))
    viewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("who")
    )
    address = models.GenericIPAddressField(_("from"), null=True)
    # The page's name, e.g. "bookings.booking", and how it was shown.
    what = models.CharField(_("what"), max_length=60)
    object_id = models.CharField(_("which"), max_length=40, blank=True)
    # "|12|15|": whom it named, as far as they have accounts and are not too many to be named here.
    people = models.TextField(_("whose"), blank=True)
    count = models.PositiveIntegerField(_("how many people"))

    objects = ViewingQuerySet.as_manager()

    class Meta:
        verbose_name = _("viewing")
        indexes = [models.Index(fields=["-at", "-id"], name="viewing_latest")]

    def __str__(self) -> str:
        return f"{self.what} {self.at:%Y-%m-%d %H:%M}"

    def ids(self) -> list[int]:
        return [int(part) for part in self.people.split("|") if part]
