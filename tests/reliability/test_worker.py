"""A worker that is killed again and again loses no mail; what it sends twice is one mail to its reader."""

from __future__ import annotations

import signal
import threading

import pytest
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from accounts.models import Notice
from parking import schedules
from tests.reliability.house import LONG, House, Redis, house, needs_redis, once, until
from tests.reliability.mail_sink import LOSE, TAKE, TAKE_AND_CUT, MailSink

__all__ = ["house"]
pytestmark = [pytest.mark.slow, once, needs_redis]
MAILS, KILLS = (1000, 20) if LONG else (60, 3)
THREADS = 4  # of a worker


def owe(count: int) -> None:
    addresses = [f"driver{number}@example.com" for number in range(count)]
    Notice.objects.bulk_create(
        Notice(recipient=address, event="hello", subject="Hello", text="Hello there.")
        for address in addresses
    )


def no_mail_is_owed() -> bool:
    return not Notice.objects.open().exists()


def every_second() -> None:
    """As staff would set it in the back office."""
    schedules.ensure()
    second, _made = IntervalSchedule.objects.get_or_create(every=1, period="seconds")
    PeriodicTask.objects.filter(name="Deliver notices").update(interval=second, expire_seconds=60)


class Killer:
    """Kills the worker in the middle of a mail: before the server took it, or after and before it said so."""

    def __init__(self, house: House, kills: int, mails: int, **environment: str):
        self.house, self.environment, self.left = house, environment, kills
        self.step = max(mails // (kills + 1), 1)
        self.lock = threading.Lock()
        self.start()

    def start(self) -> None:
        self.worker = self.house.start("worker", app="tests.reliability.app", **self.environment)

    def on_mail(self, number: int) -> str:
        with self.lock:
            if self.worker.poll() is not None:
                return LOSE  # sent by a thread of the worker just killed
            if not self.left or number % self.step:
                return TAKE
            self.left -= 1
            self.worker.send_signal(signal.SIGKILL)
            self.worker.wait()
            self.start()
            return LOSE if self.left % 2 else TAKE_AND_CUT


def kill_while_mails_go_out(house: House, mails: int, kills: int, **environment: str) -> MailSink:
    redis, sink = Redis(house), MailSink(seconds_a_mail=0.01)
    redis.start()
    house.environment |= {"REDIS_URL": redis.url, "EMAIL_URL": f"smtp://127.0.0.1:{sink.port}"}
    owe(mails)
    every_second()
    killer = Killer(house, kills, mails, **environment)
    sink.on_mail = killer.on_mail
    house.start("beat")
    until(lambda: not killer.left, seconds=kills * 30)
    return sink


@pytest.mark.promise("S3-15")
def test_a_worker_killed_in_the_middle_of_mails_loses_none(house: House):
    sink = kill_while_mails_go_out(house, MAILS, KILLS)

    until(no_mail_is_owed, seconds=120)

    assert Notice.objects.filter(failed_at=None).exclude(sent_at=None).count() == MAILS
    received = sink.recipients()
    assert len(received) == MAILS
    assert received.total() - MAILS <= KILLS * THREADS
    assert all(len(ids) == 1 for ids in sink.message_ids().values())
    print(f"{MAILS} mails, {KILLS} kills: 0 lost, {received.total() - MAILS} twice")  # noqa: T201


def test_a_worker_that_marks_a_mail_sent_before_it_is_loses_some(house: House):
    """The canary: the same without the outbox's order of things."""
    sink = kill_while_mails_go_out(house, 20, 2, RELIABILITY_CANARY="sent first")

    until(no_mail_is_owed)

    assert len(sink.recipients()) < 20
