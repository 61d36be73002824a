"""Django's name for what create_operator does: no password is typed, or taken from the environment."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from accounts.management.commands import create_operator


class Command(create_operator.Command):
    help = "Make an operator who may do everything, with a one-time password; the same as create_operator."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", default=os.environ.get("DJANGO_SUPERUSER_EMAIL", ""))
        parser.add_argument("--name", default="")
        parser.add_argument("--noinput", "--no-input", action="store_false", dest="interactive")
        parser.set_defaults(role="admin")

    def handle(self, *args: Any, **options: Any) -> None:
        email = options.pop("email")
        if not email and options["interactive"]:
            email = input("E-mail address: ")
        if not email:
            raise CommandError("Say whose: --email, or DJANGO_SUPERUSER_EMAIL.")
        super().handle(*args, email=email, **options)
