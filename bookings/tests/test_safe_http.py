import datetime as dt
import ipaddress
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bookings import safe_http
from bookings.tests.receiver import listening

NAME = "hooks.example.org"


@pytest.mark.parametrize(
    ("address", "is_public"),
    [
        *(("8.8.8.8", True), ("2a00:1450:4001::1", True), ("::ffff:8.8.8.8", True)),
        *(("127.0.0.1", False), ("0.0.0.0", False), ("10.1.2.3", False), ("172.16.0.1", False)),  # noqa: S104
        *(("192.168.1.1", False), ("169.254.169.254", False), ("100.64.0.1", False), ("224.0.0.1", False)),
        *(("::1", False), ("::", False), ("fe80::1", False), ("fd00::1", False), ("ff02::1", False)),
        *(("::ffff:127.0.0.1", False), ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False)),
    ],
)
def test_what_is_a_public_address(address: str, is_public: bool):
    assert safe_http.is_public(ipaddress.ip_address(address)) is is_public


@pytest.mark.parametrize("others", [[], ["93.184.216.34"]])
def test_a_name_with_one_private_address_is_blocked(monkeypatch: pytest.MonkeyPatch, others: list[str]):
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, 443)) for a in [*others, "127.0.0.1"]]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: answers)

    with pytest.raises(safe_http.Blocked):
        safe_http.post(f"https://{NAME}/", b"", {})


def test_a_name_that_is_not_answered_is_waited_for_a_moment(monkeypatch: pytest.MonkeyPatch):
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: over.wait(20))
    monkeypatch.setattr(safe_http, "CONNECT", 0.1)

    with pytest.raises(safe_http.Away, match="no answer for the name"):
        safe_http.post(f"https://{NAME}/", b"", {})
    over.set()


def test_a_drop_at_a_time_is_cut_off(monkeypatch: pytest.MonkeyPatch, settings: Any):
    settings.WEBHOOKS_TO_PRIVATE_ADDRESSES = True
    monkeypatch.setattr(safe_http, "TOTAL", 0.5)
    server = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def drip() -> None:
        connection, _address = server.accept()
        with connection:
            while not over.wait(0.1):
                try:
                    connection.sendall(b"H")
                except OSError:
                    return

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    try:
        with pytest.raises(safe_http.Away):
            safe_http.post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"", {})
    finally:
        over.set()
        thread.join()
        server.close()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = tmp_path / "key.pem", tmp_path / "cert.pem"
    none = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    paths[0].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, none))
    paths[1].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return paths


@pytest.mark.parametrize(("name", "is_right"), [(NAME, True), ("other.example.org", False)])
def test_the_connection_goes_to_the_address_that_was_checked_and_the_name_is_proven(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, name: str, is_right: bool
):
    asked: list[str] = []
    real = socket.getaddrinfo

    def once(host: str, *args: Any, **kwargs: Any) -> Any:
        if host.endswith("example.org"):
            asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 443))]
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", once)
    monkeypatch.setattr(safe_http, "is_public", lambda address: True)
    monkeypatch.setattr(
        safe_http, "tls_context", lambda: ssl.create_default_context(cafile=str(certificate[1]))
    )
    with listening() as receiver:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate[1], certificate[0])
        receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
        url = f"https://{name}:{receiver.server_address[1]}/hook"
        if is_right:
            assert safe_http.post(url, b"{}", {}) == 200
            assert receiver.told[0][0]["Host"] == f"{NAME}:{receiver.server_address[1]}"
        else:
            with pytest.raises(safe_http.Away, match="SSLCertVerificationError"):
                safe_http.post(url, b"{}", {})
            assert receiver.told == []
    assert asked == [name]
