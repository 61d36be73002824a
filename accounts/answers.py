"""What the API's answers about people say to caches."""

from __future__ import annotations

from typing import Any, cast

from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.models import User


def user_of(request: Request) -> User:
    """Who asks, where the permissions have let only signed-in people through."""
    return cast(User, request.user)


class NotKept(APIView):
    """No cache and no Back button keeps what concerns one person."""

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Cache-Control"] = "no-store"
        return response
