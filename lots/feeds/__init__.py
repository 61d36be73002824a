"""
Published lists of car parks, read into plain records. No database here.

Every entry of a file comes back, either as a lot or as a refusal that names it; a file that is no
feed at all raises FeedError and nothing of it is taken.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

from lots.feeds import greenp, parkapi
from lots.feeds.records import EntryRefused, Feed, FeedError, LotRecord, Refusal

__all__ = ["Feed", "FeedError", "LotRecord", "Refusal", "read"]

SHAPES = [parkapi, greenp]


def read(path: str | Path) -> Feed:
    """Read one file, its shape recognised by its content. Raises FeedError."""
    path = Path(path)
    data = _load(path)
    shape = next((shape for shape in SHAPES if shape.recognises(data)), None)
    if shape is None:
        raise FeedError(path, "", "this is neither ParkAPI GeoJSON nor the Green P list of Toronto")

    feed, seen = Feed(), set()
    for source_id, entry in shape.entries(data, path.stem):
        try:
            if source_id in seen:
                raise EntryRefused("this id is already used further up in the file")
            feed.lots.append(shape.lot(source_id, entry, data, path.stem))
            seen.add(source_id)
        except EntryRefused as refusal:
            feed.refused.append(Refusal(source_id, str(refusal)))
    return feed


def _load(path: Path) -> Any:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FeedError(path, "", f"the file cannot be read ({error.strerror})") from None
    try:
        return json.loads(content.decode("utf-8-sig"), parse_constant=_no_number)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FeedError(path, f"line {line}", "the file is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        found = error.msg[0].lower() + error.msg[1:]
        raise FeedError(path, where, f"this is not valid JSON ({found})") from None
    except (ValueError, RecursionError) as error:
        raise FeedError(path, "", f"this is not valid JSON ({error or 'nested too deeply'})") from None


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number")
