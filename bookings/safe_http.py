"""Asking an address somebody else typed in, without being led into our own network.

The name is resolved once, every address it has must be public, and the connection goes to the address
that was checked: what the name says a moment later no longer matters. No redirects, no proxies, and
neither a slow nor an endless answer holds us up.
"""

from __future__ import annotations

import http.client
import ipaddress
import queue
import socket
import ssl
import threading
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

CONNECT = 3.0  # seconds, for the name, for the connection and for its encryption each
TOTAL = 10.0  # seconds
MOST = 64 * 1024  # bytes of an answer
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class Blocked(Exception):
    """The address leads where we do not go."""


class Away(Exception):
    """No answer: no such name, nobody there, too slow, or no acceptable certificate."""


def check(url: str) -> None:
    """What can be said about an address without asking anybody. Raises ValidationError."""
    try:
        _parts(url)
    except Blocked as error:
        raise ValidationError(str(error)) from error


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """Send a body; returns the answer's status. Raises Blocked or Away."""
    parts = _parts(url)
    host, port = str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)
    address = _resolve(host, port)
    connection = _Pinned(host, port, address, is_encrypted=parts.scheme == "https")
    # Timeouts of a socket begin anew with every byte; this one does not.
    watch = threading.Timer(TOTAL, connection.cut)
    watch.daemon = True
    watch.start()
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, {**headers, "Connection": "close"})
        answer = connection.getresponse()
        answer.read(MOST)
        return answer.status
    except (OSError, http.client.HTTPException, ValueError) as error:
        # A socket that was cut fails in many ways; the kind of error says enough.
        raise Away(type(error).__name__) from error
    finally:
        watch.cancel()
        connection.close()


def is_public(address: Address) -> bool:
    """Also what an IPv6 address carries inside of itself must be public."""
    found: list[Any] = [address]
    if isinstance(address, ipaddress.IPv6Address):
        inside: list[Any] = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in NAT64:
            inside.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
        found += [part for part in inside if part is not None]
        if address.ipv4_mapped is not None:
            found = [address.ipv4_mapped]
    return all(part.is_global and not part.is_multicast and not part.is_reserved for part in found)


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError as error:
        raise Blocked(_("This is no address.")) from error
    if not url.isascii() or not url.isprintable() or " " in url or not host or port == 0:
        raise Blocked(_("This is no address."))
    schemes = ("https", "http") if settings.WEBHOOKS_TO_PRIVATE_ADDRESSES else ("https",)
    if parts.scheme not in schemes:
        raise Blocked(_("The address must begin with https://."))
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Blocked(_("The address must hold no user, password or fragment."))
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        return parts
    _refuse_private([literal])
    return parts


def _refuse_private(addresses: list[Address]) -> None:
    if settings.WEBHOOKS_TO_PRIVATE_ADDRESSES:
        return
    if not all(is_public(address) for address in addresses):
        raise Blocked(_("The address is not a public one."))


def _resolve(host: str, port: int) -> str:
    """The address to connect to. The system's resolver knows no timeout, so it is asked in a thread."""
    answers: queue.Queue[Any] = queue.Queue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        found = answers.get(timeout=CONNECT)
    except queue.Empty as error:
        raise Away("no answer for the name") from error
    if isinstance(found, Exception) or not found:
        raise Away("no such name")
    texts = [str(info[4][0]) for info in found]
    _refuse_private([ipaddress.ip_address(text.partition("%")[0]) for text in texts])
    return texts[0]


class _Pinned(http.client.HTTPConnection):
    """To one address, whatever the name says by now; the name goes into the certificate's check."""

    def __init__(self, host: str, port: int, address: str, *, is_encrypted: bool):
        super().__init__(host, port, timeout=CONNECT)
        self.address = address
        self.is_encrypted = is_encrypted
        self.is_cut = False

    def connect(self) -> None:
        self.sock = socket.create_connection((self.address, self.port), CONNECT)
        if self.is_encrypted:
            self.sock = tls_context().wrap_socket(self.sock, server_hostname=self.host)
        if self.is_cut:
            raise TimeoutError
        self.sock.settimeout(TOTAL)

    def cut(self) -> None:
        self.is_cut = True
        sock = self.sock
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it is gone already


def tls_context() -> ssl.SSLContext:
    return ssl.create_default_context()
