"""Parkwell's server as the careless write one: it looks for a free spot, then books it, without a lock."""

from __future__ import annotations

import time
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import parking.wsgi  # first: it makes Django ready
from bookings.services import core, making
from lots.models import Lot

application = parking.wsgi.application


def _choose_slowly(*wish: Any, **more: Any) -> Any:
    spot = _choose(*wish, **more)
    time.sleep(0.2)
    return spot


_choose = making._choose
making._choose = _choose_slowly
core.lock_lot = lambda lot_id: Lot.objects.get(pk=lot_id)
making.transaction = SimpleNamespace(atomic=nullcontext)
