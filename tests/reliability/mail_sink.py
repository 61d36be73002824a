"""A mail server that keeps what it took, on a port of its own."""

from __future__ import annotations

import re
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

# What is done with a mail: taken, or the line cut before or after taking it.
TAKE, LOSE, TAKE_AND_CUT = "take", "lose", "take and cut"


class MailSink(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, seconds_a_mail: float = 0.0):
        super().__init__(("127.0.0.1", 0), _Talk)
        self.seconds_a_mail = seconds_a_mail
        self.lock = threading.Lock()
        self.taken: list[tuple[str, str]] = []  # (recipient, Message-ID)
        self.on_mail: Callable[[int], str] = lambda _number: TAKE
        self.seen = 0
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def recipients(self) -> Counter[str]:
        with self.lock:
            return Counter(recipient for recipient, _message_id in self.taken)

    def message_ids(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        with self.lock:
            for recipient, message_id in self.taken:
                found.setdefault(recipient, set()).add(message_id)
        return found

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that was killed hangs up in the middle of a word."""

    def receive(self, recipient: str, text: str) -> str:
        time.sleep(self.seconds_a_mail)
        with self.lock:
            self.seen += 1
            number = self.seen
        fate = self.on_mail(number)
        if fate != LOSE:
            message_id = re.search(r"^Message-ID: *(<[^>]+>)", text, re.M | re.I)
            with self.lock:
                self.taken.append((recipient, message_id[1] if message_id else ""))
        return fate


class _Talk(socketserver.StreamRequestHandler):
    server: MailSink

    def handle(self) -> None:
        self._say("220 sink")
        recipient = ""
        while line := self.rfile.readline().decode(errors="replace").strip():
            verb = line[:4].upper()
            if verb == "RCPT":
                recipient = line.partition("<")[2].partition(">")[0]
            if verb == "DATA":
                self._say("354 go on")
                if self.server.receive(recipient, self._text()) != TAKE:
                    return
            self._say("221 bye" if verb == "QUIT" else "250 ok")
            if verb == "QUIT":
                return

    def _text(self) -> str:
        lines = []
        while (line := self.rfile.readline().decode(errors="replace").rstrip("\r\n")) != ".":
            if not line and self.connection.fileno() < 0:
                break
            lines.append(line)
        return "\n".join(lines)

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())
