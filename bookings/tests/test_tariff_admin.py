"""The tariff editor: what it shows, what it warns of, what it publishes, and what it leaves alone."""

import json
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal as D

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from accounts.tests.staff import verify
from bookings import services, tariff_examples
from bookings.admin.tariff_editor import fits_form
from bookings.models import Booking
from bookings.tests.factories import HOUR, NOW, make_lot, make_user, park, reserve
from lots import rates
from lots.models import Lot, Tariff
from lots.presets import PRESETS
from lots.rates import DayCap, Element, FreeMinutes, Limit, PriceComponent, Restrictions, Step
from lots.services import publish_tariff, tariff_at, update_lot
from lots.tariff_words import sentences

pytestmark = pytest.mark.django_db
MANAGEMENT = {"row-TOTAL_FORMS": "1", "row-INITIAL_FORMS": "0"}
FORM = {
    "mode": "form", **MANAGEMENT, "row-0-price": "3.00", "free_kind": "grace", "day_cap_kind": "rolling",
    "tax_included": "on",
}  # fmt: skip


ODD = '{"currency": "EUR", "elements": [{"price_components": [{"type": "SLEEP"}]}]}'
FRANCS = '{"currency": "CHF", "elements": [{"price_components": [{"type": "TIME", "price": 1}]}]}'


@pytest.fixture
def desk(client, olga):
    with time_machine.travel(NOW, tick=False):
        yield verify(client, olga)


def editor(lot):
    return reverse("admin:lots_tariff_new", args=[lot.pk])


def post(desk, lot, do, **fields):
    return desk.post(editor(lot), {**FORM, "do": do, **fields})


def page(response):
    return " ".join(response.content.decode().split())


# --- The form ---


def test_what_operators_commonly_have_is_a_form(lot):
    windows = rates.Tariff(
        "EUR",
        (
            Element(
                (PriceComponent("TIME", D("3.00"), step_size=900, tax=D(7)),),
                Restrictions(time(8), time(20), ("MONDAY", "TUESDAY", "FRIDAY")),
                "Day",
                max_price=D(12),
            ),
            Element((PriceComponent("TIME", steps=(Step(D(1), 1800, 1), Step(D(2), 3600))),)),
            Element((PriceComponent("FLAT", D("0.50")),)),
        ),
        free_minutes=FreeMinutes(D(10), "deducted"),
        day_caps=(DayCap(D(20), "calendar", reset=time(6)),),
        min_price=Limit(after_taxes=D(1)),
        max_price=Limit(after_taxes=D(50)),
        tax=D(19),
        tax_included=False,
    )
    presets = [preset.make(D("2.50"), "EUR") for preset in PRESETS.values()]

    assert [fits_form(tariff) for tariff in [windows, *presets]] == [True] * 9


def test_what_the_form_cannot_say_is_a_document(lot):
    simple = rates.simple(D(2), "EUR")
    dated = Element((PriceComponent("TIME", D(1)),), Restrictions(max_duration=3600))

    assert not fits_form(replace(simple, elements=(dated, *simple.elements)))
    assert not fits_form(replace(simple, day_caps=(DayCap(D(50), days=7),)))
    assert not fits_form(replace(simple, end_inclusive=True))
    assert not fits_form(replace(simple, min_price=Limit(before_taxes=D(1))))


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_opens_as_a_form_and_publishes_what_it_shows(desk, lot, name):
    shown = desk.get(f"{editor(lot)}?preset={name}")
    data = {
        field.html_name: field.value() or ""
        for form in [shown.context["editor"].common, *shown.context["editor"].rows]
        for field in form
    }
    data |= MANAGEMENT | {"row-TOTAL_FORMS": str(len(shown.context["editor"].rows.forms)), "mode": "form"}
    data = {key: value for key, value in data.items() if not (key.endswith("DELETE") and not value)}

    answer = desk.post(editor(lot), {**data, "do": "publish"})

    if answer.status_code == 200:  # it asked first
        answer = desk.post(editor(lot), {**data, "do": "publish", "sure": answer.context["seal"]})
    assert answer.status_code == 302
    assert lot.tariffs.latest("version").rates == PRESETS[name].make(lot.price_per_hour, "EUR")


def test_rows_say_days_times_steps_and_tables(desk, lot):
    fields = {
        "row-TOTAL_FORMS": "3", "tax": "19",
        "row-0-name": "Weekend", "row-0-days": "Sa-Su", "row-0-price": "1.50", "row-0-step": "15",
        "row-1-days": "Fr-Mo", "row-1-start": "20:00", "row-1-end": "06:00", "row-1-price": "0",
        "row-2-price": "", "row-2-table": "30 min: 1\n1 h: 2.50\nthen each 60 min: 2",
    }  # fmt: skip

    asked = post(desk, lot, "publish", **fields)
    post(desk, lot, "publish", sure=asked.context["seal"], **fields)

    assert sentences(lot.tariffs.latest("version").rates) == [
        "Weekend, Sa-Su: 1.50 EUR per hour, rounded up to 15 min",
        "Mo, Fr-Su, 20:00–06:00: free",
        "30 min 1.00 EUR, 30 min 1.50 EUR, each started 1 h 2.00 EUR",
        "Including 19 % tax",
    ]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"row-0-price": "-1"}, "greater than or equal to 0"),
        ({"row-0-price": "1e99"}, "Row 1, price: This number is too large or too finely divided."),
        ({"row-0-price": ""}, "Fill in at least one price."),
        ({"row-0-days": "Xx"}, "“Xx” is no day."),
        ({"row-0-start": "25:00"}, "Row 1, start time: &#x27;25:00&#x27; is not a time of day"),
        ({"row-0-table": "1 day: 3"}, "is unclear."),
        ({"row-0-table": "60 min: 2\n30 min: 3", "row-0-price": ""}, "Minutes must rise from row to row"),
        ({"row-0-price": "", "row-0-name": "Night"}, "How much? 0 is free."),
        ({"min_price": "9", "max_price": "8"}, "The maximum price is below the minimum price."),
        ({"tax": "101"}, "less than or equal to 100"),
        ({"row-TOTAL_FORMS": "9999"}, "at most 24"),
        ({"row-TOTAL_FORMS": "x"}, "ManagementForm data is missing"),
        ({"mode": "document", "document": "{"}, "This is not a JSON file"),
        ({"mode": "document", "document": ""}, "This field is required."),
        ({"mode": "document", "document": ODD}, "elements[0].price_components[0].type: &#x27;SLEEP&#x27; is"),
        ({"mode": "document", "document": FRANCS}, "The lot&#x27;s currency is EUR, the tariff&#x27;s CHF."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_where_it_is_wrong_and_nothing_is_published(desk, lot, fields, sentence):
    answer = post(desk, lot, "publish", **fields)

    assert answer.status_code == 422
    assert sentence in page(answer)
    assert lot.tariffs.count() == 1


def test_another_row_can_be_added_and_removed_without_a_script(desk, lot):
    more = post(desk, lot, "add_row")
    removed = post(desk, lot, "publish", **{
        "row-TOTAL_FORMS": "2", "row-1-price": "9", "row-1-DELETE": "on"})  # fmt: skip

    assert len(more.context["editor"].rows.forms) == 2
    assert 'value="3.00"' in page(more)
    assert removed.status_code == 302
    assert lot.tariffs.latest("version").rates == rates.simple(D("3.00"), "EUR")


def test_form_and_document_turn_into_each_other(desk, lot):
    as_document = post(desk, lot, "document")
    text = as_document.context["editor"].document["document"].value()
    as_form = desk.post(editor(lot), {"mode": "document", "document": text, "do": "form"})
    rich = replace(rates.simple(D(2), "EUR"), end_inclusive=True).to_json()
    stays = desk.post(editor(lot), {"mode": "document", "document": json.dumps(rich), "do": "form"})

    assert json.loads(text) == rates.simple(D("3.00"), "EUR").to_json()
    assert as_form.context["editor"].mode == "form"
    assert as_form.context["editor"].rows.forms[0]["price"].value() == D("3.00")
    assert stays.context["editor"].mode == "document"
    assert "it stays a document" in page(stays)


# --- The example beside it ---


def test_the_example_prices_what_the_form_says(desk, lot):
    url = reverse("admin:lots_tariff_example", args=[lot.pk])

    shown = page(desk.post(url, {**FORM, "starts": "2027-03-06T18:00", "lasting": "2 h 20 min"}))

    assert "2 h 20 min on Saturday from 18:00</span> costs <b>7.00 EUR</b>" in shown
    assert "2 h 20 min at 3.00 EUR per hour" in shown
    assert lot.tariffs.count() == 1


@pytest.mark.parametrize(
    ("starts", "lasting", "said"),
    [
        ("2027-03-28T02:30", "1:00", "does not exist: the clocks go forward"),
        ("2027-03-06T18:00", "soon", "Write 2 h 20 min, 2:20 or 140."),
        ("2027-03-06T18:00", "99999", "4999.95"),
        ("2027-03-06T18:00", "2:20", "7.00 EUR"),
        ("2027-03-06T18:00", "140", "7.00 EUR"),
        ("2027-03-06T18:00", "1 d", "72.00 EUR"),
        ("2027-03-06T18:00", "400 d", "A stay lasts from a minute to a year."),
    ],
)
def test_the_stay_asked_about_is_read_as_people_write(desk, lot, starts, lasting, said):
    url = reverse("admin:lots_tariff_example", args=[lot.pk])

    assert said in page(desk.post(url, {**FORM, "starts": starts, "lasting": lasting}))


def test_a_form_half_filled_in_says_so_instead_of_failing(desk, lot):
    url = reverse("admin:lots_tariff_example", args=[lot.pk])

    assert "No price yet" in page(desk.post(url, {**FORM, "row-0-price": "x"}))
    assert "Fill in at least one price." in page(desk.post(url, {**FORM, "row-0-price": ""}))
    assert desk.post(url, {}).status_code == 200


def test_typical_stays_are_priced_on_the_lots_clock():
    tariff = PRESETS["day_night"].make(D(2), "EUR")
    lot = make_lot(1, timezone="America/Toronto")

    found = {
        example.title: example.price.total
        for example in tariff_examples.typical(tariff, lot.zone, NOW.date())
    }

    assert found["2 h 20 min on Saturday from 18:00"] == D("4.33")
    assert found["13 h on Friday from 20:00"] == D("14.00")
    assert found["3 days on Monday from 08:00"] == D("108.00")


def test_examples_say_where_a_tariff_sells_nothing():
    package = rates.Package("Evening", D(5), time(18), time(20), time(23))
    lot = make_lot(1)

    found = tariff_examples.typical(rates.Tariff("EUR", packages=(package,)), lot.zone, NOW.date())

    assert [stay.price and stay.price.total for stay in found] == [None, None, D(5), None, None, None]
    assert found[0].problem == "This tariff has no price for a stay at these hours."


# --- Publishing ---


@pytest.mark.promise("S4-11")
def test_publishing_makes_a_version_and_touches_no_booking(desk, olga, lot, alice):
    later = reserve(lot, alice, hours=2)
    stay = park(lot, make_user())

    answer = post(desk, lot, "publish")

    made = lot.tariffs.latest("version")
    assert answer.status_code == 302
    assert (made.version, made.rates, made.made_by) == (2, rates.simple(D("3.00"), "EUR"), olga)
    later.refresh_from_db()
    assert (later.tariff.version, later.total) == (1, D("5.00"))
    assert services.release(stay, by=None, now=NOW + HOUR).total == D("2.50")
    assert services.extend(later, ends_at=later.ends_at + HOUR, by=alice, now=NOW).total == D("7.50")
    lot.refresh_from_db()
    assert reserve(lot, make_user(), hours=2).total == D("6.00")
    assert lot.price_per_hour == D("3.000")


def test_a_version_may_begin_later_on_the_lots_clock(desk, lot):
    answer = post(desk, lot, "publish", valid_from="2027-03-02T00:00")

    made = lot.tariffs.latest("version")
    begins = datetime(2027, 3, 1, 23, tzinfo=UTC)
    assert answer.status_code == 302
    assert made.valid_from == begins
    assert tariff_at(lot, begins - timedelta(seconds=1)).version == 1
    assert tariff_at(lot, begins).version == 2
    lot.refresh_from_db()
    assert lot.price_per_hour == D("2.500")  # lists still show what holds today
    assert "to come" in page(desk.get(reverse("admin:lots_tariff_versions", args=[lot.pk])))


@pytest.mark.parametrize(
    ("at", "sentence"),
    [
        ("2027-02-28T00:00", "A tariff begins now or later"),
        ("2027-03-28T02:30", "does not exist: the clocks go forward"),
        ("yesterday", "Write a date and a time"),
    ],
)
def test_a_version_does_not_begin_when_it_cannot(desk, lot, at, sentence):
    answer = post(desk, lot, "publish", valid_from=at)

    assert (answer.status_code, lot.tariffs.count()) == (422, 1)
    assert sentence in page(answer)


def test_a_tariff_under_which_longer_stays_cost_less_is_asked_about_first(desk, lot):
    falling = {
        "row-TOTAL_FORMS": "2", "row-0-start": "08:00", "row-0-end": "20:00", "row-0-price": "6",
        "row-0-step": "60", "row-1-price": "1", "row-1-step": "60",
    }  # fmt: skip

    asked = post(desk, lot, "publish", **falling)
    other = post(desk, lot, "publish", sure=asked.context["seal"], **falling | {"row-1-price": "2"})
    published = post(desk, lot, "publish", sure=asked.context["seal"], **falling)

    assert asked.status_code == 200
    assert any("staying longer costs less" in doubt for doubt in asked.context["doubts"])
    assert any("differ between elements" in doubt for doubt in asked.context["doubts"])
    assert other.status_code == 200  # the doubts shown were about another tariff
    assert published.status_code == 302
    assert lot.tariffs.count() == 2


def test_enter_in_a_field_does_not_publish(desk, lot):
    shown = page(desk.get(editor(lot)))

    assert shown.index('value="preview"') < shown.index('value="publish"')
    assert post(desk, lot, "preview").status_code == 200
    assert lot.tariffs.count() == 1


def test_a_tariff_in_another_currency_is_not_published(lot):
    with pytest.raises(ValidationError, match="currency is EUR"):
        publish_tariff(lot, rates.simple(D(1), "CHF"), by=None, now=NOW)


def test_a_rich_tariff_keeps_the_price_lists_show_true(lot):
    publish_tariff(lot, PRESETS["day_night"].make(D(4), "EUR"), by=None, now=NOW)
    lot.refresh_from_db()
    assert lot.price_per_hour == D("2.000")

    update_lot(lot_id=lot.pk, by=None, now=NOW + HOUR, phone="1")

    assert lot.tariffs.count() == 2


# --- Files ---


def upload(desk, lot, document):
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    return desk.post(
        reverse("admin:lots_tariff_import", args=[lot.pk]), {"file": SimpleUploadedFile("t.json", text)}
    )


def test_an_ocpi_tariff_comes_in_and_goes_out_as_it_was(desk, lot):
    document = {
        "country_code": "DE", "party_id": "ALL", "id": "14", "currency": "EUR", "tax_included": "NO",
        "elements": [
            {"price_components": [{"type": "FLAT", "price": 2.5, "vat": 15.0, "step_size": 1}]},
            {"price_components": [{"type": "TIME", "price": 1.0, "vat": 20.0, "step_size": 900}],
             "restrictions": {"max_power": 32.0}},
        ],
        "last_updated": "2019-03-01T10:00:00Z",
    }  # fmt: skip

    shown = upload(desk, lot, document)
    text = shown.context["editor"].document["document"].value()

    assert shown.status_code == 200
    assert lot.tariffs.count() == 1  # so far it is only shown
    assert "2.50 EUR once" in page(shown)
    assert shown.context["examples"]
    data = {"mode": "document", "document": text, "do": "publish"}
    asked = desk.post(editor(lot), data)
    if asked.status_code == 200:
        desk.post(editor(lot), {**data, "sure": asked.context["seal"]})
    made = lot.tariffs.latest("version")
    assert made.version == 2
    answer = desk.get(reverse("admin:lots_tariff_download", args=[made.pk, "ocpi-2-3-0"]))
    out = json.loads(answer.content)
    assert out["elements"] == document["elements"]
    assert (out["currency"], out["tax_included"]) == ("EUR", "NO")
    assert answer["Content-Disposition"] == f'attachment; filename="tariff-{lot.slug}-v2.json"'
    older = desk.get(reverse("admin:lots_tariff_download", args=[made.pk, "ocpi-2-2-1"]))
    assert json.loads(older.content)["elements"] == document["elements"]


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (b"PK\x03\x04", "This is not a JSON file"),
        (b"", "The submitted file is empty"),
        (b" " * 1_000_002, "too large for a tariff"),
        ({"currency": "CHF", "elements": [{"price_components": [{"type": "TIME", "price": 1}]}]},
         "The lot&#x27;s currency is EUR."),
        ({"id": "1", "currency": "EUR", "elements": [{"price_components": [{"type": "TIME", "price": 1}],
                                                      "restrictions": {"start_tme": "08:00"}}]},
         "elements[0].restrictions.start_tme: This restriction is not known."),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_refused_with_path_and_sentence(desk, lot, document, sentence):
    answer = upload(desk, lot, document)

    assert answer.status_code == 422
    assert sentence in page(answer)


def test_what_ocpi_cannot_say_is_said_instead_of_left_out(desk, lot):
    made = publish_tariff(lot, PRESETS["day_cap"].make(D(2), "EUR"), by=None, now=NOW)

    refused = desk.get(reverse("admin:lots_tariff_download", args=[made.pk, "ocpi-2-3-0"]), follow=True)
    ours = desk.get(reverse("admin:lots_tariff_download", args=[made.pk, "document"]))

    assert "cannot be written as OCPI: day_caps: OCPI cannot express this." in page(refused)
    assert json.loads(ours.content) == made.document


# --- What if ---


def test_what_if_replays_the_stays_and_changes_nothing(desk, lot, alice):
    for hours in (1, 2):
        stay = park(lot, make_user(), now=NOW - 10 * HOUR)
        services.release(stay, by=None, now=NOW - (10 - hours) * HOUR)
    old = park(lot, make_user(), now=NOW - timedelta(weeks=3))
    services.release(old, by=None, now=NOW - timedelta(weeks=3) + HOUR)
    before = list(Booking.objects.order_by("pk").values_list("pk", "total", "tariff"))

    shown = post(desk, lot, "what_if", weeks="1")

    found = shown.context["comparison"]
    assert (found.count, found.old, found.new) == (2, D("7.50"), D("9.00"))
    assert (found.more, found.less, found.same) == (2, 0, 0)
    assert [row["stay"].change for row in shown.context["biggest"]] == [D("1.00"), D("0.50")]
    assert "<svg" in page(shown)
    assert "style=" not in page(shown).partition('id="what-if"')[2].partition("</section>")[0]
    assert list(Booking.objects.order_by("pk").values_list("pk", "total", "tariff")) == before
    assert lot.tariffs.count() == 1


def test_the_same_tariff_replayed_gives_the_same_money(desk, alice):
    lot = make_lot(3, early_release="used", overstay_percent=150, end_of_stay="until_released")
    for hours in (1, 3):
        stay = park(lot, make_user(), now=NOW - 10 * HOUR)
        services.release(stay, by=None, now=NOW - (10 - hours) * HOUR)

    shown = post(desk, lot, "what_if", weeks="1", **{"row-0-price": "2.50"})

    found = shown.context["comparison"]
    assert (found.count, found.same, found.difference) == (2, 2, D(0))


# --- Who may ---


def test_only_staff_with_the_right_publish(client, lot):
    viewer = make_user("vera", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_tariff"))
    with time_machine.travel(NOW, tick=False):
        desk = verify(client, viewer)

        seen = desk.get(reverse("admin:lots_tariff_versions", args=[lot.pk]))
        refused = [desk.get(editor(lot)), post(desk, lot, "publish")]
        refused.append(desk.post(reverse("admin:lots_tariff_example", args=[lot.pk]), FORM))
        refused.append(upload(desk, lot, {}))

    assert seen.status_code == 200
    assert "New tariff" not in page(seen)
    assert [answer.status_code for answer in refused] == [403] * 4
    assert Tariff.objects.count() == 1


def test_drivers_and_strangers_see_no_tariff_page(client, lot, alice):
    pages = [editor(lot), reverse("admin:lots_tariff_versions", args=[lot.pk])]
    stranger = [client.get(url).status_code for url in pages]
    client.force_login(alice)

    assert stranger == [302, 302]
    assert [client.get(url, follow=True).status_code for url in pages] == [403, 403]


def test_an_archived_lot_gets_no_new_tariff(desk, lot):
    Lot.objects.filter(pk=lot.pk).update(archived_at=NOW)

    assert desk.get(editor(lot)).status_code == 404
    assert desk.get(reverse("admin:lots_tariff_versions", args=[lot.pk])).status_code == 200


# --- Where prices are listed ---


def test_lists_and_the_lots_page_say_from_where_there_is_more_than_one_price(desk, lot, client):
    publish_tariff(lot, PRESETS["day_night"].make(D(4), "EUR"), by=None, now=NOW)
    plain = make_lot(1, price="1.25")

    listed = page(desk.get(reverse("admin:lots_lot_changelist")))
    shown = page(client.get(reverse("lots:detail", args=[lot.slug])))

    assert "from 2.00 EUR" in listed
    assert "from 1.25" not in listed
    assert "from €2.00" in shown
    assert "Day, 08:00–20:00: 4.00 EUR per hour" in shown
    assert "<dd>€1.25</dd>" in page(client.get(reverse("lots:detail", args=[plain.slug])))


def test_the_lots_page_in_the_back_office_leads_to_its_tariff(desk, lot):
    shown = page(desk.get(reverse("admin:lots_lot_change", args=[lot.pk])))
    versions = reverse("admin:lots_tariff_versions", args=[lot.pk])

    assert f"/admin/lots/lot/{lot.pk}/tariff" in shown
    assert desk.get(f"/admin/lots/lot/{lot.pk}/tariff/", follow=True).redirect_chain[-1][0] == versions


def test_a_version_is_shown_but_never_changed(desk, lot):
    row = lot.tariffs.get()

    shown = page(desk.get(reverse("admin:lots_tariff_change", args=[row.pk])))
    answer = desk.post(reverse("admin:lots_tariff_change", args=[row.pk]), {"version": 9})

    assert "2.50 EUR per hour" in shown
    assert answer.status_code == 403
    assert desk.get(reverse("admin:lots_tariff_changelist")).status_code == 200
    assert desk.get(f"/admin/lots/tariff/{row.pk}/start-from-this/", follow=True).status_code == 200
    row.refresh_from_db()
    assert row.version == 1
