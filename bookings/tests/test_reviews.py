import time
from typing import Any

import pytest
from django.db import connection
from django.db.models import UniqueConstraint
from django.test import Client
from django.urls import reverse

from accounts import privacy
from accounts.tests.staff import verify
from bookings import reviewing, services
from bookings.tests import factories
from bookings.tests.api_support import API, client_for, post
from bookings.tests.factories import HOUR, NOW
from bookings.tests.test_race import at_once, tally
from lots import reviews
from lots.models import Lot, Review


def stay(lot: Lot, driver: Any) -> None:
    services.release(factories.park(lot, driver), by=driver, now=NOW + HOUR)


@pytest.fixture
def path(lot: Lot) -> str:
    return f"lots/{lot.slug}/reviews/"


@pytest.mark.promise("S3-17")
@pytest.mark.promise("S3-19")
def test_who_stayed_there_reviews_it_once(
    as_alice: Any, as_bob: Any, as_anyone: Any, lot: Lot, alice: Any, bob: Any, path: str
) -> None:
    factories.park(lot, bob)  # still there
    refused = post(as_bob, path, {"rating": 5})
    assert (refused.status_code, refused.json()["code"]) == (409, "not_stayed")
    assert post(as_anyone, path, {"rating": 5}).status_code == 401
    stay(lot, alice)

    made = post(as_alice, path, {"rating": 4, "text": " Dry, and <b>bright</b>. "}, key="k1")
    assert made.status_code == 201, made.content
    assert made.json()["text"] == "Dry, and <b>bright</b>."
    assert post(as_alice, path, {"rating": 4, "text": " Dry, and <b>bright</b>. "}, key="k1").json() == (
        made.json()
    )
    again = post(as_alice, path, {"rating": 1})
    assert (again.status_code, again.json()["code"]) == (409, "already_reviewed")

    listed = as_anyone.get(API + path)
    assert listed.json()["results"] == [
        {
            "rating": 4,
            "text": "Dry, and <b>bright</b>.",
            "created_at": "2027-03-01T10:00:00Z",
            "changed_at": None,
        }
    ]
    assert as_anyone.get(API + path, headers={"If-None-Match": listed["ETag"]}).status_code == 304


def test_a_lot_shows_what_its_reviews_come_to(as_anyone: Any, lot: Lot) -> None:
    assert [as_anyone.get(f"{API}lots/{lot.slug}/").json()[name] for name in ("rating", "reviews")] == [
        None,
        0,
    ]
    written = []
    for rating in (5, 4, 4, 1):
        driver = factories.make_user()
        stay(lot, driver)
        written.append(reviewing.write(lot=lot, author=driver, rating=rating, text="", now=NOW))

    def shown() -> list[Any]:
        found = as_anyone.get(f"{API}lots/").json()["results"][0]
        return [found["rating"], found["reviews"]]

    assert shown() == [3.5, 4]
    reviews.hide(Review.objects.filter(pk=written[3].pk), reason="Spam", by=None, now=NOW)  # type: ignore[arg-type]
    assert shown() == [4.3, 3]


def test_a_driver_changes_and_removes_their_own(
    as_alice: Any, as_bob: Any, lot: Lot, alice: Any, olga: Any, path: str
) -> None:
    stay(lot, alice)
    review = reviewing.write(lot=lot, author=alice, rating=2, text="Dark", now=NOW)
    mine = f"{API}{path}mine/"
    for client, status in ((as_bob, 404), (client_for(), 401)):
        assert client.get(mine).status_code == status
        assert client.delete(mine).status_code == status
        assert client.patch(mine, {"rating": 1}, format="json").status_code == status

    changed = as_alice.patch(mine, {"rating": 5}, format="json")
    assert (changed.status_code, changed.json()["rating"], changed.json()["text"]) == (200, 5, "Dark")
    assert as_alice.patch(mine, {"rating": 5, "author": 1}, format="json").status_code == 400

    reviews.hide(Review.objects.filter(pk=review.pk), reason="Not about the lot", by=olga, now=NOW)
    assert as_alice.get(f"{API}{path}").json()["results"] == []
    hers = as_alice.get(mine).json()
    assert (hers["is_hidden"], hers["hidden_reason"]) == (True, "Not about the lot")
    assert as_alice.delete(mine).status_code == 204
    assert not Review.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"rating": 0}, {"rating": 6}, {"rating": 4.5}, {"rating": "many"}, {"rating": None}),
        *({"rating": 5, "text": "x" * 2001}, {"rating": 5, "text": 1}, {"rating": 5, "lot": "x"}),
    ],
)
def test_a_bad_review_is_400(as_alice: Any, lot: Lot, alice: Any, path: str, body: Any) -> None:
    stay(lot, alice)

    assert post(as_alice, path, body).status_code == 400
    assert not Review.objects.exists()


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_many_at_once_write_one() -> None:
    lot, driver = factories.make_lot(1), factories.make_user()
    stay(lot, driver)

    def write() -> Review:
        return reviewing.write(lot=lot, author=driver, rating=5, text="", now=NOW)

    assert tally(at_once([write] * 6)) == {"Review": 1, "AlreadyReviewed": 5}


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_the_canary_without_the_constraint_there_are_several(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking first and writing then, as it is done where no constraint has the last word."""
    lot, driver = factories.make_lot(1), factories.make_user()
    stay(lot, driver)

    def look_then_write(*, lot: Lot, author: Any, rating: int, text: str, now: Any) -> Review:
        if Review.objects.filter(lot=lot, author=author).exists():
            raise reviews.AlreadyReviewed
        time.sleep(0.2)
        return Review.objects.create(lot=lot, author=author, rating=rating, text=text, created_at=now)

    def write() -> Review:
        return reviewing.write(lot=lot, author=driver, rating=5, text="", now=NOW)

    monkeypatch.setattr(reviews, "write", look_then_write)
    one_each = next(found for found in Review._meta.constraints if isinstance(found, UniqueConstraint))
    with monkeypatch.context() as patch, connection.schema_editor() as editor:
        # SQLite makes the table anew from what the model says.
        patch.setattr(Review._meta, "constraints", [c for c in Review._meta.constraints if c is not one_each])
        editor.remove_constraint(Review, one_each)
    try:
        found = tally(at_once([write] * 6))
    finally:
        Review.objects.all().delete()
        with connection.schema_editor() as editor:
            editor.add_constraint(Review, one_each)

    assert found["Review"] > 1


def test_the_page_lists_them_and_takes_one_without_javascript(
    client: Client, lot: Lot, alice: Any, bob: Any
) -> None:
    page, form = reverse("lots:detail", args=[lot.slug]), reverse("lots:review", args=[lot.slug])
    assert form not in client.get(page).content.decode()
    assert client.get(form).status_code == 302
    client.force_login(bob)
    assert client.get(form)["Location"].startswith(page)
    assert client.post(form, {"rating": 5}).status_code == 422
    stay(lot, alice)
    client.force_login(alice)

    assert form in client.get(page).content.decode()
    assert client.get(form).status_code == 200
    assert client.post(form, {"rating": "9"}).status_code == 422
    assert client.post(form, {"rating": "4", "text": "<script>x</script>"}).status_code == 302
    shown = client.get(page).content.decode()
    assert "★★★★☆" in shown
    assert "&lt;script&gt;x" in shown
    assert "<script>x" not in shown
    client.post(form, {"rating": "3", "text": "Fine"})
    assert [(r.rating, r.text) for r in Review.objects.all()] == [(3, "Fine")]
    client.post(form, {"remove": "1"})
    assert not Review.objects.exists()


def test_staff_hide_one_with_a_reason_and_show_it_again(lot: Lot, alice: Any, olga: Any) -> None:
    stay(lot, alice)
    review = reviewing.write(lot=lot, author=alice, rating=1, text="Rude", now=NOW)
    desk = verify(Client(), olga)
    url = reverse("admin:lots_review_changelist")
    assert "Rude" in desk.get(url).content.decode()

    def act(**data: Any) -> Review:
        desk.post(url, {"_selected_action": [review.pk], **data})
        review.refresh_from_db()
        return review

    assert not act(action="hide").is_hidden
    assert act(action="hide", reason="Insults").hidden_reason == "Insults"
    assert review.hidden_by == olga
    assert desk.get(reverse("admin:lots_review_change", args=[review.pk])).status_code == 200
    assert not act(action="show").is_hidden


def test_who_is_erased_leaves_no_review(lot: Lot, alice: Any) -> None:
    stay(lot, alice)
    services.record_desk_payment(alice.bookings.get(), method="cash", by=None, now=NOW + HOUR)
    reviewing.write(lot=lot, author=alice, rating=1, text="I am Alice", now=NOW)

    assert privacy.everything_about(alice)["lots.Review"][0]["text"] == "I am Alice"
    privacy.erase(user=alice, now=NOW)
    assert not Review.objects.exists()
