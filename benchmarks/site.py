"""The product's settings as in production, plus what only a benchmark may have.

That is: an API call and a page that do nothing, no throttle, tokens that live as long as a run, and plain
http on this machine.
"""

import os

os.environ |= {"THROTTLE_ANON": "", "THROTTLE_USER": ""}

from parking.settings import *  # noqa: F403
from parking.settings import STORAGES, VAR

ROOT_URLCONF = "benchmarks.urls"
ALLOWED_HOSTS = ["localhost", "testserver"]
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "sessionid", "csrftoken"

# Signing drivers in is not what is measured.
HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN = 6 * 3600
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# As they lie in static/: nothing needs to be collected first.
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
STATIC_ROOT = VAR / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # else WhiteNoise says it is missing, with every start
