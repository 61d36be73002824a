"""A lot's settings in sentences: on its rules page, and beside the form while it is filled in."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.tests.staff import verify
from bookings import policies
from bookings.tests.factories import make_lot, make_user
from bookings.tests.test_admin_lots import form_of
from lots.models import Lot

RULES = [
    ({"min_stay_minutes": 30, "max_stay_minutes": 240}, "A stay lasts 30 min at least and 4 h at most."),
    ({"default_stay_minutes": 90}, "Where no end is said, 1 h 30 min are planned."),
    ({"grid_minutes": 10}, "Reserved times are in steps of 10 min."),
    ({"max_notice_days": 1}, "You can book up to 1 day ahead."),
    ({"min_notice_minutes": 120}, "A reservation must be made 2 h before it starts."),
    ({"guests_may_book": False}, "You need an account to park here."),
    ({"payment_timing": "prepaid"}, "the spot is kept for ten minutes."),
    (
        {"needs_check_in": True, "no_show_grace_minutes": 20},
        "Check in within 20 min of the start, or the spot",
    ),
    ({"needs_check_in": True, "no_show_fee_percent": 0}, "given away; nothing is due then."),
    ({"end_of_stay": "until_released", "overstay_percent": 150}, "Time past the agreed end costs 150 %"),
    ({"early_release": "used"}, "pays for the time used only."),
    ({"cancellation_tiers": []}, "Nothing comes back when you cancel."),
]


def said(**fields: Any) -> str:
    return "\n".join(policies.sentences(Lot(**fields))).replace("\xa0", " ")


@pytest.mark.parametrize(("fields", "sentence"), RULES)
def test_each_setting_has_its_sentence_and_no_lot_has_it_by_default(fields: dict[str, Any], sentence: str):
    assert sentence in said(**fields)
    assert sentence not in said()


def test_of_the_refund_tiers_those_are_told_that_ever_decide():
    tiers = [
        {"notice_minutes": 60, "refund_percent": 50},
        {"notice_minutes": 1440, "refund_percent": 100},
        {"notice_minutes": 2880, "refund_percent": 80},
    ]

    assert [line for line in said(cancellation_tiers=tiers).splitlines() if line.startswith("Cancelled")] == [
        "Cancelled 1 d before the start or earlier, 100 % comes back.",
        "Cancelled 1 h before the start or earlier, 50 % comes back.",
        "Cancelled later, nothing comes back.",
    ]


def test_the_form_says_what_it_means_before_it_is_saved_and_the_rules_page_after(client: Client, olga: User):
    lot = make_lot(2, now=timezone.now())
    office = verify(client, olga)
    change, beside = reverse("admin:lots_lot_change", args=[lot.pk]), reverse("admin:lots_lot_policies")
    wanted = "Reserved times are in steps of 20"
    # Half filled in: what is wrong so far is left out.
    data = form_of(office, change) | {"grid_minutes": "20", "max_stay_minutes": "-", "name": ""}

    page = office.post(beside, data).content.decode()
    assert wanted in page
    assert "there is no upper limit" in page
    assert Lot.objects.get().grid_minutes == 15

    office.post(change, form_of(office, change) | {"grid_minutes": "20"})
    assert wanted in office.get(change).content.decode()
    assert wanted in Client().get(reverse("lots:rules", args=[lot.slug])).content.decode()


def test_who_may_not_change_lots_is_told_nothing(olga: User):
    assert (
        verify(Client(), make_user("clerk", is_staff=True))
        .post(reverse("admin:lots_lot_policies"))
        .status_code
        == 403
    )
