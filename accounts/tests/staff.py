"""Operators who have shown their second factor, for tests of the back office."""

from __future__ import annotations

import time

from django.test import Client
from django_otp import DEVICE_ID_SESSION_KEY

from accounts import second_factor
from accounts.models import User


def verify(client: Client, user: User) -> Client:
    """As after signing in by password and the e-mailed code."""
    client.force_login(user)
    session = client.session
    session[DEVICE_ID_SESSION_KEY] = second_factor.email_device(user).persistent_id
    session[second_factor.SINCE] = session[second_factor.SEEN] = int(time.time())
    session.save()
    return client
