"""The site's addresses, and beside them the least an authenticated POST and a page can be."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from parking.urls import *  # noqa: F403
from parking.urls import urlpatterns as site


class Nothing(APIView):
    """The same token check, parser and renderer as every call of the API; reads the body, asks no table."""

    def post(self, request: Request) -> Response:
        return Response({"received": len(request.data)}, status=201)


def nothing(request: HttpRequest) -> HttpResponse:
    return render(request, "base.html")


urlpatterns = [
    path("api/v1/benchmark/nothing/", Nothing.as_view()),
    path("benchmark/nothing/", nothing),
    *site,
]
