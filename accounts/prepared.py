"""Queries whose SQL is made once: for the one hot path, where building them cost more than running them.

A function that builds a QuerySet is called once with stand-ins for its values; what Django makes of it is
kept, and every further call only puts the real values in their places. So the query itself stays where it
was, in the words of the QuerySets, and there is no second version of it in SQL.

    @prepared("lot_id", "now")
    def tariffs(*, lot_id, now):
        return Tariff.objects.filter(lot=lot_id, valid_from__lte=now)

    tariffs(lot_id=7, now=now)      # a list of Tariffs

The names given to the decorator are values: integers, texts, moments, and moments a fixed time away from
one of them (`now + SOON`). Every other argument belongs to the shape of the query, and each shape has SQL
of its own; so does None in a value's place. The function decides nothing by a value: it sees stand-ins.

PostgreSQL plans such a statement once a connection as well, unless DATABASE_PREPARE says no. Always asks
the main database, never a replica.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.transaction import TransactionManagementError

NEAR = timedelta(days=400)  # a moment so near a stand-in is that stand-in and something added
MOST_SHAPES = 1000
Build = Callable[..., models.QuerySet[Any]]
Converters = list[tuple[int, list[Callable[..., Any]], Any]]


@dataclass(frozen=True, slots=True)
class _Place:
    """What stands at one %s: a value, by its name, with what is added to it; or, unnamed, a constant."""

    name: str | None
    more: Any = None


@dataclass(frozen=True, slots=True)
class _Statement:
    sql: str
    places: list[_Place]
    locks: bool
    converters: Converters
    model: type[models.Model] | None  # None: the rows are tuples
    columns: list[str]

    def rows(self, given: dict[str, Any]) -> list[Any]:
        connection = connections[DEFAULT_DB_ALIAS]
        if self.locks and not connection.in_atomic_block:
            raise TransactionManagementError("select_for_update cannot be used outside of a transaction.")
        with _cursor(connection) as cursor:
            cursor.execute(self.sql, [_filled(place, given, connection) for place in self.places])
            found = [list(row) for row in cursor.fetchall()]
        for position, converters, expression in self.converters:
            for row in found:
                for convert in converters:
                    row[position] = convert(row[position], expression, connection)
        if self.model is None:
            return [tuple(row) for row in found]
        return [self.model.from_db(DEFAULT_DB_ALIAS, self.columns, row) for row in found]


def prepared(*values: str) -> Callable[[Build], Callable[..., list[Any]]]:
    """A function that builds a QuerySet, made into one that returns its rows; see the module."""

    def decorate(build: Build) -> Callable[..., list[Any]]:
        made: dict[Hashable, _Statement] = {}

        @wraps(build)
        def rows(**given: Any) -> list[Any]:
            vendor = connections[DEFAULT_DB_ALIAS].vendor
            shape = (vendor, *((name, type(x) if name in values else x) for name, x in given.items()))
            if shape not in made:
                if len(made) >= MOST_SHAPES:
                    made.clear()
                made[shape] = _compiled(build, values, given)
            return made[shape].rows(given)

        return rows

    return decorate


def insert(rows: Sequence[models.Model], *, ignore_conflicts: bool = False) -> None:
    """As bulk_create() of rows of one model: no signals; the keys are set unless conflicts are ignored."""
    if not rows:
        return
    connection: Any = connections[DEFAULT_DB_ALIAS]
    options: Any = type(rows[0])._meta
    fields = [field for field in options.local_concrete_fields if field is not options.auto_field]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(field.column) for field in fields)
    places = ", ".join([f"({', '.join(['%s'] * len(fields))})"] * len(rows))
    end = "ON CONFLICT DO NOTHING" if ignore_conflicts else f"RETURNING {quote(options.pk.column)}"
    sql = f"INSERT INTO {quote(options.db_table)} ({columns}) VALUES {places} {end}"  # noqa: S608
    params = [
        field.get_db_prep_save(field.pre_save(row, True), connection) for row in rows for field in fields
    ]
    with _cursor(connection) as cursor:
        cursor.execute(sql, params)
        keys = [] if ignore_conflicts else cursor.fetchall()
    for row, (key,) in zip(rows, keys, strict=False):
        row.pk = key
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


def _cursor(connection: Any) -> Any:
    """Django's cursor; on PostgreSQL one that sends values beside the statement, so that its plan is kept.

    Where statements are logged (DEBUG, and tests that count them) they shall be seen with their values.
    """
    wrapper = connection.cursor()
    if connection.vendor == "postgresql" and not connection.queries_logged:
        from django.db.backends.postgresql.base import ServerBindingCursor

        wrapper.cursor = ServerBindingCursor(connection.connection)  # type: ignore[call-arg]
    return wrapper


# --- Making a statement ---


def _compiled(build: Build, values: Sequence[str], given: dict[str, Any]) -> _Statement:
    stand_ins = {name: _stand_in(number, given[name]) for number, name in enumerate(values) if name in given}
    queryset = build(**{**given, **stand_ins}).using(DEFAULT_DB_ALIAS)
    connection = connections[DEFAULT_DB_ALIAS]
    compiler = queryset.query.get_compiler(connection=connection)
    sql, params = compiler.as_sql()
    places = [_place(param, stand_ins) for param in params]
    if connection.vendor == "postgresql":
        sql, places = _with_constants(sql, places, connection)
    found: Any = compiler.get_converters([column for column, *_sql in compiler.select[: compiler.col_count]])
    model, columns = None, []
    if queryset._fields is None:  # type: ignore[attr-defined]  # not values_list()
        model = queryset.model
        columns = [column.target.attname for column, *_sql in compiler.select]
    return _Statement(
        sql=sql,
        places=places,
        locks=queryset.query.select_for_update and connection.features.has_select_for_update,
        converters=[(position, *converters) for position, converters in found.items()],
        model=model,
        columns=columns,
    )


def _stand_in(number: int, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, datetime):
        return datetime(3000 + 5 * number, 1, 1, tzinfo=UTC)
    if isinstance(value, int) and not isinstance(value, bool):
        return 7_000_000_000_000_000_000 + number
    if isinstance(value, str):
        return f"~stand-in {number}~"
    raise TypeError(f"A {type(value).__name__} cannot be a value of a prepared query.")


def _place(param: Any, stand_ins: dict[str, Any]) -> _Place:
    for name, stand_in in stand_ins.items():
        if stand_in is None:
            continue
        if isinstance(stand_in, datetime):
            moment = _moment(param)
            if moment and abs(moment - stand_in) < NEAR:
                return _Place(name, moment - stand_in)
        elif param == stand_in:
            return _Place(name)
        elif str(stand_in) in str(param):
            raise ValueError(f"{name} is changed on its way into the query; make it part of the shape.")
    return _Place(None, param)


def _moment(param: Any) -> datetime | None:
    """SQLite's moments are texts without a zone."""
    if isinstance(param, str):
        try:
            param = datetime.fromisoformat(param)
        except ValueError:
            return None
        return param.replace(tzinfo=UTC)
    return param if isinstance(param, datetime) else None


def _filled(place: _Place, given: dict[str, Any], connection: Any) -> Any:
    if place.name is None:
        return place.more
    value = given[place.name]
    return value if place.more is None else connection.ops.adapt_datetimefield_value(value + place.more)


def _with_constants(sql: str, places: list[_Place], connection: Any) -> tuple[str, list[_Place]]:
    """With the constants in the text: in a plan for any values PostgreSQL uses no index that is partial by
    a condition on something it does not know yet."""
    from psycopg.sql import Literal

    pieces = sql.split("%s")
    text = pieces[0]
    for place, piece in zip(places, pieces[1:], strict=True):
        constant = Literal(place.more).as_string(connection.connection).replace("%", "%%")
        text += ("%s" if place.name else constant) + piece
    return text, [place for place in places if place.name]
