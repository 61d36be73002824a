"""manage.py price: a tariff file and a stay in, an itemised bill or one sentence out."""

from io import StringIO

import pytest
from django.core.management.base import CommandError

from bookings.management.commands.price import Command

STAY = ["--from", "2026-03-03T12:00+01:00", "--to", "2026-03-03T13:30+01:00", "--zone", "Europe/Berlin"]


def run(tmp_path, text, *more):
    file = tmp_path / "tariff.json"
    file.write_text(text)
    out = StringIO()
    command = Command(stdout=out, no_color=True)
    parser = command.create_parser("manage.py", "price")
    command.handle(**vars(parser.parse_args(["--tariff", str(file), *STAY, *more])))
    return out.getvalue()


def test_the_command_prices_our_documents_and_ocpis(tmp_path):
    ours = '{"currency": "EUR", "elements": [{"price_components": [{"type": "TIME", "price": "2"}]}]}'
    theirs = """{"country_code": "DE", "party_id": "ALL", "id": "12", "currency": "EUR", "elements": [
        {"price_components": [{"type": "TIME", "price": 2.0, "vat": 10.0, "step_size": 300}]}]}"""

    assert run(tmp_path, ours).splitlines() == [
        "Parking  3.00  1 h 30 min at 2 EUR per hour",
        "Total    3.00  EUR, of which 0.00 tax",
    ]
    assert '"total": "3.30"' in run(tmp_path, theirs, "--format", "json")


@pytest.mark.parametrize(
    ("text", "more", "sentence"),
    [
        ("not json", [], "is not a JSON file"),
        ("[" * 100_000, [], "is not a JSON file"),
        ('{"currency": "EUR"}', [], "elements: A tariff needs at least one element or package"),
        (
            '{"currency": "EUR", "elements": [{"price_components": [{"type": "TIME", "price": NaN}]}]}',
            [],
            r"elements\[0\].price_components\[0\].price: ",
        ),
        ('{"currency": "EUR", "packages": []}', [], "at least one element"),
        (None, ["--zone", "Mars/Olympus"], "not an IANA zone"),
        (None, ["--to", "2026-03-03"], "--to: A date alone is not enough"),
        (None, ["--to", "2026-03-03T11:00+01:00"], "cannot end before it starts"),
        (None, ["--kwh", "-1"], "--kwh: An amount cannot be negative"),
    ],
)
def test_the_command_says_one_sentence_about_bad_input(tmp_path, text, more, sentence):
    good = '{"currency": "EUR", "elements": [{"price_components": [{"type": "TIME", "price": "2"}]}]}'
    with pytest.raises(CommandError, match=sentence) as refused:
        run(tmp_path, text or good, *more)

    assert "\n" not in str(refused.value)
