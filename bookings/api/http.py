"""What answers say to caches."""

from __future__ import annotations

import hashlib
from typing import Any

from django.http import HttpResponse
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.http import quote_etag
from drf_spectacular.utils import OpenApiResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

# For the description, where it cannot be read off the view (parking.schema).
REFUSED = OpenApiResponse(description="Understood, but no: `code` says why")
FORBIDDEN = OpenApiResponse(description="Not for this role")


class PublicReads(APIView):
    """GET answers carry an ETag; who sends it back gets 304 while nothing has changed."""

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        if (
            request.method in ("GET", "HEAD")
            and response.status_code == 200
            and isinstance(response, Response)
        ):
            # "no-cache" lets it be kept but asked about each time: what is free is never stale.
            response["Cache-Control"] = "no-cache"
            patch_vary_headers(response, ["Authorization"])
            response.add_post_render_callback(lambda rendered: _conditional(request._request, rendered))
        return response


def _conditional(request: Any, response: HttpResponse) -> HttpResponse | None:
    etag = quote_etag(hashlib.blake2b(response.content, digest_size=16).hexdigest())
    response["ETag"] = etag
    return get_conditional_response(request, etag=etag, response=response)
