"""Mails as files: a change of what is sent shows in the diff. UPDATE_SNAPSHOTS=1 writes them anew."""

from __future__ import annotations

import os
import re
from pathlib import Path

from django.core.mail import EmailMultiAlternatives

FOLDER = Path(__file__).parent / "snapshots"
# What is new each time.
SIGNED = re.compile(r"/unsubscribe/[^/]+/")
REFERENCE = re.compile(r"\b[0-9A-HJKMNP-TV-Z]{16}\b")
FILE = re.compile(r"/exports/[0-9a-f-]{36}/file/\?key=[\w:%-]+")


def check(name: str, mail: EmailMultiAlternatives) -> None:
    html = next(part[0] for part in mail.alternatives if part[1] == "text/html")
    headers = "".join(f"{key}: {value}\n" for key, value in mail.extra_headers.items() if key != "Message-ID")
    files = "".join(f"\n== {part[0]}\n{part[1]}" for part in mail.attachments)
    _same(f"{name}.txt", f"{headers}Subject: {mail.subject}\n\n{mail.body}{files}")
    _same(f"{name}.html", str(html))


def _same(name: str, text: str) -> None:
    text = FILE.sub("/exports/ID/file/?key=SIGNED", text)
    text = REFERENCE.sub("REFERENCE", SIGNED.sub("/unsubscribe/SIGNED/", text)).replace("\r\n", "\n")
    path = FOLDER / name
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.write_text(text)
    assert path.read_text() == text
