"""So many requests a minute: a courtesy to the neighbours, not a lock (that is accounts.limits)."""

from __future__ import annotations

import ipaddress
import logging
import math
from typing import Any

from django.conf import settings
from django.core.cache import BaseCache, cache
from django.core.cache.backends.locmem import LocMemCache
from rest_framework.request import Request
from rest_framework.throttling import AnonRateThrottle, SimpleRateThrottle, UserRateThrottle

logger = logging.getLogger(__name__)
# Without Redis each process counts for itself: a row written for every request would cost more
# than most requests do.
_counts: BaseCache = cache if settings.REDIS_URL else LocMemCache("throttle", {})  # type: ignore[assignment]


class OpenOnFailure(SimpleRateThrottle):
    """A cache that is away lets everybody through."""

    cache = _counts
    duration: Any
    num_requests: Any
    history: list[float]
    now: float

    def allow_request(self, request: Request, view: Any) -> bool:
        try:
            is_allowed = super().allow_request(request, view)
            if hasattr(self, "history"):  # who is not counted by this one has none
                request._request.rate = self.left()  # type: ignore[attr-defined]
            return is_allowed
        except Exception:
            logger.warning("throttle: the cache does not answer", exc_info=True)
            return True

    def left(self) -> dict[str, str]:
        """For the answer's headers: how many a minute, how many are left, in how many seconds one more."""
        oldest = self.history[-1] if self.history else self.now
        return {
            "RateLimit-Limit": str(self.num_requests),
            "RateLimit-Remaining": str(max(self.num_requests - len(self.history), 0)),
            "RateLimit-Reset": str(max(math.ceil(oldest + self.duration - self.now), 1)),
        }

    def wait(self) -> float:
        return max(super().wait() or self.duration or 0, 1)


class AnonThrottle(OpenOnFailure, AnonRateThrottle):
    def get_ident(self, request: Request) -> str:
        """One household has a whole /64 of IPv6."""
        ident = super().get_ident(request) or ""
        try:
            address = ipaddress.ip_address(ident)
        except ValueError:
            return ident
        if isinstance(address, ipaddress.IPv6Address):
            return str(ipaddress.ip_network((address, 64), strict=False))
        return ident


class UserThrottle(OpenOnFailure, UserRateThrottle):
    def get_cache_key(self, request: Request, view: Any) -> str | None:
        is_known = request.user and request.user.is_authenticated
        return super().get_cache_key(request, view) if is_known else None
