"""Every knob of Parkwell. Each is an environment variable with a default that is safe to start with."""

import os
import secrets
import zoneinfo
from pathlib import Path

import environ
from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured

from parking import logs
from parking.skin import UNFOLD  # noqa: F401  the admin reads it here

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
environ.Env.read_env(env.str("ENV_FILE", default=str(BASE_DIR / ".env")))

DEBUG = env.bool("DEBUG", default=True)
# Everything the running system writes by itself (database, queue, mail, keys) stays in one folder.
VAR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var")))


def made_once(name: str) -> str:
    """A key for development: made at the first start and kept, so that sessions survive a restart."""
    path = VAR / name
    try:
        return path.read_text()
    except FileNotFoundError:
        VAR.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("x") as file:
                file.write(secrets.token_urlsafe(64))
            path.chmod(0o600)
        except FileExistsError:  # web, worker and beat start together: the first one wins
            pass
        return path.read_text()


def key(name: str) -> str:
    value = env.str(name, default="")
    if not value and DEBUG:
        return made_once(name.lower())
    # A key of few different characters, or the example's, was typed and not made.
    is_typed = len(set(value)) < 12 or "change" in value.lower() or value.startswith("django-insecure")
    if not DEBUG and (len(value) < 50 or is_typed):
        raise ImproperlyConfigured(f"Set {name} to at least 50 random characters (DEBUG is off).")
    return value


SECRET_KEY = key("SECRET_KEY")
JWT_SECRET_KEY = key("JWT_SECRET_KEY")
if SECRET_KEY == JWT_SECRET_KEY:
    raise ImproperlyConfigured("JWT_SECRET_KEY must be another than SECRET_KEY: it only signs tokens.")

# --- Where we are ---------------------------------------------------------------------------------------
PORT = env.int("PORT", default=8000)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
if not DEBUG and (not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS):
    raise ImproperlyConfigured("Name the hosts in ALLOWED_HOSTS; '*' is refused when DEBUG is off.")
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
BASE_URL = env.str("BASE_URL", default=f"http://localhost:{PORT}").rstrip("/")
TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", default=0)

INSTALLED_APPS = [
    # Not plain "unfold": that one would replace our admin site, and its second factor, without a word.
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.import_export",
    "parking.apps.ParkingConfig",
    "accounts",
    "lots",
    "bookings",
    "reports",
    "parking.apps.ParkwellAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.headless",
    "allauth.usersessions",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_email",
    "django_otp.plugins.otp_static",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "django_htmx",
    "crispy_forms",
    "crispy_bootstrap5",
    "import_export",
    "django_celery_beat",
    "csp",
    "corsheaders",
]

MIDDLEWARE = [
    "parking.middleware.RequestIdMiddleware",
    "parking.health.HealthMiddleware",
    "parking.metrics.MetricsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "parking.headers.HeadersMiddleware",
    # Before whatever may answer by itself, so that those answers can be read across origins as well.
    "corsheaders.middleware.CorsMiddleware",
    "parking.middleware.BusyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.second_factor.SecondFactorMiddleware",
    "accounts.languages.UserLanguageMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "parking.limits.LimitsMiddleware",
]

ROOT_URLCONF = "parking.urls"
WSGI_APPLICATION = "parking.wsgi.application"
ASGI_APPLICATION = "parking.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
            ],
        },
    }
]

# --- Database -------------------------------------------------------------------------------------------
DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{VAR / 'parkwell.sqlite3'}")}
_database = DATABASES["default"]
if "ENGINE" not in _database:
    raise ImproperlyConfigured(
        "DATABASE_URL is no database address we know; write sqlite:///path or postgres://user:password@host/name."
    )
_options = _database.setdefault("OPTIONS", {})
if "sqlite" in _database["ENGINE"]:
    # IMMEDIATE takes the write lock when a transaction begins, so what it looked at cannot change
    # before it writes; deferred transactions fail with "database is locked" under load.
    _options |= {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
    }
    if _database["NAME"] != ":memory:":
        Path(_database["NAME"]).parent.mkdir(parents=True, exist_ok=True)
elif "postgresql" in _database["ENGINE"]:
    _options.pop("pool", None)
    _options |= {
        # How often a statement of accounts.prepared runs before PostgreSQL keeps its plan; None: never.
        "prepare_threshold": 2 if env.bool("DATABASE_PREPARE", default=True) else None,
        # No statement here runs long enough to be worth compiling: that alone took 0.1 s of a large count.
        "options": "-c jit=off -c lock_timeout=3000 -c statement_timeout=15000"
        " -c idle_in_transaction_session_timeout=30000",
        "pool": {
            "min_size": 1,
            "max_size": env.int("DATABASE_POOL_SIZE", default=10),
            # Seconds. Who finds no connection is told to come back; a pool that failed for so long asks
            # anew at the next request, where it would wait longer and longer by itself.
            "timeout": 3,
            "reconnect_timeout": 3,
        },
    }
    # A connection that broke while it lay in the pool is left out.
    _database["CONN_HEALTH_CHECKS"] = True
# A streaming replica of it: figures, exports and open data may be read there (accounts.replica).
REPLICA_DATABASE_URL = env.str("REPLICA_DATABASE_URL", default="")
if REPLICA_DATABASE_URL:
    if "postgresql" not in _database["ENGINE"]:
        raise ImproperlyConfigured("REPLICA_DATABASE_URL needs PostgreSQL: SQLite has no replicas.")
    _replica = env.db_url("REPLICA_DATABASE_URL")
    _replica["OPTIONS"] = {
        **_options,
        # Reports may take longer than a page, and a replica that was promoted is still not written by us.
        "options": "-c statement_timeout=60000 -c default_transaction_read_only=on",
        "pool": {**_options["pool"], "min_size": 0},
    }
    _replica["CONN_HEALTH_CHECKS"] = True
    _replica["TEST"] = {"MIRROR": "default"}
    DATABASES["replica"] = _replica
    DATABASE_ROUTERS = ["accounts.replica.Router"]
# Never ATOMIC_REQUESTS: with IMMEDIATE every page view would take SQLite's write lock.
# An index's INCLUDE columns: PostgreSQL uses them, SQLite does without.
SILENCED_SYSTEM_CHECKS = ["models.W040"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Cache, sessions ------------------------------------------------------------------------------------
REDIS_URL = env.str("REDIS_URL", default="")
if REDIS_URL:
    CACHES = {
        "default": {
            "BACKEND": "parking.cache.OpenRedisCache",
            "LOCATION": REDIS_URL,
            # Seconds: a frozen Redis must not freeze the page that asks it.
            "OPTIONS": {"socket_connect_timeout": 0.2, "socket_timeout": 0.5},
        }
    }
else:
    CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "parking_cache"}
    }
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = 14 * 24 * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.bool("SECURE_COOKIES", default=not DEBUG)
if not DEBUG and not SESSION_COOKIE_SECURE:
    raise ImproperlyConfigured("SECURE_COOKIES=false sends sessions in the clear: refused when DEBUG is off.")
if not DEBUG:
    # Browsers take a cookie of this name only over TLS, for this very host, and from no subdomain.
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"

# --- Who ------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
# Django's own backend beside it would hash a known address's password twice, which a clock can see.
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "bookings:list"
LOGOUT_REDIRECT_URL = "lots:search"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = "username"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "username", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_TIMEOUT = 600
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_CHANGE = True
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_LOGIN_BY_CODE_SUPPORTS_RESEND = True
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 600
ACCOUNT_PASSWORD_RESET_BY_CODE_ENABLED = True
ACCOUNT_PASSWORD_RESET_BY_CODE_TIMEOUT = 600
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = True
ACCOUNT_PREVENT_ENUMERATION = True
# One address an account; the new one counts when its code was entered, after asking for the password again.
ACCOUNT_CHANGE_EMAIL = True
# allauth's own limits live in the cache and let parallel requests pass; accounts.doors stands in front.
ACCOUNT_RATE_LIMITS = False
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ALLAUTH_USER_CODE_FORMAT = {"numeric": True, "dashed": False, "length": 6}
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXY_COUNT
# Where each app says which of its columns tell about a person.
PRIVACY = ["accounts.privacy", "lots.privacy", "bookings.privacy", "reports.privacy"]
OTP_TOTP_ISSUER = "Parkwell"
OTP_ADMIN_HIDE_SENSITIVE_DATA = True
HEADLESS_CLIENTS = ("app",)
HEADLESS_SERVE_SPECIFICATION = True
HEADLESS_TOKEN_STRATEGY = "accounts.tokens.OneUse"  # noqa: S105
HEADLESS_JWT_ALGORITHM = "HS256"
HEADLESS_JWT_PRIVATE_KEY = JWT_SECRET_KEY
HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN = 300
HEADLESS_JWT_REFRESH_TOKEN_EXPIRES_IN = 14 * 24 * 3600
# Without this a disabled or logged-out driver would keep the API until the token runs out.
HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED = True

# --- Money ----------------------------------------------------------------------------------------------
STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", default="")
STRIPE_WEBHOOK_SECRET = env.str("STRIPE_WEBHOOK_SECRET", default="")
STRIPE_API_BASE = env.str("STRIPE_API_BASE", default="")
if STRIPE_SECRET_KEY and not STRIPE_WEBHOOK_SECRET and not DEBUG:
    raise ImproperlyConfigured("Set STRIPE_WEBHOOK_SECRET as well: without it Stripe's messages are refused.")
# A simulated card page, for trying out: with it anybody could pay with nothing.
DEMO_PAYMENTS = DEBUG

# Who the receipts are from; several lines of the address are separated by "|".
OPERATOR_NAME = env.str("OPERATOR_NAME", default="Parkwell")
OPERATOR_ADDRESS = [line.strip() for line in env.str("OPERATOR_ADDRESS", default="").split("|") if line]
OPERATOR_TAX_NUMBER = env.str("OPERATOR_TAX_NUMBER", default="")
OPERATOR_EMAIL = env.str("OPERATOR_EMAIL", default="")

# --- Waitlist -------------------------------------------------------------------------------------------
# So long a freed spot is held for whoever is next in line, but never beyond the start.
WAITLIST_OFFER_MINUTES = env.int("WAITLIST_OFFER_MINUTES", default=15)
if not 1 <= WAITLIST_OFFER_MINUTES <= 24 * 60:
    raise ImproperlyConfigured("WAITLIST_OFFER_MINUTES must lie between 1 and 1440.")

# --- API ------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "allauth.headless.contrib.rest_framework.authentication.JWTTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["parking.strict_json.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "parking.schema.Schema",
    "EXCEPTION_HANDLER": "parking.api.exception_handler",
    "DEFAULT_PAGINATION_CLASS": "parking.pagination.CursorPage",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "PAGE_SIZE": 50,
    "COERCE_DECIMAL_TO_STRING": True,
    "URL_FORMAT_OVERRIDE": None,
    # "60/min"; an empty value lifts the limit.
    "DEFAULT_THROTTLE_CLASSES": ["parking.throttles.AnonThrottle", "parking.throttles.UserThrottle"],
    "DEFAULT_THROTTLE_RATES": {
        "anon": env.str("THROTTLE_ANON", default="60/min") or None,
        "user": env.str("THROTTLE_USER", default="300/min") or None,
    },
    "NUM_PROXIES": TRUSTED_PROXY_COUNT,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Parkwell API",
    "DESCRIPTION": "Find, book, extend and leave parking and EV-charging spots.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "BookingKind": "bookings.models.Booking.Kind",
        "BookingState": "bookings.models.State",
        "ExportFormat": "reports.export_models.Format",
        "ExportKind": "reports.export_models.Kind",
        "ExportStatus": "reports.export_models.State",
        "PaymentStatus": "bookings.payments.models.Status",
        "SpotKind": "lots.models.Spot.Kind",
        "VehicleKind": "accounts.models.Vehicle.Kind",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "parking.schema.with_problems",
        "parking.schema.with_sign_in",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# --- Webhooks out ---------------------------------------------------------------------------------------
# For trying them out on one machine: addresses of our own network, and plain http, are refused otherwise.
WEBHOOKS_TO_PRIVATE_ADDRESSES = env.bool("WEBHOOKS_TO_PRIVATE_ADDRESSES", default=False)

# --- Clock and queue ------------------------------------------------------------------------------------
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default=REDIS_URL or "filesystem://localhost")
if CELERY_BROKER_URL.startswith("filesystem"):
    _queue = VAR / "queue"
    for _folder in ("messages", "control"):
        (_queue / _folder).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "polling_interval": 0.1,
        "data_folder_in": str(_queue / "messages"),
        "data_folder_out": str(_queue / "messages"),
        "control_folder": str(_queue / "control"),
    }
else:
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 600,
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
        "health_check_interval": 10,
    }
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_EXPIRES = None  # nothing is kept, so beat needs no row to clean it up
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # for ever: the broker may be away for a night
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
# The zone that new schedules begin in; each row's own can be changed in the back office.
SCHEDULE_TIMEZONE = env.str("SCHEDULE_TIMEZONE", default="UTC")
if SCHEDULE_TIMEZONE not in zoneinfo.available_timezones():
    raise ImproperlyConfigured("SCHEDULE_TIMEZONE is no time zone; write for example Europe/Berlin.")

# --- Mail -----------------------------------------------------------------------------------------------
# Mail is a row first (accounts.outbox); the sweep hands it to the transport named here.
EMAIL_BACKEND = "accounts.outbox.OutboxBackend"
_mail = env.email_url("EMAIL_URL", default=f"filemail:///{VAR / 'mail'}")
EMAIL_TRANSPORT = _mail["EMAIL_BACKEND"]
EMAIL_FILE_PATH = _mail.get("EMAIL_FILE_PATH") or str(VAR / "mail")
EMAIL_HOST = _mail.get("EMAIL_HOST") or "localhost"
EMAIL_PORT = _mail.get("EMAIL_PORT") or 25
EMAIL_HOST_USER = _mail.get("EMAIL_HOST_USER") or ""
EMAIL_HOST_PASSWORD = _mail.get("EMAIL_HOST_PASSWORD") or ""
EMAIL_USE_TLS = _mail.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = _mail.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 20
# Template → who adds figures and files when the mail is sent (accounts.outbox.Content).
MAIL_BUILDERS = {
    "reports/email/reminder": "reports.mail_content.reminder",
    "reports/email/monthly": "reports.mail_content.monthly",
    "reports/email/daily": "reports.mail_content.daily",
    "reports/email/monthly_lots": "reports.mail_content.monthly_lots",
    "reports/email/export_failed": "reports.mail_content.export_failed",
}
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Parkwell <parkwell@localhost>")

# --- Language and time ----------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文"), ("ru", "Русский"), ("fa", "فارسی")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# --- Files ----------------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG
_static_storage = (
    "django.contrib.staticfiles.storage.StaticFilesStorage"
    if DEBUG
    else "whitenoise.storage.CompressedManifestStaticFilesStorage"
)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": _static_storage},
    # No address leads here: a signed link does, for as long as it says. Web and worker on several machines
    # need a folder (or another storage) that all of them see.
    "exports": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {
            "location": env.str("EXPORTS_DIR", default=str(VAR / "exports")),
            "base_url": None,
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        },
    },
}
CRISPY_ALLOWED_TEMPLATE_PACKS = CRISPY_TEMPLATE_PACK = "bootstrap5"

# --- Other sites' pages that use the API ---
# None unless named. They sign in with tokens: cookies are never sent along, and pages are not opened at all.
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", default=[])
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_CREDENTIALS = False
CORS_ALLOW_HEADERS = [
    *("accept", "authorization", "content-type", "if-none-match"),
    *("idempotency-key", "x-session-token", "x-request-id"),
]
CORS_EXPOSE_HEADERS = [
    *("ETag", "Idempotent-Replayed", "Location", "Retry-After", "X-Request-ID"),
    *("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"),
]

# --- Safety ---------------------------------------------------------------------------------------------
_SITE_POLICY = {
    "default-src": [NONE],
    "script-src": [SELF],
    "style-src": [SELF],
    "img-src": [SELF, "data:"],
    "font-src": [SELF],
    "connect-src": [SELF],
    "manifest-src": [SELF],
    "form-action": [SELF, "https://checkout.stripe.com"],
    "base-uri": [NONE],
    "object-src": [NONE],
    "frame-ancestors": [NONE],
}
CONTENT_SECURITY_POLICY = {"DIRECTIVES": _SITE_POLICY}
# The back office's skin evaluates expressions and writes styles into its pages; only it may.
ADMIN_POLICY = {
    **_SITE_POLICY,
    "script-src": [SELF, UNSAFE_EVAL],
    "style-src": [SELF, UNSAFE_INLINE],
    "frame-src": [SELF],  # mails, each in a sandbox of its own
    "form-action": [SELF],
}
PERMISSIONS_POLICY = "camera=(), microphone=(), geolocation=(self), payment=(), usb=(), interest-cohort=()"
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=not DEBUG)
# Whoever watches comes from inside, past the proxy that speaks TLS.
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]
SECURE_HSTS_SECONDS = 0 if DEBUG else 365 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not DEBUG
SECURE_REFERRER_POLICY = "same-origin"
if TRUSTED_PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000

# --- Map ---
# A map beside the list of lots, only where a server of tiles is named. Visitors' browsers fetch from it.
MAP_TILE_URL = env.str("MAP_TILE_URL", default="")
MAP_ATTRIBUTION = env.str("MAP_ATTRIBUTION", default="© OpenStreetMap contributors")

# --- Watching and recovering ------------------------------------------------------------------------------
# /metrics answers whoever shows this token; without one it does not exist, but for developers.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
METRICS_DIR = env.str("METRICS_DIR", default=str(VAR / "metrics"))
Path(METRICS_DIR).mkdir(parents=True, exist_ok=True)
# Where the web processes add up what each has counted; its library looks here when it is imported.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = METRICS_DIR
SENTRY_DSN = env.str("SENTRY_DSN", default="")
SLOW_QUERY_MS = env.int("SLOW_QUERY_MS", default=500)  # 0: none is logged
BACKUP_DIR = env.str("BACKUP_DIR", default=str(VAR / "backups"))
BACKUP_RECIPIENT = env.str("BACKUP_RECIPIENT", default="")
BACKUP_KEEP_DAYS = env.int("BACKUP_KEEP_DAYS", default=30)

# --- Keeping ----------------------------------------------------------------------------------------------
# Days after a settled stay's end; 0 keeps plates for ever.
KEEP_PLATES_DAYS = env.int("KEEP_PLATES_DAYS", default=180)
# Days after its end a settled booking is proven once more and frozen; 0: never.
ARCHIVE_AFTER_DAYS = env.int("ARCHIVE_AFTER_DAYS", default=90)
# Who changed what of lots, tariffs and rights: three years, then it is forgotten; 0 keeps it for ever.
KEEP_CHANGES_DAYS = env.int("KEEP_CHANGES_DAYS", default=1096)
# Which of the staff were shown whose data; at least a day, and not for ever: it is about people itself.
KEEP_VIEWINGS_DAYS = env.int("KEEP_VIEWINGS_DAYS", default=365)
if KEEP_CHANGES_DAYS < 0 or KEEP_VIEWINGS_DAYS < 1:
    raise ImproperlyConfigured("KEEP_CHANGES_DAYS must be 0 or more, KEEP_VIEWINGS_DAYS 1 or more.")

# One JSON object a line for machines; plain lines for whoever watches a terminal.
LOG_FORMAT = env.str("LOG_FORMAT", default="plain" if DEBUG else "json")
LOGGING = logs.config(is_json=LOG_FORMAT == "json", level=env.str("LOG_LEVEL", default="INFO"))
