"""The brokers: Redis, which may go away in the middle of a task, and files where there is no Redis."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

from kombu.transport import filesystem as kombu_files
from kombu.transport import redis as kombu_redis
from kombu.utils.json import dumps
from redis.exceptions import ConnectionError as RedisConnectionError


class Channel(kombu_redis.Channel):
    """Says "the connection is gone" as an error that Celery expects.

    When a worker loses Redis while tasks run, they are acknowledged, or handed back, through a channel
    whose connection was thrown away meanwhile; kombu 5.7 then raises AttributeError, and the worker ends
    for good. No message of ours is missed: each only says "do whatever is due", and the next one follows.
    """

    def _connparams(self, *args: Any, **kwargs: Any) -> Any:
        if self.connection is None or self.connection.client is None:
            raise RedisConnectionError("The connection was closed meanwhile.")
        return super()._connparams(*args, **kwargs)


class FileChannel(kombu_files.Channel):
    """A message is whole before a worker can see it.

    kombu 5.7 opens the file under its final name and then writes it; a worker that looks in between reads
    nothing, and ends for good.
    """

    def _put(self, queue: str, message: Any, **_more: Any) -> None:  # type: ignore[override]
        folder, name = Path(self.data_folder_out), uuid.uuid4().hex
        begun = folder / f".{name}.part"
        begun.write_text(dumps(message))
        begun.rename(folder / f"{round(time.monotonic() * 1000)}_{name}.{queue}.msg")


def install() -> None:
    kombu_redis.Transport.Channel = Channel
    kombu_files.Transport.Channel = FileChannel
