import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lots import feeds
from lots.feeds import addresses
from lots.feeds.records import Refusal

DATA = Path(__file__).parent / "data"
ALTMARKT = json.loads((DATA / "dresden.geojson").read_text(encoding="utf-8"))["features"][0]


def lot(file: str, source_id: str) -> feeds.LotRecord:
    found = [record for record in feeds.read(DATA / file).lots if record.source_id == source_id]
    assert len(found) == 1
    return found[0]


def written(folder: Path, *features: Any, name: str = "dresden.geojson") -> Path:
    path = folder / name
    path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features)}))
    return path


def altmarkt(position: list[Any] | None = None, **properties: Any) -> dict[str, Any]:
    geometry = {"type": "Point", "coordinates": position} if position else ALTMARKT["geometry"]
    return ALTMARKT | {"properties": ALTMARKT["properties"] | properties, "geometry": geometry}


def test_a_parkapi_feature_becomes_a_lot():
    assert lot("dresden.geojson", "parkapi:dresdenaltmarkt") == feeds.LotRecord(
        source_id="parkapi:dresdenaltmarkt",
        name="Altmarkt",
        capacity=400,
        timezone="Europe/Berlin",
        country="DE",
        currency="EUR",
        address_line1="Altmarkt 1",
        address_line2="Einfahrt von Wilsdruffer Straße",
        city="Dresden",
        region="Sachsen",
        postcode="01067",
        phone="03 51 / 481 02 74",
        latitude=Decimal("51.050670"),
        longitude=Decimal("13.741789"),
        kind="underground",
        is_covered=True,
        max_height_m=Decimal("2.00"),
        url="https://www.dresden.de/apps_ext/ParkplatzApp/detail?id=431",
        source="ParkAPI community, MIT licence",
    )


def test_a_green_p_car_park_becomes_a_lot():
    record = lot("green-p-parking-2019.json", "greenp:1")

    assert record.name == "20 Charles Street East (Green P 1)"
    assert (record.city, record.region, record.country) == ("Toronto", "Ontario", "CA")
    assert (record.timezone, record.currency, record.capacity) == ("America/Toronto", "CAD", 641)
    # "2.50 " for half an hour, with the blank.
    assert record.price_per_hour == Decimal("5.00")
    assert record.max_height_m == Decimal("2.00")
    assert record.is_covered


def test_a_green_p_address_is_split_into_name_street_and_remark():
    record = lot("green-p-parking-2019.json", "greenp:814")

    assert record.name == "Finch East (Green P 814)"
    assert record.address_line1 == "814 Willowdale Ave"
    assert record.address_line2 == "partial closure, reduced spaces"


def test_green_p_car_parks_at_one_address_get_names_of_their_own():
    names = [record.name for record in feeds.read(DATA / "green-p-parking-2019.json").lots]

    assert names.count("2700 Eglinton Avenue West (Green P 668)") == 1
    assert names.count("2700 Eglinton Avenue West (Green P 669)") == 1


@pytest.mark.parametrize(
    ("source_id", "field", "value"),
    [
        ("greenp:801", "price_per_hour", None),  # published 0.00: flat rates only, not free
        ("greenp:256", "max_height_m", None),  # published -11
        ("greenp:3", "max_height_m", None),  # published 0.00
        ("greenp:110", "is_closed", True),
    ],
)
def test_a_green_p_value_that_says_nothing_is_left_out(source_id, field, value):
    assert getattr(lot("green-p-parking-2019.json", source_id), field) == value


@pytest.mark.parametrize(
    ("file", "source_id", "timezone", "country", "currency", "city"),
    [
        ("zuerich.geojson", "parkapi:zuerichparkhausurania", "Europe/Zurich", "CH", "CHF", "Zürich"),
        ("aarhus.geojson", "parkapi:aarhusbruunsgalleri", "Europe/Copenhagen", "DK", "DKK", "Aarhus"),
        # A kilometre from the Swiss border.
        ("konstanz.geojson", "parkapi:konstanzaltstadt", "Europe/Berlin", "DE", "EUR", "Konstanz"),
        ("koeln.geojson", "parkapi:koeln-ph02", "Europe/Berlin", "DE", "EUR", "Köln"),
        # Files of an operator: the city is in the address.
        ("bahn.geojson", "parkapi:db-100114", "Europe/Berlin", "DE", "EUR", "Halle an der Saale"),
        ("apag.geojson", "parkapi:dulmenparkhausoverbergplatz", "Europe/Berlin", "DE", "EUR", "Dülmen"),
    ],
)
def test_zone_country_currency_and_city_are_found(file, source_id, timezone, country, currency, city):
    record = lot(file, source_id)

    assert (record.timezone, record.country, record.currency) == (timezone, country, currency)
    assert record.city == city


def test_an_operators_file_is_no_city(tmp_path):
    record = feeds.read(written(tmp_path, altmarkt(address="Hauptbahnhof"), name="bahn.geojson")).lots[0]

    assert (record.address_line1, record.city, record.region) == ("Hauptbahnhof", "", "")


def test_a_lot_without_a_position_takes_its_zone_from_the_others_in_the_file():
    record = lot("zuerich.geojson", "parkapi:zuerichparkplatztheater11")

    assert (record.latitude, record.longitude) == (None, None)
    assert (record.timezone, record.currency) == ("Europe/Zurich", "CHF")


@pytest.mark.parametrize(
    ("text", "city", "expected"),
    [
        ("Weberstraße 2, 52064 Aachen", "", ("Weberstraße 2", "", "52064", "Aachen")),
        ("Aschaffenburg\n63739\nLudwigstraße", "", ("Ludwigstraße", "", "63739", "Aschaffenburg")),
        ("Langer Weg\n Dresden\nx@dresden.de", "Dresden", ("Langer Weg", "", "", "Dresden")),
        ("Adalbertstraße 100, Aachen", "Aachen", ("Adalbertstraße 100", "", "", "Aachen")),
        ("D3, 5", "Mannheim", ("D3, 5", "", "", "Mannheim")),
        ("P4", "Freiburg im Breisgau", ("", "P4", "", "Freiburg im Breisgau")),
        (" 0", "Köln", ("", "", "", "Köln")),
        ("Salzburger Weg 0", "Köln", ("Salzburger Weg", "", "", "Köln")),
        ("Værkmestergade 25", "Aarhus", ("Værkmestergade 25", "", "", "Aarhus")),
        ("", "Jena", ("", "", "", "Jena")),
    ],
)
def test_an_address_is_taken_apart(text, city, expected):
    address = addresses.parse(text, city)

    assert (address.line1, address.line2, address.postcode, address.city) == expected


def test_a_phone_number_and_a_height_limit_are_found_in_the_address():
    address = addresses.parse("Altmarkt 1\nEinfahrtshöhe max. 1,95 m\nTelefon: +49 7531 22675\nMobil: 0171 1")

    assert (address.phone, address.max_height_m) == ("+49 7531 22675", Decimal("1.95"))


def test_invalid_json_is_refused_with_line_and_column():
    with pytest.raises(feeds.FeedError) as caught:
        feeds.read(DATA / "ingolstadt.geojson")

    assert caught.value.where == "line 84, column 5"
    assert str(caught.value) == (
        "ingolstadt.geojson, line 84, column 5: this is not valid JSON (expecting value)"
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "line 1, column 1: this is not valid JSON"),
        (b'{"a": 1}', "this is neither ParkAPI GeoJSON nor the Green P list of Toronto"),
        (b"[]", "this is neither ParkAPI GeoJSON nor the Green P list of Toronto"),
        (b'{\n"name": "Z\xfcrich"}', "line 2: the file is not UTF-8 text"),
        (b'{"features": [NaN]}', "NaN is not a number"),
        (b"[" * 100_000, "this is not valid JSON"),
    ],
)
def test_a_file_that_is_no_feed_is_refused_in_one_sentence(tmp_path, content, sentence):
    path = tmp_path / "bad.geojson"
    path.write_bytes(content)

    with pytest.raises(feeds.FeedError, match=r"^bad\.geojson") as caught:
        feeds.read(path)

    assert sentence in str(caught.value)


def test_a_missing_file_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(feeds.FeedError, match="cannot be read"):
        feeds.read(tmp_path / "nowhere.geojson")


def test_entries_without_a_capacity_are_reported_by_id():
    assert feeds.read(DATA / "bonn.geojson").refused == [
        Refusal("parkapi:bonnstadthausgarage", "no capacity is published")
    ]
    assert feeds.read(DATA / "hanau.geojson").refused == [
        Refusal("parkapi:hanauparkplatzklinikum", "the published capacity is 0")
    ]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (altmarkt(capacity=" "), "no capacity is published"),
        (altmarkt(capacity=-4), "the published capacity is -4"),
        (altmarkt(capacity="many"), "the capacity 'many' is not a whole number"),
        (altmarkt(capacity=12.5), "the capacity 12.5 is not a whole number"),
        (altmarkt(capacity=True), "the capacity True is not a whole number"),
        (altmarkt(capacity="1e999999"), "the capacity '1e999999' is not a whole number"),
        (altmarkt(capacity=4_000_000), "a capacity of 4000000 cannot be right"),
        (altmarkt([51.05, 13.74]), "the position 13.740000, 51.050000 (latitude, longitude) is not on land"),
        (altmarkt([0, 0]), "the position is 0, 0, which stands for unknown"),
        (altmarkt([13.74, 151.05]), "the position 151.05, 13.74 is not on earth"),
        (altmarkt(["east", "north"]), "the position 'north', 'east' is not a pair of numbers"),
        (altmarkt([13.74]), "the position is not a GeoJSON point"),
        (altmarkt(name=" "), "the feature has no id or no name"),
        (ALTMARKT | {"geometry": None}, "no position is published, so its time zone is not known"),
    ],
)
def test_an_entry_no_lot_can_be_made_from_is_reported(tmp_path, entry, reason):
    feed = feeds.read(written(tmp_path, entry))

    assert feed == feeds.Feed([], [Refusal("parkapi:dresdenaltmarkt", reason)])


@pytest.mark.parametrize("entry", [None, [], {}, {"properties": None}, {"properties": {"name": "Nameless"}}])
def test_an_entry_without_an_id_is_reported_by_its_number(tmp_path, entry):
    feed = feeds.read(written(tmp_path, ALTMARKT, entry))

    assert [record.source_id for record in feed.lots] == ["parkapi:dresdenaltmarkt"]
    assert [refusal.source_id for refusal in feed.refused] == ["dresden feature 2"]


def test_the_second_entry_with_an_id_is_reported(tmp_path):
    feed = feeds.read(written(tmp_path, ALTMARKT, altmarkt(name="Altmarkt again")))

    assert [record.name for record in feed.lots] == ["Altmarkt"]
    reason = "this id is already used further up in the file"
    assert feed.refused == [Refusal("parkapi:dresdenaltmarkt", reason)]


def test_numbers_as_text_and_markup_in_names_are_cleaned(tmp_path):
    entry = altmarkt(name="<b>Alt&amp;Markt</b>\r\n 1 , Nord", capacity=" 12 ")

    record = feeds.read(written(tmp_path, entry)).lots[0]

    assert (record.name, record.capacity) == ("Alt&Markt 1, Nord", 12)


def test_what_a_database_would_not_take_is_left_out_of_names(tmp_path):
    record = feeds.read(written(tmp_path, altmarkt(name="Alt\ud800markt\x00")))

    assert [lot.name for lot in record.lots] == ["Alt markt"]


def test_a_city_not_known_here_is_named_after_its_file(tmp_path):
    record = feeds.read(written(tmp_path, altmarkt(address=None), name="bad-homburg.geojson")).lots[0]

    assert (record.city, record.region) == ("Bad Homburg", "")
