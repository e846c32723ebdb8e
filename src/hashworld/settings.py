"""Django settings, all derived from `hashworld.env`."""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import dj_database_url
import django_stubs_ext
from django.templatetags.static import static
from django.urls import reverse_lazy

from hashworld import env, logs, secret

# Django's generic classes can be subscripted at run time too.
django_stubs_ext.monkeypatch()

try:
    ENV = env.read()
except env.EnvironmentInvalid as error:
    sys.exit(f"The environment cannot be used: {error}")

DATA_DIR = ENV.data_dir
DATA_DIR.mkdir(parents=True, exist_ok=True)

SECRET_KEY = ENV.secret_key or secret.read_or_make(DATA_DIR / "secret-key")
DEBUG = ENV.debug
ALLOWED_HOSTS = ENV.allowed_hosts
CSRF_TRUSTED_ORIGINS = ENV.csrf_trusted_origins

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_celery_beat",
    "ninja",
    "axes",
    "hashworld.nodes",
    "hashworld.tasks",
    "hashworld.recurring",
    "hashworld.webhooks",
    "hashworld.verbs",
    "hashworld.api",
    "hashworld.api.rpc",
    "hashworld.cli",
    "hashworld.console",
    "hashworld.embedded",
]

TRUSTED_PROXIES = ENV.trusted_proxies

MIDDLEWARE = [
    "hashworld.proxies.ClientAddressMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "hashworld.api.problems.ProblemMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "hashworld.urls"
WSGI_APPLICATION = "hashworld.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

SUPPORTED = ("django.db.backends.mysql", "django.db.backends.sqlite3")
SQLITE_OPTIONS = {
    # A transaction that will write takes its lock at once: no upgrade from read to write can fail.
    "transaction_mode": "IMMEDIATE",
    "timeout": 30,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
}
MYSQL_OPTIONS = {
    "charset": "utf8mb4",
    "isolation_level": "read committed",
    # CURRENT_TIMESTAMP must be UTC, whatever the server's zone: it is the cluster's one clock.
    # A process that froze amid a transaction must not keep its locks from the others; for MySQL,
    # which cannot end such a transaction, the second line is a comment.
    "init_command": "SET time_zone = '+00:00', sql_mode = 'STRICT_TRANS_TABLES'"
    " /*M!100300 , idle_transaction_timeout = 5 */",
    "connect_timeout": 5,
}


def _database(url: str) -> dict[str, Any]:
    try:
        config: dict[str, Any] = dict(dj_database_url.parse(url, conn_max_age=60))
    except ValueError as error:
        sys.exit(f"The environment cannot be used: DATABASE_URL: {error}")
    if config["ENGINE"] not in SUPPORTED:
        sys.exit(
            "The environment cannot be used: DATABASE_URL: must be mysql://... or sqlite:///..."
        )
    config["CONN_HEALTH_CHECKS"] = True
    options = SQLITE_OPTIONS if config["ENGINE"].endswith("sqlite3") else MYSQL_OPTIONS
    config["OPTIONS"] = {**options, **config.get("OPTIONS", {})}
    if "sqlite3" in config["ENGINE"]:
        # Threads of one process must share the test database, so it is a file.
        config["TEST"] = {"NAME": str(Path(config["NAME"]).with_suffix(".test.sqlite3"))}
    return config


DATABASES = {"default": _database(ENV.database_url)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The rest of Celery's settings stand in hashworld.celery.
CELERY_BROKER_URL = ENV.broker_url
CELERY_TIMEZONE = "UTC"

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]

# Who guesses passwords is told to wait: an account from one address, so that nobody can shut out
# its owner from elsewhere. `manage.py axes_reset_username NAME` lets somebody in at once.
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)  # WhiteNoise warns at every start when it is missing
WHITENOISE_USE_FINDERS = True

SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000
# A list of a million URLs may be pasted or uploaded through the form.
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024 * 1024

if ENV.https:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    # Whether the other names of a domain speak HTTPS as well is not HashWorld's to promise.
    SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

LOGGING_CONFIG = None
logs.configure(level=ENV.log_level, form=ENV.log_format)

LOGIN_URL = reverse_lazy("admin:login")

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "HashWorld",
    "SITE_HEADER": "HashWorld",
    "SITE_SYMBOL": "public",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "hashworld.console.dashboard.context",
    "STYLES": [lambda request: static("console/console.css")],
    "SCRIPTS": [lambda request: static("console/console.js")],
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda request: static("console/icon.svg"),
        },
    ],
    "SIDEBAR": {"navigation": "hashworld.console.navigation.groups"},
    "COLORS": {
        "primary": {
            "50": "oklch(96.2% .018 272.314)",
            "100": "oklch(93% .034 272.788)",
            "200": "oklch(87% .065 274.039)",
            "300": "oklch(78.5% .115 274.713)",
            "400": "oklch(67.3% .182 276.935)",
            "500": "oklch(58.5% .233 277.117)",
            "600": "oklch(51.1% .262 276.966)",
            "700": "oklch(45.7% .24 277.023)",
            "800": "oklch(39.8% .195 277.366)",
            "900": "oklch(35.9% .144 278.697)",
            "950": "oklch(25.7% .09 281.288)",
        },
    },
}
