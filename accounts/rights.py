"""What staff may do through the API: being staff is not enough, their role must allow it."""

from __future__ import annotations

from typing import ClassVar

from rest_framework import permissions
from rest_framework.request import Request
from rest_framework.views import APIView


class StaffRights(permissions.BasePermission):
    """Staff whose groups give them the permission that `rights` names for the request's method."""

    rights: ClassVar[dict[str, str]] = {}
    reading_is_public = False

    def has_permission(self, request: Request, view: APIView) -> bool:
        if self.reading_is_public and request.method in permissions.SAFE_METHODS:
            return True
        method = "GET" if request.method == "HEAD" else str(request.method)
        if not (request.user and request.user.is_staff):
            return False
        if method in self.rights:
            return request.user.has_perm(self.rights[method])
        # What nobody may do is answered further on, with 405; what was forgotten in `rights` stays shut.
        return method not in view.allowed_methods
