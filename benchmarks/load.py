"""A load generator that costs little: keep-alive connections of one event loop, requests made beforehand."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Next = Callable[[int], bytes]  # the next request of client number n


@dataclass(slots=True)
class Round:
    seconds: float
    statuses: Counter[int] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)  # seconds, sorted

    @property
    def rate(self) -> float:
        """Answers a second."""
        return sum(self.statuses.values()) / self.seconds

    def percentile(self, share: float) -> float:
        return self.times[min(int(len(self.times) * share), len(self.times) - 1)] if self.times else 0.0

    @property
    def errors(self) -> int:
        return sum(count for status, count in self.statuses.items() if status >= 500 or status == 0)


def request(method: str, path: str, *, token: str = "", body: bytes = b"", **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def run(
    port: int | Sequence[int],
    following: Next,
    *,
    clients: int,
    seconds: float,
    warm_up: float = 0.3,
    rate: float = 0,
) -> Round:
    """So many clients, each sending its next request when the last was answered.

    With `rate` they wait, so that together they send so many a second. Of several ports each client has one.
    """
    ports = [port] if isinstance(port, int) else list(port)
    return asyncio.run(_run(ports, following, clients, seconds, warm_up, rate))


async def _run(
    ports: Sequence[int], following: Next, clients: int, seconds: float, warm_up: float, rate: float
) -> Round:
    begin = time.perf_counter() + warm_up
    found = Round(seconds)
    pause = clients / rate if rate else 0
    await asyncio.gather(
        *(
            _client(ports[n % len(ports)], following, n, begin, begin + seconds, pause, found)
            for n in range(clients)
        )
    )
    found.times.sort()
    return found


async def _client(
    port: int, following: Next, number: int, begin: float, end: float, pause: float, found: Round
) -> None:
    reader, writer = await _connect(port)
    due = begin + pause * number / 100
    try:
        while (start := time.perf_counter()) < end:
            if pause and start < due:
                await asyncio.sleep(due - start)
                start = time.perf_counter()
            due += pause
            writer.write(following(number))
            try:
                status, closes = await _answer(reader)
            except (asyncio.IncompleteReadError, ConnectionError):
                status, closes = 0, True
            done = time.perf_counter()
            if begin <= done <= end:
                found.statuses[status] += 1
                found.times.append(done - start)
            if closes:
                writer.close()
                reader, writer = await _connect(port)
    finally:
        writer.close()


async def _connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """The status, and whether the server closes the connection; the body is read and dropped."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head[9:12])
    length = _header(head, b"content-length")
    if status in (204, 304):
        pass
    elif length is not None:
        await reader.readexactly(int(length))
    elif _header(head, b"transfer-encoding") == b"chunked":
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await reader.readexactly(size + 2)
        await reader.readexactly(2)
    return status, _header(head, b"connection") == b"close"


def _header(head: bytes, name: bytes) -> bytes | None:
    at = head.find(b"\r\n" + name + b":")
    if at < 0:
        return None
    begin = at + len(name) + 3
    return head[begin : head.index(b"\r\n", begin)].strip()
