"""The back office is for staff who have shown a second factor, through every door."""

from __future__ import annotations

import base64
import io
import re
import time
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django_otp.admin import OTPAdminSite
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.sites import UnfoldAdminSite

from accounts import outbox, roles, second_factor
from accounts.models import Change, Notice, RateLimit, User
from accounts.tests.conftest import PASSWORD, Api, another, code_for, make_member
from accounts.tests.staff import verify

ADMIN = "/admin/"


@pytest.fixture
def olga(db: None) -> User:
    return make_member("olga", is_staff=True, is_superuser=True)


def sign_in(user: User, password: str = PASSWORD) -> Client:
    client = Client()
    client.post("/accounts/login/", {"login": user.email, "password": password})
    return client


def code_for_app(device: TOTPDevice, later: int = 0) -> str:
    return f"{totp(device.bin_key, t0=-30 * later):06d}"


def test_the_admin_site_is_ours_and_not_the_one_unfold_would_put_there():
    assert isinstance(admin.site, OTPAdminSite)
    assert isinstance(admin.site, UnfoldAdminSite)
    assert reverse("admin:index") == ADMIN


@pytest.mark.promise("S2-08")
@pytest.mark.promise("S4-04")
@pytest.mark.django_db
def test_a_superuser_without_a_second_factor_sees_nothing_of_the_admin(client: Client, olga: User):
    client.force_login(olga)

    for path in [
        ADMIN,
        reverse("admin:accounts_user_changelist"),
        "/admin/jsi18n/",
        "/admin/password_change/",
    ]:
        answer = client.get(path)
        assert answer.status_code == 302, path
        step = client.get(answer["Location"])
        assert step["Location"].startswith("/accounts/security/code/?next="), path


@pytest.mark.django_db
def test_strangers_are_sent_to_sign_in_and_drivers_are_refused(client: Client, member: User):
    assert client.get("/admin/login/?next=/admin/")["Location"] == "/accounts/login/?next=/admin/"
    client.force_login(member)
    assert client.get("/admin/login/?next=/admin/").status_code == 403
    assert client.get(ADMIN).status_code == 302


@pytest.mark.django_db
def test_the_admin_takes_no_password_itself(client: Client, olga: User):
    answer = client.post("/admin/login/", {"username": olga.email, "password": PASSWORD})

    assert answer["Location"].startswith("/accounts/login/")
    assert "_auth_user_id" not in client.session


@pytest.mark.promise("S2-15")
@pytest.mark.promise("S4-06")
@pytest.mark.django_db
def test_an_operator_signs_in_with_password_and_code_and_lands_on_the_admin(olga: User):
    client = sign_in(olga)
    assert "_auth_user_id" not in client.session, "a staff password alone opens nothing"

    answer = client.post("/accounts/login/code/confirm/", {"code": code_for(olga.email)})

    assert answer["Location"] == ADMIN
    assert client.get(ADMIN).status_code == 200


@pytest.mark.django_db
def test_a_superuser_made_by_djangos_own_command_is_not_locked_out():
    printed = io.StringIO()
    call_command("createsuperuser", email="root@example.com", interactive=False, stdout=printed)
    root = User.objects.get()
    assert root.is_superuser
    assert root.check_password(re.search(r"one-time password: (\S+)", printed.getvalue())[1])
    root.set_password(PASSWORD)
    root.password_is_temporary = False
    root.save()

    client = sign_in(root)
    answer = client.post("/accounts/login/code/confirm/", {"code": code_for(root.email)})

    assert answer["Location"] == ADMIN
    assert client.get(ADMIN).status_code == 200
    assert Notice.objects.count() == 1, "one code is enough"


@pytest.mark.promise("S4-07")
@pytest.mark.django_db
def test_a_staff_password_alone_yields_no_token(olga: User):
    api = Api()
    answer = api.post("/auth/login", {"email": olga.email, "password": PASSWORD})

    assert answer.status_code == 401
    assert not api.access
    flows = {flow["id"]: flow for flow in answer.json()["data"]["flows"]}
    assert flows["login_by_code"]["is_pending"]
    assert api.call("GET", "/account/email").status_code == 401

    assert api.post("/auth/code/confirm", {"code": code_for(olga.email)}).status_code == 200
    assert api.access


@pytest.mark.django_db
def test_whoever_signed_in_by_code_alone_is_asked_for_the_password(olga: User):
    client = Client()
    client.post("/accounts/login/code/", {"email": olga.email})
    client.post("/accounts/login/code/confirm/", {"code": code_for(olga.email)})

    answer = client.get("/accounts/security/code/?next=/admin/")

    assert answer["Location"].startswith("/accounts/reauthenticate/")
    back = client.post(answer["Location"], {"password": PASSWORD})
    assert back["Location"].startswith("/accounts/security/code/")


@pytest.mark.django_db
def test_a_code_can_be_asked_for_again_once_the_first_proof_is_old(olga: User):
    client = sign_in(olga)
    client.post("/accounts/login/code/confirm/", {"code": code_for(olga.email)})
    for key, age in [(second_factor.SEEN, second_factor.IDLE), (second_factor.SINCE, second_factor.LONGEST)]:
        session = client.session
        session[second_factor.SEEN] = int(time.time())
        session[key] = int(time.time()) - age - 1
        session.save()
        RateLimit.objects.all().delete()
        assert client.get(ADMIN).status_code == 302

        client.post("/accounts/security/code/", {"send": "1", "next": ADMIN})
        wrong = client.post(
            "/accounts/security/code/", {"token": another(code_for(olga.email)), "next": ADMIN}
        )
        assert wrong.status_code == 200
        time.sleep(1.1)  # django-otp's own pause after a wrong one
        right = client.post("/accounts/security/code/", {"token": code_for(olga.email), "next": ADMIN})
        assert right["Location"] == ADMIN
        assert client.get(ADMIN).status_code == 200


@pytest.mark.django_db
def test_five_wrong_second_factors_an_hour(olga: User):
    client = verify(Client(), olga)
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": time.time()}]
    session["account_authentication_methods_user"] = str(olga.pk)
    session.save()

    statuses = [client.post("/accounts/security/code/", {"token": "000000"}).status_code for _try in range(7)]

    assert statuses == [200] * 5 + [429] * 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    "wanted", ["//evil.example/", "https://evil.example", "javascript:alert(1)", "/\\evil"]
)
def test_the_second_step_leads_nowhere_else(wanted: str, client: Client, olga: User):
    verify(client, olga)
    answer = client.get("/admin/login/", {"next": wanted})
    assert answer["Location"] == ADMIN


@pytest.mark.django_db
def test_an_app_is_set_up_by_its_qr_code_and_ends_codes_by_mail(olga: User):
    client = verify(Client(), olga)
    page = client.get("/accounts/security/app/").content.decode()
    device = TOTPDevice.objects.get()
    assert "<svg" in page
    assert "style=" not in page.split("<svg")[1].split("</svg>")[0], "the page's CSP would drop it"
    assert base64.b32encode(device.bin_key).decode() in page

    client.post("/accounts/security/app/", {"token": code_for_app(device)})
    device.refresh_from_db()
    assert device.confirmed

    fresh = sign_in(olga)
    answer = fresh.post("/accounts/login/code/confirm/", {"code": code_for(olga.email)})
    assert fresh.get(answer["Location"]).status_code == 302, "the mailbox is not enough any more"
    Notice.objects.all().delete()
    fresh.post("/accounts/security/code/", {"send": "1"})
    assert not Notice.objects.exists()
    device.refresh_from_db()
    token = code_for_app(device, later=-1)
    TOTPDevice.objects.update(last_t=-1, drift=0)
    right = fresh.post("/accounts/security/code/", {"token": token})
    assert right["Location"] == ADMIN
    assert fresh.get(ADMIN).status_code == 200
    replay = sign_in_with_app(olga, token)
    assert replay.status_code == 200, "the same code twice"


def sign_in_with_app(user: User, token: str) -> Any:
    RateLimit.objects.all().delete()
    client = sign_in(user)
    client.post("/accounts/login/code/confirm/", {"code": code_for(user.email)})
    return client.post("/accounts/security/code/", {"token": token})


@pytest.mark.django_db
def test_backup_codes_work_once_each(olga: User):
    client = verify(Client(), olga)
    page = client.post("/accounts/security/backup-codes/").content.decode()
    codes = re.findall(r"<li><code>(\w+)</code>", page)
    assert len(codes) == second_factor.BACKUP_CODES
    assert codes[0] not in client.get("/accounts/security/").content.decode()

    # A driver's session of the operator's, without the second factor.
    TOTPDevice.objects.create(user=olga, confirmed=True)
    assert sign_in_with_app(olga, codes[0])["Location"] == ADMIN
    assert sign_in_with_app(olga, codes[0]).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["", "app/", "app/remove/", "backup-codes/"])
def test_devices_are_changed_only_by_whoever_has_shown_one(
    path: str, client: Client, olga: User, member: User
):
    client.force_login(olga)
    for answer in [client.get(f"/accounts/security/{path}"), client.post(f"/accounts/security/{path}")]:
        assert answer.status_code in (302, 405)
        if answer.status_code == 302:
            assert answer["Location"].startswith("/accounts/security/code/")
    client.force_login(member)
    assert client.get(f"/accounts/security/{path}").status_code in (403, 405)
    assert not TOTPDevice.objects.exists()


@pytest.mark.promise("S2-21")
@pytest.mark.promise("S1-01")
@pytest.mark.django_db
def test_the_first_operator_gets_a_password_good_for_one_sign_in():
    printed = io.StringIO()
    call_command("create_operator", "Boss@Example.com", stdout=printed)
    boss = User.objects.get()
    password = re.search(r"one-time password: (\S+)", printed.getvalue())[1]
    assert boss.check_password(password)
    assert len(password) >= 16

    client = sign_in(boss, password)
    client.post("/accounts/login/code/confirm/", {"code": code_for(boss.email)})
    assert client.get(ADMIN).status_code == 302
    step = client.get("/accounts/security/code/")
    assert step["Location"] == "/accounts/password/change/"
    new = {"oldpassword": password, "password1": "copper-lantern-77", "password2": "copper-lantern-77"}
    client.post("/accounts/password/change/", new)

    assert client.get(ADMIN).status_code == 200
    boss.refresh_from_db()
    assert not boss.password_is_temporary
    assert "_auth_user_id" not in sign_in(boss, password).session


@pytest.mark.django_db
def test_an_operator_is_not_made_twice_nor_without_an_address(olga: User):
    for email in [olga.email, "nonsense"]:
        with pytest.raises(CommandError):
            call_command("create_operator", email, stdout=io.StringIO())


@pytest.mark.promise("S4-05")
@pytest.mark.django_db
def test_roles_are_made_once_and_stay_as_staff_change_them():
    assert roles.make_roles() == list(roles.ROLES)
    printed = io.StringIO()
    call_command("create_operator", "vera@example.com", role="viewer", stdout=printed)
    vera = User.objects.get()
    assert vera.has_perm("bookings.view_booking")
    assert not vera.has_perm("bookings.change_booking")
    assert not vera.is_superuser

    vera.groups.get().permissions.clear()
    assert roles.make_roles() == []
    assert not User.objects.get().has_perm("bookings.view_booking")


@pytest.mark.promise("S4-05")
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("role", "may", "may_not"),
    [
        (
            "operator",
            ["lots.change_lot", "bookings.change_booking"],
            ["accounts.change_user", "auth.change_group"],
        ),
        ("cashier", ["bookings.view_booking"], ["bookings.change_booking", "lots.change_lot"]),
        ("viewer", ["lots.view_lot"], ["lots.change_lot", "accounts.view_user"]),
    ],
)
def test_a_role_may_what_it_says(role: str, may: list[str], may_not: list[str]):
    call_command("create_operator", "vera@example.com", role=role, stdout=io.StringIO())
    vera = User.objects.get()

    assert [right for right in may if not vera.has_perm(right)] == []
    assert [right for right in may_not if vera.has_perm(right)] == []


@pytest.mark.django_db
def test_only_a_superuser_gives_rights_or_touches_another_operator(olga: User, member: User):
    from django.contrib.auth.models import Permission

    clerk = make_member("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(content_type__model="user"))
    client = verify(Client(), clerk)
    change = f"/admin/accounts/user/{member.pk}/change/"
    page = client.get(change)
    assert page.status_code == 200
    fields = page.context["adminform"].form.fields
    assert not {"is_staff", "is_superuser", "groups", "user_permissions"} & set(fields)
    data = {"email": member.email, "is_superuser": "on", "is_staff": "on", "is_active": "on"}
    client.post(change, {**data, "vehicles-TOTAL_FORMS": 0, "vehicles-INITIAL_FORMS": 0})
    member.refresh_from_db()
    assert not member.is_superuser
    assert not member.is_staff

    assert client.post(f"/admin/accounts/user/{olga.pk}/change/", data).status_code == 403


@pytest.mark.django_db
def test_people_are_made_and_changed_in_the_admin(client: Client, olga: User):
    verify(client, olga)
    new = {"email": "New@Example.com", "name": "New", "password": PASSWORD, "password1": PASSWORD}
    rows = {"vehicles-TOTAL_FORMS": 0, "vehicles-INITIAL_FORMS": 0}
    client.post("/admin/accounts/user/add/", {**new, "password2": PASSWORD, "usable_password": "true"})
    made = User.objects.get(email="new@example.com")
    assert not made.has_usable_password()

    client.post(f"/admin/accounts/user/{made.pk}/change/", {**new, "username": "", "is_active": "on", **rows})
    client.post("/admin/accounts/vehicle/add/", {"driver": made.pk, "plate": "b-ab 12", "kind": "car"})
    made.refresh_from_db()
    assert made.username is None
    assert made.vehicles.get().plate_normalised == "BAB12"


@pytest.mark.django_db
def test_mails_are_read_in_the_admin_but_codes_are_not(client: Client, olga: User, member: User, now: Any):
    Client().post("/accounts/login/code/", {"email": member.email})
    code = code_for(member.email)
    given_up = Notice.objects.create(recipient="a@example.com", subject="News", text="Hello", failed_at=now)
    verify(client, olga)

    listed = client.get("/admin/accounts/notice/").content.decode()
    assert "News" in listed
    secret = client.get(f"/admin/accounts/notice/{Notice.objects.get(is_urgent=True).pk}/change/")
    assert code not in secret.content.decode()
    assert "Hello" in client.get(f"/admin/accounts/notice/{given_up.pk}/change/").content.decode()

    client.post("/admin/accounts/notice/", {"action": "owe_again", "_selected_action": [given_up.pk]})
    given_up.refresh_from_db()
    assert given_up.failed_at is None
    outbox.deliver_due(now=given_up.not_before)
    given_up.refresh_from_db()
    assert given_up.sent_at


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["user/", "user/add/", "vehicle/", "vehicle/add/", "notice/"])
def test_the_people_pages_of_the_admin_open(path: str, client: Client, olga: User):
    assert verify(client, olga).get(f"/admin/accounts/{path}").status_code == 200


@pytest.mark.django_db
def test_the_back_office_knows_nobodys_password(client: Client, olga: User, member: User):
    verify(client, olga)

    for path in [f"user/{member.pk}/change/", f"user/{olga.pk}/change/", "user/add/"]:
        page = client.get(f"/admin/accounts/{path}").content.decode()
        assert 'type="password"' not in page
        assert not [user for user in (olga, member) if user.password in page or user.password[:12] in page]
        fields = client.get(f"/admin/accounts/{path}").context["adminform"].form.fields
        assert not [name for name in fields if "password" in name and name != "wrong_passwords"]
    # What is no page of a user leads to the site's front page, or to where everybody changes theirs.
    answer = client.post(f"/admin/accounts/user/{member.pk}/password/", {"password1": "x"})
    assert answer.status_code in (302, 404)
    assert client.get("/admin/password_change/")["Location"] == "/accounts/password/change/"
    assert client.get("/admin/accounts/user/", {"password__startswith": "md5"}).status_code in (302, 400)
    member.refresh_from_db()
    assert member.check_password(PASSWORD)


@pytest.mark.django_db
def test_staff_without_a_password_choose_one_before_they_come_in(olga: User):
    olga.set_unusable_password()
    olga.save()
    client = Client()
    client.post("/accounts/login/code/", {"email": olga.email})
    client.post("/accounts/login/code/confirm/", {"code": code_for(olga.email)})

    step = client.get("/accounts/security/code/")

    assert step["Location"] == "/accounts/password/set/"
    assert client.get(step["Location"]).status_code == 200
    client.post(step["Location"], {"password1": "copper-lantern-77", "password2": "copper-lantern-77"})
    assert client.get("/accounts/security/code/")["Location"].startswith("/accounts/reauthenticate/")


@pytest.mark.django_db
def test_disabling_somebody_signs_them_out_everywhere_and_keeps_the_reason(
    client: Client, olga: User, member: User
):
    theirs, program = sign_in(member), Api()
    program.post("/auth/login", {"email": member.email, "password": PASSWORD})
    assert theirs.get("/bookings/").status_code == 200
    assert program.call("GET", "/api/v1/me/").status_code == 200
    verify(client, olga)
    chosen = {"action": "disable", "_selected_action": [member.pk]}

    question = client.post("/admin/accounts/user/", chosen)
    assert question.status_code == 200
    member.refresh_from_db()
    assert member.is_active, "asked first"
    client.post("/admin/accounts/user/", {**chosen, "reason": "Stolen card"})

    assert theirs.get("/bookings/").status_code == 302
    assert program.call("GET", "/api/v1/me/").status_code == 401
    assert not Session.objects.filter(session_key=theirs.session.session_key).exists()
    change = Change.objects.get(kind="accounts.user", object_id=member.pk)
    assert (change.by, change.reason, change.fields) == (olga, "Stolen card", [["is_active", "yes", "no"]])

    client.post("/admin/accounts/user/", {**chosen, "action": "enable", "reason": "A mistake"})
    assert sign_in(member).get("/bookings/").status_code == 200


@pytest.mark.django_db
def test_who_may_not_change_somebody_does_not_disable_them(client: Client, olga: User, member: User):
    clerk = make_member("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    verify(client, clerk)

    for victim in (olga, clerk):
        data = {"action": "disable", "_selected_action": [victim.pk], "reason": "Mine now"}
        client.post("/admin/accounts/user/", data)

    assert not User.objects.filter(is_active=False).exists()
