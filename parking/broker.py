"""Redis as a broker that may go away in the middle of a task."""

from __future__ import annotations

from typing import Any

from kombu.transport import redis as kombu_redis
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


def install() -> None:
    kombu_redis.Transport.Channel = Channel
