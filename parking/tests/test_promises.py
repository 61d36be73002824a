"""Every line the predecessors promised has a test or a resolution, and the page says which."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

HOME = Path(__file__).resolve().parents[2]
LINES = {"S0": 18, "S1": 25, "S2": 22, "S3": 20, "S4": 47}


@pytest.fixture(scope="module")
def table() -> ModuleType:
    spec = importlib.util.spec_from_file_location("promises", HOME / "scripts" / "promises.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "promises", module)  # its dataclass asks for it
        spec.loader.exec_module(module)
    return module


def test_every_line_is_there_once(table: ModuleType):
    wanted = [f"{system}-{n:02d}" for system, lines in LINES.items() for n in range(1, lines + 1)]
    assert [promise.number for promise in table.promises()] == wanted


def test_every_promise_has_a_test_or_a_resolution(table: ModuleType):
    assert table.open_ones(table.marked()) == []
    assert "S4-12" in table.open_ones({})


def test_marks_name_lines_there_are(table: ModuleType):
    known = {promise.number for promise in table.promises()}
    marked = {number for number in table.marked() if number[0] == "S"}
    assert marked <= known


def test_the_page_is_what_the_marks_say(table: ModuleType):
    message = "run python scripts/promises.py"
    assert table.PAGE.read_text() == table.page(table.marked()), message


def test_what_is_named_as_its_place_exists(table: ModuleType):
    for promise in table.promises():
        for place in promise.place.split(", "):
            if "/" in place and not promise.resolution.startswith("not there yet"):
                assert (HOME / place).exists(), (promise.number, place)
