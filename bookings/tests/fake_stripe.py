"""The Stripe endpoints we call, on this machine: sessions, refunds, keys that replay, and faults."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl


class FakeStripe:
    """Its own ledger is `captured` and `sent_back`, in smallest units by payment intent.

    `faults` are taken one a request: "drop before" (it never arrived), "drop after" (it did, and no
    answer came), "500" (after it did), "delay".
    """

    def __init__(self) -> None:
        self.sessions: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.captured: dict[str, int] = {}
        self.answers: dict[str, tuple[str, int, dict[str, Any]]] = {}
        self.faults: list[str] = []
        self.requests: list[tuple[str, str]] = []
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)
        self.refund_status = "succeeded"

    @property
    def sent_back(self) -> int:
        return sum(refund["amount"] for refund in self.refunds.values() if refund["status"] == "succeeded")

    # What the cardholder does on Stripe's page

    def card_pays(self, session_id: str) -> dict[str, Any]:
        with self.lock:
            session = self.sessions[session_id]
            assert session["status"] == "open", "this page is closed"
            intent = f"pi_{next(self.numbers)}"
            self.captured[intent] = session["amount_total"]
            session.update(status="complete", payment_status="paid", payment_intent=intent, url=None)
            return session

    # The endpoints

    def answer(self, method: str, path: str, form: dict[str, Any], key: str) -> tuple[int, dict[str, Any]]:
        with self.lock:
            self.requests.append((method, path))
            if method != "POST":
                return self._route(method, path, form)
            body = json.dumps([path, form], sort_keys=True)
            if key in self.answers:
                was, status, document = self.answers[key]
                return (
                    (status, document) if was == body else (400, _error("idempotency_error", "Other body."))
                )
            status, document = self._route(method, path, form)
            if key and status < 400:
                self.answers[key] = (body, status, json.loads(json.dumps(document)))
            return status, document

    def _route(self, method: str, path: str, form: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        parts = path.removeprefix("/v1/").split("/")
        if parts[:2] == ["checkout", "sessions"]:
            if len(parts) == 2:
                return self._create_session(form)
            session = self.sessions.get(parts[2])
            if session is None:
                return 404, _error("invalid_request_error", "No such session.")
            if parts[3:] == ["expire"]:
                if session["status"] != "open":
                    return 400, _error("invalid_request_error", "Only open sessions can be expired.")
                session.update(status="expired", url=None)
            return 200, session
        if parts[0] == "refunds":
            return self._create_refund(form) if len(parts) == 1 else (200, self.refunds[parts[1]])
        return 404, _error("invalid_request_error", "Unrecognized request URL.")

    def _create_session(self, form: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        item = "line_items[0][price_data]"
        if int(form.get("expires_at", time.time() + 86400)) < time.time() + 1790:
            return 400, _error("invalid_request_error", "expires_at must be 30 minutes from now.")
        session = {
            "id": f"cs_{next(self.numbers)}",
            "object": "checkout.session",
            "status": "open",
            "payment_status": "unpaid",
            "payment_intent": None,
            "amount_total": int(form[f"{item}[unit_amount]"]),
            "currency": form[f"{item}[currency]"],
            "client_reference_id": form["client_reference_id"],
            "metadata": _nested(form, "metadata"),
        }
        session["url"] = f"https://checkout.stripe.com/c/pay/{session['id']}"
        self.sessions[session["id"]] = session
        return 200, session

    def _create_refund(self, form: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        intent, amount = form["payment_intent"], int(form["amount"])
        before = sum(r["amount"] for r in self.refunds.values() if r["payment_intent"] == intent)
        if intent not in self.captured or before + amount > self.captured[intent]:
            return 400, _error("invalid_request_error", "Refund amount is greater than the charge.")
        refund = {
            "id": f"re_{next(self.numbers)}",
            "object": "refund",
            "payment_intent": intent,
            "amount": amount,
            "currency": next(s for s in self.sessions.values() if s["payment_intent"] == intent)["currency"],
            "status": self.refund_status,
            "metadata": _nested(form, "metadata"),
        }
        self.refunds[refund["id"]] = refund
        return 200, refund


def _nested(form: dict[str, Any], name: str) -> dict[str, str]:
    return {key[len(name) + 1 : -1]: value for key, value in form.items() if key.startswith(f"{name}[")}


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"type": kind, "message": message}}


@contextmanager
def serving(bank: FakeStripe) -> Iterator[str]:
    """The address it answers at."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            with bank.lock:
                fault = bank.faults.pop(0) if bank.faults else ""
            if fault == "drop before":
                return self._hang_up()
            key = self.headers.get("Idempotency-Key", "")
            status, document = bank.answer(self.command, self.path, dict(parse_qsl(body)), key)
            if fault == "drop after":
                return self._hang_up()
            if fault == "delay":
                time.sleep(0.4)
            if fault == "500":
                status, document = 500, _error("api_error", "Something is broken.")
            data = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            return None

        do_GET = do_POST = handle_any

        def _hang_up(self) -> None:
            self.close_connection = True
            self.connection.close()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def event(kind: str, thing: dict[str, Any], event_id: str = "") -> bytes:
    document = {
        "id": event_id or f"evt_{kind}_{thing['id']}",
        "object": "event",
        "type": kind,
        "created": int(time.time()),
        "data": {"object": thing},
    }
    return json.dumps(document).encode()


def signature(body: bytes, secret: str, at: float | None = None) -> str:
    moment = int(time.time() if at is None else at)
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"
