"""Writes docs/promises.md: what the predecessors promised, where it lives here, and the tests that prove it.

The words are in scripts/promises.txt, the tests are found by their `@pytest.mark.promise("S4-13")`. With
`--check` nothing is written: exits with 1 when the page is stale or a promise
has neither a test nor a resolution.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "promises.md"
TEXTS = Path(__file__).with_suffix(".txt")
TESTED = ("accounts", "lots", "bookings", "reports", "parking", "tests")
SHOWN = 2  # tests named for each; the first of them, so that a further one seldom changes the page
SYSTEMS = {
    "S0": "Charger Locker",
    "S1": "Vehicle Parking App",
    "S2": "ParkSpace",
    "S3": "Smart Vehicle Parking",
    "S4": "Vehicle Parking Management",
}
HEAD = """\
# What the predecessors promised

Parkwell replaces five systems. Each line of theirs is here with the place that keeps it, how it is resolved
where it was unsafe or two of them disagreed, and tests that fail when it is broken. The page is made by
`python scripts/promises.py` from the marks in the tests; a test fails when it is not what they say.
"""


@dataclass(frozen=True)
class Promise:
    number: str
    text: str
    place: str
    resolution: str


def promises() -> list[Promise]:
    lines = [line for line in TEXTS.read_text().splitlines() if line and not line.startswith("#")]
    return [Promise(*(part.strip() for part in [*line.split(" | "), ""][:4])) for line in lines]


def marked() -> dict[str, list[str]]:
    """Number → "path::test" of every test that has it as its mark, in the order of their paths."""
    found: dict[str, list[str]] = defaultdict(list)
    for folder in TESTED:
        for path in sorted((ROOT / folder).rglob("test_*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                    for number in _numbers(node):
                        found[number].append(f"{path.relative_to(ROOT)}::{node.name}")
    return found


def _numbers(test: ast.FunctionDef) -> list[str]:
    return [
        str(ast.literal_eval(number))
        for mark in test.decorator_list
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.promise"
        for number in mark.args
    ]


def page(tests: dict[str, list[str]]) -> str:
    parts = [HEAD]
    for system, name in SYSTEMS.items():
        parts.append(f"\n## {system} {name}\n\n| promise | here | proven by |\n|---|---|---|\n")
        parts += [_row(promise, tests) for promise in promises() if promise.number.startswith(system)]
    return "".join(parts)


def _row(promise: Promise, tests: dict[str, list[str]]) -> str:
    proofs = [_link(test) for test in tests.get(promise.number, [])[:SHOWN]]
    resolved = f"; {promise.resolution}" if promise.resolution else ""
    return f"| **{promise.number}** {promise.text} | {promise.place}{resolved} | {', '.join(proofs)} |\n"


def _link(test: str) -> str:
    path, name = test.split("::")
    return f"[{name.removeprefix('test_').replace('_', ' ')}](../{path})"


def open_ones(tests: dict[str, list[str]]) -> list[str]:
    """Promises with neither a test nor a word about what became of them."""
    return [each.number for each in promises() if not tests.get(each.number) and not each.resolution]


def main() -> int:
    tests = marked()
    text = page(tests)
    if "--check" not in sys.argv:
        PAGE.write_text(text)
    wrong = [f"{number} has neither a test nor a resolution." for number in open_ones(tests)]
    if PAGE.read_text() != text:
        wrong.append("docs/promises.md is stale: run python scripts/promises.py")
    print("\n".join(wrong) or "Every promise has a test or a resolution.")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
