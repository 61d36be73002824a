"""docs/settings.md names every knob there is, with the default it has, and .env.example the same ones."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2]
SHELL = re.compile(r"\$\{(\w+):-([^}]*)\}")
# Read with os.environ by one command, or shown by the table only for what it stands on.
BESIDE = {"BACKUP_IDENTITY"}
NOT_IN_THE_EXAMPLE = {"ENV_FILE", "BACKUP_IDENTITY"}


def in_settings() -> dict[str, str | None]:
    """Name → default as text, or None where it is worked out."""
    found: dict[str, str | None] = {}
    for node in ast.walk(ast.parse((HOME / "parking" / "settings.py").read_text())):
        if not isinstance(node, ast.Call):
            continue
        if not re.fullmatch(r"env\.\w+|key", ast.unparse(node.func)):
            continue
        if not node.args or not isinstance(node.args[0], ast.Constant):
            continue  # key()'s own look
        default = next((word.value for word in node.keywords if word.arg == "default"), None)
        found[str(node.args[0].value)] = _text(default)
    for variable, default in SHELL.findall((HOME / "Procfile").read_text()):
        found[variable] = default
    return found


def _text(default: ast.expr | None) -> str | None:
    try:
        value = ast.literal_eval(default) if default else None
    except ValueError:
        return None
    if value is None:
        return None
    if value in ("", []):
        return "none"
    return ",".join(value) if isinstance(value, list) else str(value)


def in_the_table() -> dict[str, str]:
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| .+ \|$", (HOME / "docs" / "settings.md").read_text(), re.M)
    return {name: default.strip("`") if default.count("`") == 2 else default for name, default in rows}


def test_the_table_names_every_knob_and_no_other() -> None:
    assert set(in_the_table()) == set(in_settings()) | BESIDE


@pytest.mark.parametrize("name", sorted(name for name, default in in_settings().items() if default))
def test_the_table_tells_the_default(name: str) -> None:
    assert in_the_table()[name] == in_settings()[name]


@pytest.mark.promise("S1-20")
def test_the_example_file_shows_them_all() -> None:
    shown = set(re.findall(r"^#?([A-Z_]+)=", (HOME / ".env.example").read_text(), re.M))
    assert shown == set(in_the_table()) - NOT_IN_THE_EXAMPLE
