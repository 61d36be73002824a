#!/usr/bin/env python
"""Django's command line for Parkwell."""

import os
import sys


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036  somebody may well try
        sys.exit(f"Parkwell needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "parking.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit(
            "Django is not installed here. `make run` makes .venv; then use `.venv/bin/python manage.py`."
        )
    read_settings()
    execute_from_command_line(sys.argv)


def read_settings() -> None:
    """A knob that is wrong or a folder that cannot be written is a sentence, not a traceback."""
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    try:
        settings.INSTALLED_APPS  # noqa: B018  the first look reads them
    except (ImproperlyConfigured, OSError, ValueError) as error:
        sys.exit(f"Parkwell cannot start, a setting or folder is wrong: {error}")


if __name__ == "__main__":
    main()
