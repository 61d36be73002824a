"""Queries made once give what the same queries give when they are made anew."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError

from accounts.models import Notice, User
from accounts.prepared import insert, prepared

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def notice(event: str, **fields) -> Notice:
    return Notice(
        event=event, recipient="a@example.com", created_at=fields.pop("created_at", NOON), not_before=NOON
    )


@prepared("since", "until", "event")
def written(*, since, until, event=None, order):
    """Between an hour after `since` and `until`."""
    found = Notice.objects.filter(created_at__gte=since + timedelta(hours=1))
    if until is not None:
        found = found.filter(created_at__lt=until)
    if event is not None:
        found = found.filter(event=event)
    return found.order_by(order)


def test_each_call_has_its_own_values_and_each_shape_its_own_query():
    insert([notice(f"{hour}", created_at=NOON + timedelta(hours=hour)) for hour in range(6)])

    def events(**given):
        return [row.event for row in written(**given)]

    assert events(since=NOON, until=NOON + timedelta(hours=4), order="created_at") == ["1", "2", "3"]
    later = NOON + timedelta(hours=2)
    assert events(since=later, until=NOON + timedelta(hours=5), order="created_at") == ["3", "4"]
    assert events(since=later, until=None, order="-created_at") == ["5", "4", "3"]
    assert events(since=NOON, until=None, event="2", order="created_at") == ["2"]
    assert events(since=NOON, until=None, event="100 %", order="created_at") == []


def test_rows_are_whole_and_their_values_converted():
    insert([notice("one")])
    (found,) = written(since=NOON - timedelta(hours=1), until=None, order="id")
    again = Notice.objects.get()
    assert {f.attname: getattr(found, f.attname) for f in Notice._meta.fields} == {
        f.attname: getattr(again, f.attname) for f in Notice._meta.fields
    }
    assert not found._state.adding
    found.save()
    assert Notice.objects.count() == 1


def test_values_lists_come_as_tuples():
    @prepared("event")
    def keys(*, event):
        return Notice.objects.filter(event=event).values_list("pk", "event")

    rows = [notice("a"), notice("b")]
    insert(rows)
    assert keys(event="b") == [(rows[1].pk, "b")]


def test_a_value_that_would_be_changed_on_its_way_is_refused():
    @prepared("text")
    def alike(*, text):
        return User.objects.filter(email__icontains=text)

    with pytest.raises(ValueError, match="text is changed"):
        alike(text="ada")


def test_what_cannot_stand_in_is_refused():
    @prepared("flag")
    def staff(*, flag):
        return User.objects.filter(is_staff=flag)

    with pytest.raises(TypeError, match="bool"):
        staff(flag=True)


def test_conflicts_are_ignored_where_that_is_asked_for_and_errors_otherwise():
    insert([notice("once")])
    insert([notice("once"), notice("other")], ignore_conflicts=True)
    assert sorted(Notice.objects.values_list("event", flat=True)) == ["once", "other"]
    with pytest.raises(Exception, match=r"(?i)unique"), transaction.atomic():
        insert([notice("once")])


@pytest.mark.django_db(transaction=True)
def test_a_lock_needs_a_transaction_at_every_call():
    @prepared("key")
    def locked(*, key):
        return User.objects.select_for_update().filter(pk=key)

    with transaction.atomic():
        assert locked(key=1) == []
    if connection.features.has_select_for_update:
        with pytest.raises(TransactionManagementError):
            locked(key=1)
