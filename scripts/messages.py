"""Gather what drivers and guests read into locale/, and compile it: run after changing a text.

    python scripts/messages.py            gather, then compile
    python scripts/messages.py --compile  compile only

The back office is in English and left out. A text that is new is empty in the .po files until somebody
translates it; tests/test_translations.py names those. Needs gettext's tools (Debian: gettext).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCALES = ("zh_Hans", "ru", "fa")
MSGFMT = (shutil.which("msgfmt") or "msgfmt", "--check-format")
# Read by operators only.
BACK_OFFICE = (
    "bookings/admin/*", "bookings/webhooks/*", "lots/admin_*", "reports/sheets/*", "reports/*admin*",
    "accounts/admin.py", "parking/skin.py", "parking/admin_restyle.py", "templates/admin/*",
    "templates/accounts/outbox*", "templates/accounts/_mail_state.html", "lots/undoing.py",
    "lots/closures.py",    "bookings/safe_http.py", "bookings/label_sheet.py", "accounts/csv_files.py",
    "accounts/rights.py", "accounts/roles.py", "accounts/trail_models.py", "reports/models.py",
    "reports/office_charts.py",
    "reports/reading*", "reports/mail_kinds.py",
    "bookings/board.py", "bookings/situations.py", "parking/dashboard.py", "parking/installation.py",
)  # fmt: skip
ELSEWHERE = (".venv/*", "var/*", "*/tests/*", "tests/*", "conftest.py", "staticfiles/*", "benchmarks/*")


def main() -> None:
    if "--compile" not in sys.argv[1:]:
        gather(ROOT)
    compile_all(ROOT)


def gather(root: Path, locales: tuple[str, ...] = LOCALES) -> None:
    """Bring the .po files below `root` up to date. Files stay in order, so that changes read well."""
    arguments = [f"--locale={name}" for name in locales]
    arguments += [f"--ignore={pattern}" for pattern in (*BACK_OFFICE, *ELSEWHERE)]
    manage = [sys.executable, str(root / "manage.py"), "makemessages", *arguments]
    options = ["--no-wrap", "--no-obsolete", "--add-location=file", "--verbosity=0"]
    subprocess.run([*manage, *options], cwd=root, check=True, env={**os.environ, "PYTHONPATH": str(root)})
    for name in locales:
        # A guess from a similar text is worse than none: it looks translated.
        path = root / "locale" / name / "LC_MESSAGES" / "django.po"
        clear = ["--no-wrap", "--clear-fuzzy", "--empty", "--clear-previous", "-o", str(path), str(path)]
        subprocess.run([shutil.which("msgattrib") or "msgattrib", *clear], check=True)


def compile_all(root: Path) -> None:
    for name in LOCALES:
        catalogue = root / "locale" / name / "LC_MESSAGES" / "django"
        subprocess.run([*MSGFMT, "-o", f"{catalogue}.mo", f"{catalogue}.po"], check=True)


if __name__ == "__main__":
    main()
