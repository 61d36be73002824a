"""A worker that loses its broker is told so by an error it survives."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from kombu.transport import redis as kombu_redis
from redis.exceptions import ConnectionError as RedisConnectionError

from parking import broker
from parking.celery import app


def test_our_channel_is_the_one_that_is_used():
    with app.connection("redis://127.0.0.1:1/0") as link:
        assert link.transport.Channel is broker.Channel


@pytest.mark.parametrize("gone", [None, SimpleNamespace(client=None)])
def test_a_connection_that_is_gone_is_a_connection_error(gone: object):
    channel = broker.Channel.__new__(broker.Channel)
    channel.connection = gone

    with pytest.raises(RedisConnectionError):
        channel._connparams()
    assert RedisConnectionError in kombu_redis.Transport.connection_errors
