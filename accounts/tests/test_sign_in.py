"""Signing up and in, on the pages and through the API, on the path a person takes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from accounts.models import Notice, RateLimit, User
from accounts.tests.conftest import PASSWORD, Api, another, code_for, latest_mail

SIGN_UP = {"email": "Ada@Example.com", "password1": PASSWORD}


@pytest.mark.promise("S2-01")
@pytest.mark.promise("S3-01")
@pytest.mark.promise("S1-08")
@pytest.mark.django_db
def test_a_person_signs_up_with_a_code_and_lands_on_their_bookings(client: Client):
    answer = client.post("/accounts/signup/", {**SIGN_UP, "username": "ada"}, follow=True)
    assert answer.redirect_chain[-1][0] == "/accounts/confirm-email/"
    assert "_auth_user_id" not in client.session

    wrong = client.post("/accounts/confirm-email/", {"code": another(code_for("ada@example.com"))})
    assert wrong.status_code == 200
    assert "_auth_user_id" not in client.session

    right = client.post("/accounts/confirm-email/", {"code": code_for("ada@example.com")})
    assert (right.status_code, right["Location"]) == (302, "/bookings/")
    user = User.objects.get()
    assert client.session["_auth_user_id"] == str(user.pk)
    assert (user.email, user.username) == ("ada@example.com", "ada")
    assert EmailAddress.objects.get().verified


@pytest.mark.promise("S4-03")
@pytest.mark.promise("S4-01")
@pytest.mark.django_db
def test_a_username_is_optional_and_taken_once(client: Client):
    client.post("/accounts/signup/", {**SIGN_UP, "username": "ada"})
    Client().post("/accounts/signup/", {**SIGN_UP, "email": "b@example.com"})
    Client().post("/accounts/signup/", {**SIGN_UP, "email": "c@example.com"})
    taken = Client().post("/accounts/signup/", {**SIGN_UP, "email": "d@example.com", "username": "Ada"})

    assert taken.status_code == 200
    assert sorted(User.objects.values_list("email", "username")) == [
        ("ada@example.com", "ada"),
        ("b@example.com", None),
        ("c@example.com", None),
    ]


@pytest.mark.promise("S3-02")
@pytest.mark.promise("S4-46")
@pytest.mark.django_db
@pytest.mark.parametrize("password", ["short", "password1234", "ada@example.com"])
def test_a_weak_password_is_refused(client: Client, password: str):
    answer = client.post("/accounts/signup/", {**SIGN_UP, "password1": password})

    assert answer.status_code == 200
    assert not User.objects.exists()


@pytest.mark.promise("S2-01")
@pytest.mark.promise("S1-09")
@pytest.mark.promise("S4-06")
@pytest.mark.django_db
def test_a_member_signs_in_by_password(client: Client, member: User):
    answer = client.post("/accounts/login/", {"login": "MIA@example.com", "password": PASSWORD})

    assert (answer.status_code, answer["Location"]) == (302, "/bookings/")
    assert client.session["_auth_user_id"] == str(member.pk)


@pytest.mark.django_db
def test_a_wrong_password_signs_nobody_in(client: Client, member: User):
    answer = client.post("/accounts/login/", {"login": member.email, "password": PASSWORD + "!"})

    assert answer.status_code == 200
    assert "_auth_user_id" not in client.session


@pytest.mark.django_db
def test_a_member_signs_in_by_code(client: Client, member: User):
    client.post("/accounts/login/code/", {"email": member.email})
    answer = client.post("/accounts/login/code/confirm/", {"code": code_for(member.email)})

    assert (answer.status_code, answer["Location"]) == (302, "/bookings/")
    assert client.session["_auth_user_id"] == str(member.pk)


@pytest.mark.django_db
def test_a_member_who_forgot_the_password_chooses_a_new_one_by_code(client: Client, member: User):
    elsewhere = Client()
    elsewhere.post("/accounts/login/", {"login": member.email, "password": PASSWORD})
    client.post("/accounts/password/reset/", {"email": member.email})
    client.post("/accounts/password/reset/confirm/", {"code": code_for(member.email)})
    new = "copper-lantern-77"
    answer = client.post("/accounts/password/reset/complete/", {"password1": new, "password2": new})

    assert answer.status_code == 302
    member.refresh_from_db()
    assert member.check_password(new)
    assert elsewhere.get("/accounts/email/").status_code == 302, "the other device stays signed in"
    assert "reset" in latest_mail(member.email).subject


@pytest.mark.django_db
def test_codes_are_owed_first_and_not_for_longer_than_they_are_good(client: Client, member: User):
    client.post("/accounts/login/code/", {"email": member.email})

    notice = Notice.objects.get()
    assert notice.is_urgent
    assert 590 <= (notice.expires_at - notice.created_at).total_seconds() <= 601
    assert code_for(member.email) in notice.html
    assert code_for(member.email) not in notice.subject


@pytest.mark.django_db
def test_an_unverified_account_can_do_nothing_through_any_door(client: Client, api: Api):
    client.post("/accounts/signup/", SIGN_UP)

    page = Client()
    page.post("/accounts/login/", {"login": "ada@example.com", "password": PASSWORD})
    assert "_auth_user_id" not in page.session
    RateLimit.objects.all().delete()  # as if a minute had passed
    answer = api.post("/auth/login", {"email": "ada@example.com", "password": PASSWORD})
    assert answer.status_code == 401
    assert "access_token" not in answer.json()["meta"]
    assert not api.access
    # The session token of the pending flow opens nothing either.
    assert api.call("GET", "/auth/session").status_code == 401
    assert api.call("GET", "/account/email").status_code == 401
    basic = client.get("/api/v1/bookings/", headers={"Authorization": "Basic YWRhOnBhc3N3b3Jk"})
    assert basic.status_code in (401, 404)


@pytest.mark.promise("S3-03")
@pytest.mark.promise("S1-19")
@pytest.mark.django_db
def test_a_program_signs_up_and_gets_tokens(api: Api):
    pending = api.post("/auth/signup", {"email": "ada@example.com", "password": PASSWORD})
    assert pending.status_code == 401
    flows = {flow["id"]: flow for flow in pending.json()["data"]["flows"]}
    assert flows["verify_email"]["is_pending"]
    assert not api.access

    done = api.post("/auth/email/verify", {"key": code_for("ada@example.com")})

    assert done.status_code == 200
    assert api.access
    assert api.refresh
    assert api.call("GET", "/auth/session").json()["data"]["user"]["email"] == "ada@example.com"


@pytest.mark.django_db
def test_a_program_signs_in_by_password_and_by_code(member: User):
    by_password, by_code = Api(), Api()
    assert by_password.post("/auth/login", {"email": member.email, "password": PASSWORD}).status_code == 200
    assert by_code.post("/auth/code/request", {"email": member.email}).status_code == 401
    assert by_code.post("/auth/code/confirm", {"code": code_for(member.email)}).status_code == 200

    assert by_password.access
    assert by_code.access


@pytest.mark.django_db
def test_a_program_resets_a_password_by_code(api: Api, member: User):
    new = "copper-lantern-77"
    assert api.post("/auth/password/request", {"email": member.email}).status_code == 401
    answer = api.post("/auth/password/reset", {"key": code_for(member.email), "password": new})

    assert answer.status_code == 401  # done, and now sign in
    assert Api().post("/auth/login", {"email": member.email, "password": new}).status_code == 200


@pytest.mark.django_db
def test_refreshing_gives_a_new_pair_and_the_old_token_is_dead(api: Api, member: User):
    api.post("/auth/login", {"email": member.email, "password": PASSWORD})
    old = api.refresh

    answer = api.post("/tokens/refresh", {"refresh_token": old})

    assert answer.status_code == 200
    assert answer.json()["data"]["refresh_token"] != old
    assert api.post("/tokens/refresh", {"refresh_token": old}).status_code == 401


@pytest.mark.django_db
@pytest.mark.parametrize("end", ["logged out", "disabled", "changed password", "deleted"])
def test_a_token_dies_at_once_when_its_owner(end: str, api: Api, member: User):
    api.post("/auth/login", {"email": member.email, "password": PASSWORD})
    token = Api()
    token.access = api.access
    assert token.call("GET", "/auth/session").status_code == 200

    if end == "logged out":
        api.call("DELETE", "/auth/session")
    elif end == "disabled":
        User.objects.update(is_active=False)
    elif end == "changed password":
        member.set_password("copper-lantern-77")
        member.save()
    else:
        member.delete()

    assert token.call("GET", "/auth/session").status_code in (401, 410)
    assert Api().post("/tokens/refresh", {"refresh_token": api.refresh}).status_code == 401


@pytest.mark.django_db
def test_links_in_mails_come_from_base_url_and_not_from_the_caller(client: Client, settings: Any):
    settings.ALLOWED_HOSTS = ["*"]
    asked = {"email": "nobody@example.com"}
    client.post("/accounts/password/reset/", asked, headers={"host": "evil.example"})

    notice = Notice.objects.get()
    assert re.findall(r"https?://[^/\s\"]+", notice.text + notice.html)
    assert "evil" not in notice.text + notice.html
    assert "evil" not in str(notice.message_id)
