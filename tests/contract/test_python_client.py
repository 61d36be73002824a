"""A program whose client a machine wrote, from nothing but our description, against a real server."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.utils import timezone

from accounts.tests.conftest import PASSWORD, code_for
from bookings import services
from bookings.models import Booking
from bookings.tests.factories import make_lot, make_user
from tests.contract.support import description

SIGN_IN = "/api/auth/app/v1/auth"
HOUR = timedelta(hours=1)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Any]:
    """The package openapi-python-client makes of our part of the description."""
    schema, config = tmp_path / "schema.json", tmp_path / "config.json"
    schema.write_text(json.dumps(description()))
    files = {"application/pdf": "application/octet-stream", "text/calendar": "text/plain"}
    options = {"post_hooks": [], "package_name_override": "parkwell_client", "content_type_overrides": files}
    config.write_text(json.dumps(options))
    made = subprocess.run(
        [
            *(sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"),
            *("--path", str(schema), "--config", str(config), "--fail-on-warning"),
            *("--output-path", str(tmp_path / "parkwell_client")),
        ],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    sys.path.insert(0, str(tmp_path))
    yield importlib.import_module("parkwell_client")
    sys.path.remove(str(tmp_path))
    for name in [name for name in sys.modules if name.split(".")[0] == "parkwell_client"]:
        del sys.modules[name]


def sign_up(base: str) -> str:
    """allauth describes this part itself; it takes three requests."""
    account = {"email": "petra@example.com", "password": PASSWORD}
    begun = httpx.post(f"{base}{SIGN_IN}/signup", json=account)
    assert begun.status_code == 401
    session = {"X-Session-Token": begun.json()["meta"]["session_token"]}
    key = {"key": code_for("petra@example.com")}
    verified = httpx.post(f"{base}{SIGN_IN}/email/verify", json=key, headers=session)
    assert verified.status_code == 200, verified.content
    return str(verified.json()["meta"]["access_token"])


@pytest.mark.slow
@pytest.mark.promise("S3-20")
@pytest.mark.django_db(transaction=True)
def test_it_signs_up_books_extends_releases_and_takes_the_receipt(
    client: Any, live_server: Any, settings: Any
) -> None:
    settings.EMAIL_BACKEND = "accounts.outbox.OutboxBackend"
    now = timezone.now()
    make_lot(2, now=now - timedelta(days=9), name="Zoo")
    known = client.AuthenticatedClient(base_url=live_server.url, token=sign_up(live_server.url))

    def call(name: str, *args: Any, with_client: Any = known, **kwargs: Any) -> Any:
        found = list(Path(client.__file__).parent.glob(f"api/*/{name}.py"))
        assert len(found) == 1, name
        module = importlib.import_module(f"parkwell_client.api.{found[0].parent.name}.{name}")
        answer = module.sync_detailed(*args, client=with_client, **kwargs)
        assert 200 <= answer.status_code < 300, answer.content
        return answer

    models = importlib.import_module("parkwell_client.models")
    anybody = client.Client(base_url=live_server.url)
    lots = call("lots_list", with_client=anybody, search="zoo").parsed
    assert [(found.slug, found.free) for found in lots.results] == [("zoo", 2)]

    order = models.BookInputRequest.from_dict(
        {"lot": "zoo", "kind": "instant", "ends_at": (now + 2 * HOUR).isoformat(), "plate": "B PY 1"}
    )
    booked = call("bookings_create", body=order, idempotency_key="one").parsed
    again = call("bookings_create", body=order, idempotency_key="one").parsed
    assert (booked.reference, booked.state, booked.plate) == (again.reference, "active", "B PY 1")

    later = models.ExtendInputRequest.from_dict({"ends_at": (now + 3 * HOUR).isoformat()})
    extended = call("bookings_extend_create", booked.reference, body=later).parsed
    assert extended.ends_at > booked.ends_at
    assert extended.price.total >= booked.price.total

    # Somebody who left at once is charged nothing, and gets no receipt.
    Booking.objects.update(starts_at=now - HOUR, booked_from=now - HOUR)
    released = call("bookings_release_create", booked.reference).parsed
    assert released.state == "completed"
    assert Decimal("2.50") <= Decimal(released.price.total) < Decimal("3.00")
    services.record_desk_payment(
        Booking.objects.get(), method="cash", by=make_user("desk", is_staff=True), now=timezone.now()
    )
    receipt = call("bookings_receipt", booked.reference)
    assert receipt.content.startswith(b"%PDF-")
    assert call("bookings_retrieve", booked.reference).parsed.due == "0.00"
    for used in (known, anybody):
        used.get_httpx_client().close()
