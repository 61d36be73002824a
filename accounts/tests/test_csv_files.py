from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts import csv_files
from accounts.csv_files import CsvRefused, inert, read, write

FIELDS = ["name", "price"]
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


def written(fields: Sequence[str], rows: Iterable[Sequence[Any]], **options: Any) -> bytes:
    return b"".join(write(fields, rows, **options))


def refused(data: bytes, **options: Any) -> list[str]:
    with pytest.raises(CsvRefused) as refusal:
        read(data, FIELDS, **options)
    return [str(problem) for problem in refusal.value.problems]


@pytest.mark.parametrize(
    "text",
    [
        "=1+1", "==1+1", "+1", "-1", "@SUM(A1)", "|cmd", "%x", "\tx", "\rx", "\nx", " =1", "\n =1",
        "＝1", "＋1", "－1", "＠1", "\u00a0=1", "\u200b=1", "\ufeff=1", "'=1", "''=1", "' -1",
    ],
)  # fmt: skip
def test_text_that_spreadsheets_would_run_is_inert_and_comes_back(text):
    data = written(FIELDS, [[text, 1]])

    cells = list(csv.reader(io.StringIO(data.decode(), newline="")))[1]
    assert cells[0] == "'" + text
    assert read(data, FIELDS)[0].cells["name"] == text


@pytest.mark.parametrize("text", ["", "Zürich", "a=b", "'quoted'", "'", "5 - 3", 'say "x"', "a,b;c", "a\nb"])
def test_other_text_stands_as_it_is(text):
    assert inert(text) == text
    assert read(written(FIELDS, [[text, 1]]), FIELDS)[0].cells["name"] == text


def test_numbers_dates_and_booleans_stay_what_they_are():
    moment = datetime(2027, 3, 1, 10, tzinfo=UTC)
    values = [-5, Decimal("-5.50"), Decimal("1E+3"), -0.5, True, False, None, date(2027, 3, 1), moment]

    line = written(list("abcdefghi"), [values]).decode().splitlines()[1]

    assert line == "-5,-5.50,1000,-0.5,true,false,,2027-03-01,2027-03-01T10:00:00+00:00"


def test_spreadsheets_get_a_byte_order_mark_and_semicolons():
    data = written(FIELDS, [["=x", Decimal("-1.5")]], for_spreadsheets=True)

    assert data == "\ufeffname;price\r\n'=x;-1.5\r\n".encode()
    assert read(data, FIELDS, delimiter=";")[0].cells == {"name": "=x", "price": "-1.5"}


def test_a_row_of_another_length_is_never_written():
    with pytest.raises(ValueError, match="3 values for 2 fields"):
        written(FIELDS, [["a", 1, 2]])


@settings(max_examples=200)
@given(
    st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=2, max_size=2))
)
def test_what_is_written_is_read_again(rows):
    found = read(written(FIELDS, rows), FIELDS)

    assert [[row.cells[name] for name in FIELDS] for row in found] == rows


def test_columns_may_come_in_any_order_and_lines_are_counted_as_in_an_editor():
    rows = read(b'price,name\r\n1,"two\r\nlines"\r\n\r\n2,b\r\n', FIELDS)

    assert [(row.line, row.cells) for row in rows] == [
        (2, {"name": "two\r\nlines", "price": "1"}),
        (5, {"name": "b", "price": "2"}),
    ]


@pytest.mark.parametrize(
    ("data", "problems"),
    [
        (b"", ["line 1: the file is empty"]),
        (b"name\na\n", ["line 1, column price: this column is missing"]),
        (b"name,price,x\na,1,2\n", ["line 1, column x: there is no such column here"]),
        (b"name,price,name\na,1,2\n", ["line 1, column name: two columns have this heading"]),
        (b"name,\na,1\n", ["line 1, column 2: this column has no heading"]),
        (
            b"name;price\na;1\n",
            [
                "line 1, column name: this column is missing",
                "line 1, column price: this column is missing",
                "line 1, column name;price: there is no such column here",
            ],
        ),
        (
            b"name,price\na,1\nb\nc,1,2\n",
            ["line 3: 1 columns instead of 2", "line 4: 3 columns instead of 2"],
        ),
        (b"name,price\na,1\nZ\xfcrich,1\n", ["line 3: the file is not UTF-8 text"]),
        ("name,price\na,1\n".encode("utf-16"), ["line 1: the file is not UTF-8 text"]),
        (b"name,price\na\0,1\n", ["line 2: there is a NUL character, so this is no text file"]),
        (b'name,price\n"a"b,1\n', ["line 2: this is not CSV (',' expected after '\"')"]),
        (b'name,price\n"a,1\n', ["line 2: this is not CSV (unexpected end of data)"]),
        (
            b"name,price\n" + b"x" * 140_000 + b",1\n",
            ["line 2: this is not CSV (field larger than field limit (131072))"],
        ),
    ],
)
def test_a_file_of_another_shape_is_refused_by_line_and_column(data, problems):
    assert refused(data) == problems


def test_large_files_are_refused_before_they_are_read():
    class Endless(io.BytesIO):
        asked = 0

        def read(self, size: int | None = -1) -> bytes:
            self.asked += size or 0
            return b"x" * (size or 0)

    endless = Endless()
    with pytest.raises(CsvRefused, match="larger than 2 MB") as refusal:
        read(endless, FIELDS)

    assert refusal.value.is_too_large
    assert endless.asked == csv_files.LARGEST_FILE + 1


def test_files_of_too_many_rows_are_refused():
    data = written(FIELDS, [["a", 1]] * 4)

    assert len(read(data, FIELDS, most_rows=4)) == 4
    assert refused(data, most_rows=3) == ["line 5: the file has more than 3 rows"]
