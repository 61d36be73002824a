"""Every way a code or a password is asked for, on pages and in the API, ready to be tried."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import Any

from django.test import Client

from accounts.models import User
from accounts.tests.conftest import PASSWORD, Api, another, code_for, make_member, prove
from accounts.tests.threads import at_once

WRONG = PASSWORD + "!"


class SiteFlow:
    """One person's code flow on the pages, ready to be attacked."""

    def __init__(
        self,
        start: tuple[str, dict[str, str]],
        confirm: str,
        field: str = "code",
        client: Client | None = None,
    ):
        self.client = client or Client(raise_request_exception=False)
        self.confirm, self.field = confirm, field
        self.client.post(*start)
        self.cookies = SimpleCookie({name: morsel.value for name, morsel in self.client.cookies.items()})

    def attempt(self, code: str) -> Any:
        client = Client(raise_request_exception=False)
        # Cookies of its own: shared ones would carry the winner's new session into a later try.
        client.cookies = SimpleCookie({name: morsel.value for name, morsel in self.cookies.items()})
        return client.post(self.confirm, {self.field: code})


class ApiFlow:
    def __init__(self, start: tuple[str, dict[str, str]], confirm: str, field: str, api: Api | None = None):
        self.api, self.confirm, self.field = api or Api(), confirm, field
        self.api.post(*start)

    def attempt(self, code: str) -> Any:
        api = Api(Client(raise_request_exception=False))
        api.session, api.access = self.api.session, self.api.access
        more = {"password": "copper-lantern-77"} if "reset" in self.confirm else {}
        return api.post(self.confirm, {self.field: code, **more})


def sign_up(email: str) -> dict[str, str]:
    return {"email": email, "password1": PASSWORD, "password": PASSWORD}


def signed_in(email: str) -> Client:
    """Signed in a moment ago by password; an operator's second factor is still to be shown."""
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.get(email=email))
    prove(client)
    return client


def program(email: str) -> Api:
    api = Api()
    api.post("/auth/login", {"email": email, "password": PASSWORD})
    api.post("/auth/reauthenticate", {"password": PASSWORD})
    return api


FLOWS = {
    "sign up, page": lambda email: SiteFlow(
        ("/accounts/signup/", sign_up(email)), "/accounts/confirm-email/"
    ),
    "sign up, API": lambda email: ApiFlow(("/auth/signup", sign_up(email)), "/auth/email/verify", "key"),
    "sign in, page": lambda email: SiteFlow(
        ("/accounts/login/code/", {"email": email}), "/accounts/login/code/confirm/"
    ),
    "sign in, API": lambda email: ApiFlow(
        ("/auth/code/request", {"email": email}), "/auth/code/confirm", "code"
    ),
    "reset, page": lambda email: SiteFlow(
        ("/accounts/password/reset/", {"email": email}), "/accounts/password/reset/confirm/"
    ),
    "reset, API": lambda email: ApiFlow(
        ("/auth/password/request", {"email": email}), "/auth/password/reset", "key"
    ),
}
# For those who are in already, or half in: the code goes to `mailbox(email)`.
SIGNED_IN_FLOWS = {
    "address, page": lambda email: SiteFlow(
        ("/accounts/email/", {"email": mailbox("address", email), "action_add": ""}),
        "/accounts/confirm-email/",
        client=signed_in(email),
    ),
    "address, API": lambda email: ApiFlow(
        ("/account/email", {"email": mailbox("address", email)}),
        "/auth/email/verify",
        "key",
        api=program(email),
    ),
    "staff, page": lambda email: SiteFlow(
        ("/accounts/login/", {"login": email, "password": PASSWORD}), "/accounts/login/code/confirm/"
    ),
    "staff, API": lambda email: ApiFlow(
        ("/auth/login", {"email": email, "password": PASSWORD}), "/auth/code/confirm", "code"
    ),
    "staff, admin": lambda email: SiteFlow(
        ("/accounts/security/code/", {"send": ""}),
        "/accounts/security/code/",
        field="token",
        client=signed_in(email),
    ),
}
ALL_FLOWS = FLOWS | SIGNED_IN_FLOWS


def mailbox(name: str, email: str) -> str:
    """Where the code of this flow goes."""
    return f"new-{email}" if name.startswith("address") else email


def attack(name: str, email: str, times: int) -> list[int]:
    if not name.startswith("sign up"):
        make_member(email.split("@")[0], is_staff=name.startswith("staff"))
    flow = ALL_FLOWS[name](email)
    wrong = another(code_for(mailbox(name, email)))
    return [answer.status_code for answer in at_once(lambda _n: flow.attempt(wrong), times)]


def sign_in(email: str, password: str, door: str, **meta: str) -> int:
    if door == "page":
        data = {"login": email, "password": password}
        return Client().post("/accounts/login/", data, **meta).status_code
    return Api(Client(**meta)).post("/auth/login", {"email": email, "password": password}).status_code
