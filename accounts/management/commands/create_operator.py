"""Make the first operator, or another one, with a password that is good for one sign-in."""

from __future__ import annotations

import secrets
from argparse import ArgumentParser
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from accounts import changes, grants, roles, second_factor
from accounts.models import User


class Command(BaseCommand):
    help = "Make an operator and print a one-time password. A code by e-mail is the second factor at first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", default="")
        parser.add_argument(
            "--role",
            choices=["admin", *roles.ROLES],
            default="admin",
            help="admin may do everything; the others what their group may (default: admin)",
        )

    @changes.through("manage.py create_operator")
    @transaction.atomic
    def handle(self, *args: Any, email: str, name: str, role: str, **options: Any) -> None:
        email, now = email.strip().lower(), timezone.now()
        try:
            validate_email(email)
        except ValidationError as error:
            raise CommandError(f"{email!r} is no e-mail address.") from error
        if User.objects.filter(email=email).exists():
            raise CommandError(f"There is an account {email} already.")
        # 16 characters of 64: 96 bits. Nobody has to type it twice.
        password = secrets.token_urlsafe(12)
        user = User.objects.create_user(
            email,
            password,
            name=name,
            is_staff=True,
            is_superuser=role == "admin",
            password_is_temporary=True,
        )
        if role != "admin":
            roles.make_roles(now=now)
            user.groups.add(Group.objects.get(name=role))
        grants.user_changed(user, None, by=None, now=now)
        # Whoever may run this command vouches for the address.
        EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
        second_factor.email_device(user)
        self.stdout.write(f"Operator {email}, one-time password: {password}")
        self.stdout.write(
            "It is shown once. Sign in, enter the code we mail you, then choose your own password."
        )
