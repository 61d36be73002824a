"""Whether the web server on this machine answers: exit code 0 or 1, for a container's health check."""

from __future__ import annotations

import http.client
import os
import sys


def main() -> int:
    # It answers only to its own name, and takes plain http from a proxy that spoke TLS.
    host = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")[0].strip().lstrip(".")
    link = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT", "8000")), timeout=4)
    try:
        link.request("GET", "/healthz", headers={"Host": host})
        return 0 if link.getresponse().status == 200 else 1
    except OSError:
        return 1


if __name__ == "__main__":
    sys.exit(main())
