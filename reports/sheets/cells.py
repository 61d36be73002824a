"""One cell: text in a file, a value in a row. What is written is read as the same value."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from import_export.fields import Field
from import_export.widgets import Widget

from lots.feeds.values import MICRODEGREE
from lots.fields import read_codes
from lots.hours import HoursError, OpeningHours, from_text, to_text

WHOLE = re.compile(r"[+-]?\d{1,18}(\.0+)?")
NUMBER = re.compile(r"[+-]?\d{1,18}(\.\d{1,18})?")
YES = {"true", "yes", "y", "1", "ja", "oui", "si", "sí", "vrai", "wahr"}
NO = {"false", "no", "n", "0", "nein", "non", "faux", "falsch"}
QUOTED = 40  # so much of a wrong value a message repeats


def quoted(text: str) -> str:
    return f"“{text[:QUOTED]}{'…' if len(text) > QUOTED else ''}”"


class Text(Widget):
    """As it is. Subclasses read text into values and raise ValueError with a sentence."""

    about: Any = gettext_lazy("text")

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        return value

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> Any:
        """The value itself: the writer of files knows how each type stands there."""
        return value


class Whole(Text):
    about = gettext_lazy("a whole number")

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> int:
        if not WHOLE.fullmatch(value.strip()):
            raise ValueError(_("%(value)s is not a whole number.") % {"value": quoted(value)})
        return int(Decimal(value.strip()))


class Number(Text):
    about = gettext_lazy("a number such as 2.50")

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Decimal:
        if not NUMBER.fullmatch(value.strip()):
            raise ValueError(_("%(value)s is not a number such as 2.50.") % {"value": quoted(value)})
        try:
            return Decimal(value.strip())
        except InvalidOperation:  # pragma: no cover  the pattern lets only numbers through
            raise ValueError(_("%(value)s is not a number.") % {"value": quoted(value)}) from None


class Degrees(Number):
    about = gettext_lazy("degrees, such as 52.516275")

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Decimal:
        """To 11 cm on the ground; published positions carry up to 17 places."""
        return super().clean(value).quantize(MICRODEGREE)


class YesOrNo(Text):
    about = gettext_lazy("true or false")

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> bool:
        word = value.strip().casefold()
        if word not in YES | NO:
            raise ValueError(_("%(value)s is neither true nor false.") % {"value": quoted(value)})
        return word in YES


class Choice(Text):
    """One of our words."""

    def __init__(self, choices: Any) -> None:
        super().__init__()
        self.words = [value for value, _label in choices if value]
        self.about = ", ".join(self.words)

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        if value.strip() not in self.words:
            names = {"value": quoted(value), "words": self.about}
            raise ValueError(_("%(value)s is none of: %(words)s.") % names)
        return str(value.strip())


class Codes(Text):
    """Some of our words, with blanks between them."""

    def __init__(self, codes: Any) -> None:
        super().__init__()
        self.words = [value for value, _label in codes]
        self.about = " ".join(self.words)

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> tuple[str, ...]:
        codes = read_codes(value.replace(",", " "))
        if strange := set(codes) - set(self.words):
            names = {"value": quoted(" ".join(sorted(strange))), "words": ", ".join(self.words)}
            raise ValueError(_("%(value)s is none of: %(words)s.") % names)
        return codes

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return " ".join(read_codes(value))


class Moment(Text):
    about = gettext_lazy("a date and time with its offset, such as 2030-05-01T08:00:00+02:00")

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> datetime:
        try:
            moment = datetime.fromisoformat(value.strip())
            if moment.tzinfo is None:
                raise ValueError
            return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            names = {"value": quoted(value), "about": self.about}
            raise ValueError(_("%(value)s is not %(about)s.") % names) from None


class Document(Text):
    about = gettext_lazy("a JSON document")

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError(_("%(value)s is not a JSON document.") % {"value": quoted(value)}) from None

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return "" if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)


class Hours(Text):
    """Weekly hours as people note them; with exceptions, the document that is stored."""

    about = gettext_lazy("24/7, or hours such as Mo-Fr 08:00-20:00; Sa 09:00-18:00")

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> dict[str, Any]:
        try:
            if value.lstrip().startswith("{"):
                return OpeningHours.from_json(Document().clean(value)).to_json()
            return from_text(value).to_json()
        except HoursError as error:
            raise ValueError(str(error)) from None

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        hours = OpeningHours.from_json(value)
        if hours.openings or hours.closings:
            return str(Document().render(hours.to_json()))
        return to_text(hours)


class Empty(Enum):
    """A value of its own that stays itself when a resource copies its columns."""

    KEPT = "kept"


class Column(Field):
    """
    A column of ours. An empty cell empties what can be empty; what cannot is left as it is.

    `empty` is what an empty cell means: "" or None, or Empty.KEPT.
    """

    def __init__(
        self, name: str, widget: Widget | None = None, *, empty: Any = Empty.KEPT, attribute: str = ""
    ) -> None:
        super().__init__(attribute=attribute or name, column_name=name, widget=widget or Text())
        self.empty = empty

    def save(self, instance: Any, row: Any, is_m2m: bool = False, **kwargs: Any) -> None:
        setattr(instance, self.attribute, self.read(row[self.column_name], getattr(instance, self.attribute)))

    def read(self, text: str, current: Any = None) -> Any:
        if text.strip():
            return self.widget.clean(text)
        return current if self.empty is Empty.KEPT else self.empty

    def value(self, instance: Any) -> Any:
        """What the file says of this row, typed."""
        return self.widget.render(self.get_value(instance))
