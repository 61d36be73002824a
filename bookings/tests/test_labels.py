"""Labels: codes that last, sheets to print, and who may do what with them in the back office."""

from __future__ import annotations

import base64
import re
import zlib
from datetime import timedelta
from typing import Any

import pytest
import segno
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Change, User
from accounts.roles import make_roles
from accounts.tests.staff import verify
from bookings import label_sheet
from bookings.tests.factories import make_lot, make_user
from lots import labels
from lots.models import Lot
from lots.services import add_spots, update_lot

pytestmark = pytest.mark.django_db


@pytest.fixture
def own() -> Lot:
    lot = make_lot(2, name="Übersee (am Hafen)", city="Köln", now=timezone.now() - timedelta(days=1))
    lot.spots.filter(number="2").update(building="West", floor="2")
    return lot


@pytest.fixture
def foreign() -> Lot:
    return make_lot(1, name="Foreign")


def operator(*lots: Lot, role: str = "operator") -> User:
    make_roles()
    user = make_user("olaf", is_staff=True)
    user.groups.set(Group.objects.filter(name=role))
    for lot in lots:
        lot.operators.add(user)
    return user


@pytest.fixture
def office(own: Lot) -> Client:
    return verify(Client(), operator(own))


def act(client: Client, name: str, action: str, *rows: Any) -> Any:
    chosen = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(reverse(f"admin:lots_{name}_changelist"), chosen)


def streams(pdf: bytes) -> list[str]:
    raw = re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL)
    pages = [base64.a85decode(part.strip().removesuffix(b"~>")) for part in raw]
    return [zlib.decompress(page).decode("latin-1") for page in pages]


def drawn(page: str, count: int) -> list[list[int]]:
    """The QR code of a page with one label, read back from the rectangles it is drawn with."""
    found = re.findall(r"([-\d.]+) ([-\d.]+) ([-\d.]+) [-\d.]+ re", page)[1:]  # the first shows where to cut
    size = label_sheet.QR / count
    left, top = label_sheet.PADDING, (label_sheet.HEIGHT + label_sheet.QR) / 2
    matrix = [[0] * count for _row in range(count)]
    for x, y, width in (map(float, numbers) for numbers in found):
        row, column = round((top - y) / size) - 1, round((x - left) / size)
        for module in range(round(width / size)):
            matrix[row][column + module] = 1
    return matrix


def test_every_lot_and_spot_has_a_code_of_its_own(own: Lot):
    codes = [own.code, *own.spots.values_list("code", flat=True)]

    assert len(set(codes)) == 3
    assert all(re.fullmatch(rf"[{labels.ALPHABET}]{{10}}", code) for code in codes)
    assert len(labels.ALPHABET) ** labels.LENGTH >= 2**50


def test_a_code_survives_every_edit_and_comes_back_with_its_spot(own: Lot):
    before = own.code, list(own.spots.order_by("pk").values_list("code", flat=True))
    update_lot(lot_id=own.pk, by=None, now=timezone.now(), name="Renamed")
    own.spots.update(retired_at=timezone.now())

    add_spots(own, ["1", "2"], by=None, now=timezone.now())

    own.refresh_from_db()
    assert (own.code, list(own.spots.order_by("pk").values_list("code", flat=True))) == before
    assert not Change.objects.filter(fields__icontains=own.code).exists()


def test_a_lots_sheet_has_a_label_for_the_entrance_and_one_for_each_spot(
    office: Client, own: Lot, foreign: Lot, settings: Any
):
    settings.BASE_URL = "https://park.example"

    answer = act(office, "lot", "print_labels", own, foreign)

    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    (page,) = streams(answer.content)
    shown = re.findall(r"\(((?:\\.|[^()\\])*)\) Tj", page)
    big = [text for text in shown if text in ("P", "1", "2")]
    assert big == ["P", "1", "2"]
    assert sum("bersee" in text for text in shown) == 3
    assert "West, floor 2" in shown
    assert shown.count("park.example/s/") == 3
    code = own.code
    assert f"{code[:5]}-{code[5:]}" in shown
    assert "Foreign" not in page
    assert act(office, "lot", "print_labels", own).content == answer.content


def test_the_code_drawn_is_the_labels_address(own: Lot, settings: Any):
    settings.BASE_URL = "https://park.example"
    wanted = segno.make(f"https://park.example/s/{own.code}/", error="m", micro=False)
    matrix = [[int(bool(module)) for module in row] for row in wanted.matrix_iter(border=4)]

    (page,) = streams(label_sheet.sheet(label_sheet.labels_of_lot(own, [])))

    assert drawn(page, len(matrix)) == matrix


def test_spots_print_theirs_eight_to_a_page(office: Client, own: Lot, foreign: Lot):
    add_spots(own, [str(number) for number in range(3, 10)], by=None, now=timezone.now())

    answer = act(office, "spot", "print_labels", *own.spots.all(), *foreign.spots.all())

    pages = streams(answer.content)
    assert [page.count("Scan to park") for page in pages] == [8, 1]


def test_a_sheet_has_its_limit(office: Client, own: Lot, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("bookings.admin.labels.MOST", 2)

    assert act(office, "lot", "print_labels", own).status_code == 302
    assert act(office, "spot", "print_labels", *own.spots.all()).status_code == 200


def test_a_new_code_makes_the_old_label_worthless(office: Client, own: Lot, foreign: Lot, client: Client):
    spot, other = own.spots.get(number="1"), foreign.spots.get()
    old, kept = spot.code, other.code

    act(office, "spot", "renew_labels", spot, other)
    act(office, "lot", "renew_labels", foreign)

    spot.refresh_from_db()
    other.refresh_from_db()
    assert spot.code != old
    assert (other.code, foreign.code) == (kept, Lot.objects.get(pk=foreign.pk).code)
    assert client.get(f"/s/{old}/").status_code == 404
    assert client.get(f"/s/{spot.code}/").status_code == 200


def test_who_only_looks_prints_and_renews_nothing(own: Lot):
    viewer = verify(Client(), operator(own, role="viewer"))
    before = list(own.spots.order_by("pk").values_list("code", flat=True))

    assert act(viewer, "lot", "print_labels", own)["Content-Type"] == "application/pdf"
    act(viewer, "spot", "renew_labels", *own.spots.all())

    assert list(own.spots.order_by("pk").values_list("code", flat=True)) == before


def test_an_operator_says_in_the_form_whether_guests_may_book(office: Client, own: Lot):
    page = office.get(reverse("admin:lots_lot_change", args=[own.pk])).content.decode()

    assert 'name="guests_may_book"' in page
    assert 'name="code"' not in page
