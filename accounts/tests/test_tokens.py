"""Tokens nobody but us can make, and only for what they are."""

from __future__ import annotations

import base64
import hmac
import time
import uuid
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings as live
from django.test import Client

from accounts.models import User
from accounts.tests.conftest import API, PASSWORD, Api, make_member

DOORS = [f"{API}/auth/session", "/api/v1/me/"]


@pytest.fixture
def signed_in(member: User) -> Api:
    api = Api()
    api.post("/auth/login", {"email": member.email, "password": PASSWORD})
    return api


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def status(token: str, door: str, scheme: str = "Bearer") -> int:
    return Client().get(door, headers={"Authorization": f"{scheme} {token}"}).status_code


@pytest.mark.promise("S1-09")
@pytest.mark.promise("S3-03")
@pytest.mark.django_db
@pytest.mark.parametrize("door", DOORS)
def test_a_good_token_opens(door: str, signed_in: Api):
    assert status(signed_in.access, door) == 200


def part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def by_hand(signed: str, key: bytes) -> str:
    """A token with a key no library would sign with."""
    return f"{signed}.{part(hmac.digest(key, signed.encode(), 'sha256'))}"


def forgeries(api: Api, other: User) -> dict[str, str]:
    claims, now = claims_of(api.access), int(time.time())
    key = live.HEADLESS_JWT_PRIVATE_KEY
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    head, body, signature = api.access.split(".")
    in_capitals = part(b'{"alg":"NONE"}')
    another_body = jwt.encode({**claims, "x": 1}, key).split(".")[1]
    return {
        "no signature": jwt.encode(claims, None, algorithm="none"),
        "signature cut off": f"{head}.{body}.",
        "another body under the old signature": f"{head}.{another_body}.{signature}",
        "another key": jwt.encode(claims, "k" * 64, algorithm="HS256"),
        "an empty key": by_hand(f"{head}.{body}", b""),
        "the algorithm's name in capitals": f"{in_capitals}.{body}.",
        "the site's own key": jwt.encode(claims, live.SECRET_KEY, algorithm="HS256"),
        "another algorithm": jwt.encode(claims, key, algorithm="HS512"),
        "an RSA key of its own": jwt.encode(
            claims, rsa_key, algorithm="RS256", headers={"jku": "https://evil.example"}
        ),
        "out of date": jwt.encode({**claims, "exp": now - 1}, key),
        "not yet": jwt.encode({**claims, "nbf": now + 3600}, key),
        "somebody else's number": jwt.encode({**claims, "sub": str(other.pk)}, key),
        "a session that is none": jwt.encode({**claims, "sid": "bm9uZQ=="}, key),
        "a session that is a list": jwt.encode({**claims, "sid": []}, key),
        "no purpose": jwt.encode({k: v for k, v in claims.items() if k != "token_use"}, key),
        "a refresh token": api.refresh,
        "nonsense": "nonsense",
        "nothing": "",
        "two dots": "..",
    }


@pytest.mark.django_db
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_no_forgery_opens(door: str, signed_in: Api):
    tried = forgeries(signed_in, make_member("bob"))

    assert {name: status(token, door) for name, token in tried.items()} == dict.fromkeys(tried, 401)


@pytest.mark.django_db
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("scheme", ["Basic", "Token", "bearer2", ""])
def test_a_token_under_another_name_opens_nothing(door: str, scheme: str, signed_in: Api):
    assert status(signed_in.access, door, scheme) == 401


@pytest.mark.django_db
def test_an_access_token_refreshes_nothing(signed_in: Api):
    answer = Api().post("/tokens/refresh", {"refresh_token": signed_in.access})
    assert answer.status_code == 401


@pytest.mark.django_db
def test_tokens_live_as_long_as_they_should(signed_in: Api):
    access, refresh = claims_of(signed_in.access), claims_of(signed_in.refresh)

    assert access["exp"] - access["iat"] == 300
    assert refresh["exp"] - refresh["iat"] == 14 * 24 * 3600
    assert uuid.UUID(access["jti"]) != uuid.UUID(refresh["jti"])
    # The session's own key is not in it: it would be as good as the cookie.
    assert signed_in.session not in str(access)
