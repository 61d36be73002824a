import json
import shutil
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Change
from lots import services
from lots.models import Lot, Spot

DATA = Path(__file__).parent / "data"
pytestmark = pytest.mark.django_db


def import_lots(*files: Path | str, **options) -> str:
    out = StringIO()
    call_command("import_lots", *map(str, files), stdout=out, stderr=out, **options)
    return out.getvalue()


def edited(folder: Path, file: str, source_id: str, **changes) -> Path:
    """A copy of a data file with one feature's properties changed."""
    path = folder / file
    data = json.loads((DATA / file).read_text(encoding="utf-8"))
    for feature in data["features"]:
        if feature["properties"]["id"] == source_id:
            feature["properties"] |= changes
    path.write_text(json.dumps(data))
    return path


@pytest.mark.promise("S4-10")
@pytest.mark.promise("S1-05")
def test_import_makes_a_lot_with_its_spots():
    import_lots(DATA / "aarhus.geojson")

    lot = Lot.objects.get(source_id="parkapi:aarhusscandinaviancenter")
    assert (lot.name, lot.city, lot.country) == ("Scandinavian Center", "Aarhus", "DK")
    assert (lot.timezone, lot.currency, lot.price_per_hour) == ("Europe/Copenhagen", "DKK", Decimal("20.00"))
    assert lot.slug == "aarhus-scandinavian-center"
    numbers = list(lot.spots.by_number().values_list("number", flat=True))
    assert numbers == [str(number) for number in range(1, 1241)]
    assert lot.spots.first().features_set() == ("covered",)


def test_import_again_changes_nothing():
    import_lots(DATA / "dresden.geojson")
    before = list(Lot.objects.order_by("pk").values())
    told_before = Change.objects.count()

    told = import_lots(DATA / "dresden.geojson")

    assert "lots made 0, updated 0, unchanged 5, refused 0; new spots 0" in told
    assert list(Lot.objects.order_by("pk").values()) == before
    assert Change.objects.count() == told_before


def test_import_again_updates_what_is_published(tmp_path):
    import_lots(DATA / "aarhus.geojson")
    path = edited(tmp_path, "aarhus.geojson", "aarhusbruunsgalleri", name="Bruun's Galleri", capacity=970)

    told = import_lots(path)

    lot = Lot.objects.get(source_id="parkapi:aarhusbruunsgalleri")
    assert "lots made 0, updated 1, unchanged 1, refused 0; new spots 3" in told
    assert lot.name == "Bruun's Galleri"
    assert lot.slug == "aarhus-bruuns-galleri"
    assert list(lot.spots.by_number().values_list("number", flat=True))[-3:] == ["968", "969", "970"]


def test_import_again_leaves_the_operators_price_alone():
    import_lots(DATA / "konstanz.geojson")
    Lot.objects.update(price_per_hour=Decimal("9.900"))

    import_lots(DATA / "konstanz.geojson", price_per_hour="1.00")

    assert set(Lot.objects.values_list("price_per_hour", flat=True)) == {Decimal("9.900")}


def test_import_does_not_lower_a_capacity_but_says_so(tmp_path):
    import_lots(DATA / "aarhus.geojson")
    path = edited(tmp_path, "aarhus.geojson", "aarhusbruunsgalleri", capacity=900)

    told = import_lots(path)

    assert "parkapi:aarhusbruunsgalleri: 900 spots are published, 67 more are kept here" in told
    assert Spot.objects.kept().filter(lot__source_id="parkapi:aarhusbruunsgalleri").count() == 967


def test_import_leaves_an_archived_lot_alone(django_user_model):
    import_lots(DATA / "aarhus.geojson")
    Lot.objects.update(archived_at="2026-01-01T00:00Z", name="Gone")

    told = import_lots(DATA / "aarhus.geojson")

    assert told.count("archived here, left alone") == 2
    assert set(Lot.objects.values_list("name", flat=True)) == {"Gone"}


def test_import_takes_the_published_price_of_toronto():
    told = import_lots(DATA / "green-p-parking-2019.json")

    prices = dict(Lot.objects.values_list("source_id", "price_per_hour"))
    assert prices["greenp:1"] == Decimal("5.00")
    assert prices["greenp:801"] == Decimal("4.00")
    assert "no price per hour is published for 2 of them: they got 4.00 CAD" in told


def test_import_closes_a_car_park_under_construction():
    import_lots(DATA / "green-p-parking-2019.json")

    assert list(Lot.objects.filter(is_active=False).values_list("source_id", flat=True)) == ["greenp:110"]


def test_import_uses_the_price_asked_for():
    import_lots(DATA / "aarhus.geojson", price_per_hour="12.50")

    assert set(Lot.objects.values_list("price_per_hour", flat=True)) == {Decimal("12.500")}


def test_import_of_an_invalid_file_makes_nothing_and_goes_on_with_the_others():
    out = StringIO()
    with pytest.raises(CommandError, match=r"^1 of 2 files could not be imported\.$"):
        call_command(
            "import_lots", DATA / "ingolstadt.geojson", DATA / "aarhus.geojson", stdout=out, stderr=out
        )

    assert "ingolstadt.geojson, line 84, column 5: this is not valid JSON" in out.getvalue()
    assert "Nothing of this file was imported." in out.getvalue()
    assert set(Lot.objects.values_list("city", flat=True)) == {"Aarhus"}


def test_import_reports_what_no_lot_can_be_made_from():
    told = import_lots(DATA / "bonn.geojson")

    assert "lots made 1, updated 0, unchanged 0, refused 1" in told
    assert "refused parkapi:bonnstadthausgarage: no capacity is published" in told


def test_import_keeps_nothing_of_a_file_that_breaks_halfway(monkeypatch):
    make = services.create_lot

    def break_at_the_second(**fields):
        if Lot.objects.exists():
            raise RuntimeError("the machine is gone")
        return make(**fields)

    monkeypatch.setattr(services, "create_lot", break_at_the_second)

    with pytest.raises(RuntimeError):
        import_lots(DATA / "aarhus.geojson")

    assert not Lot.objects.exists()


def test_import_reports_an_entry_the_lot_itself_refuses(tmp_path):
    path = edited(tmp_path, "aarhus.geojson", "aarhusbruunsgalleri", capacity=25_000)

    told = import_lots(path)

    assert "refused parkapi:aarhusbruunsgalleri: Capacity must lie between 0 and 20,000." in told
    assert Lot.objects.count() == 1


def test_dry_run_says_what_would_happen_and_keeps_nothing():
    told = import_lots(DATA / "aarhus.geojson", dry_run=True)

    assert told.startswith("Dry run, nothing kept.")
    assert "lots made 2, updated 0, unchanged 0, refused 0; new spots 2,207" in told
    assert not Lot.objects.exists()


def test_limit_takes_the_first_lots_of_each_file():
    import_lots(DATA / "aarhus.geojson", DATA / "konstanz.geojson", limit=1)

    assert sorted(Lot.objects.values_list("city", flat=True)) == ["Aarhus", "Konstanz"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"price_per_hour": "cheap"}, "--price-per-hour must be an amount such as 2.50, not 'cheap'."),
        ({"price_per_hour": "-1"}, "--price-per-hour must be an amount such as 2.50, not '-1'."),
        ({"price_per_hour": "NaN"}, "--price-per-hour must be an amount such as 2.50, not 'NaN'."),
        ({"price_per_hour": "1.0001"}, "--price-per-hour must be an amount such as 2.50, not '1.0001'."),
        ({"limit": 0}, "--limit must be 1 or more."),
    ],
)
def test_a_wrong_option_is_refused_in_one_sentence(options, sentence):
    with pytest.raises(CommandError) as caught:
        import_lots(DATA / "aarhus.geojson", **options)

    assert str(caught.value) == sentence
    assert not Lot.objects.exists()


def test_two_car_parks_of_one_name_get_different_slugs(tmp_path):
    shutil.copy(DATA / "aarhus.geojson", tmp_path)
    path = edited(tmp_path, "aarhus.geojson", "aarhusbruunsgalleri", name="Scandinavian Center")

    import_lots(path)

    assert sorted(Lot.objects.values_list("slug", flat=True)) == [
        "aarhus-scandinavian-center",
        "aarhus-scandinavian-center-2",
    ]
