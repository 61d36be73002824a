"""Ending one of one's own sessions: the phone that was lost, the computer in the library."""

from __future__ import annotations

from allauth.usersessions.internal.flows.sessions import end_sessions
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.http import Request


@require_POST
def end(request: Request, pk: int) -> HttpResponse:
    session = get_object_or_404(UserSession.objects.filter(user=request.user), pk=pk)
    is_this_one = session.session_key == request.session.session_key
    end_sessions(request, [session])
    if is_this_one:
        return redirect("account_login")
    messages.success(request, _("That device is signed out."))
    return redirect("usersessions_list")
