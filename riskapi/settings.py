"""Django settings. Values that differ between installations come from `riskapi.env`."""

from __future__ import annotations

from typing import Any

import environ

from riskapi import env

BASE_DIR = env.BASE_DIR
DEBUG = env.DEBUG
SECRET_KEY = env.SECRET_KEY
SECRET_KEY_FALLBACKS = env.SECRET_KEY_FALLBACKS
#: The present one hashes; former ones still verify.
KEY_PEPPERS = [env.KEY_PEPPER, *env.KEY_PEPPER_FALLBACKS]
WEBHOOK_KEY = env.WEBHOOK_KEY
WEBHOOK_KEY_FALLBACKS = env.WEBHOOK_KEY_FALLBACKS
WEBHOOK_PRIVATE_TARGETS = env.WEBHOOK_PRIVATE_TARGETS
ALLOWED_HOSTS = env.ALLOWED_HOSTS
PUBLIC_URL = env.PUBLIC_URL
CSRF_TRUSTED_ORIGINS = env.CSRF_TRUSTED_ORIGINS
STATE_DIR = env.STATE_DIR
LEASE_SECONDS = env.LEASE_SECONDS
# Of each client, where the client's own row says nothing else; 0 is no limit.
REQUESTS_PER_MINUTE = env.REQUESTS_PER_MINUTE
RUNS_PER_MINUTE = env.RUNS_PER_MINUTE
MAX_OPEN_RUNS = env.MAX_OPEN_RUNS
# Of each address.
AUTH_FAILURES_PER_MINUTE = env.AUTH_FAILURES_PER_MINUTE
TRUSTED_PROXIES = env.TRUSTED_PROXIES
CERTIFICATE_PROXIES = env.CERTIFICATE_PROXIES

INSTALLED_APPS = [
    "riskapi",
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "portfolios",
    "analytics",
]

MIDDLEWARE = [
    "riskapi.api.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "riskapi.api.middleware.ProblemMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "riskapi.api.middleware.AdminSessionMiddleware",
    "riskapi.api.middleware.AdminCommonMiddleware",
    "riskapi.api.middleware.AdminCsrfMiddleware",
    "riskapi.api.middleware.AdminAuthenticationMiddleware",
    "riskapi.api.middleware.AdminMessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "riskapi.api.middleware.OperatorScopeMiddleware",
]

# "CsrfViewMiddleware is missing": ours is one, by another name.
SILENCED_SYSTEM_CHECKS = ["security.W003"]

ROOT_URLCONF = "riskapi.urls"
WSGI_APPLICATION = "riskapi.wsgi.application"
APPEND_SLASH = False

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
            ]
        },
    }
]

_url = env.DATABASE_OWNER_URL if env.DATABASE_ROLE == "owner" else env.DATABASE_URL
_database: dict[str, Any] = environ.Env.db_url_config(_url)
_database["ENGINE"] = "django.db.backends.postgresql"
_database.setdefault("OPTIONS", {})
_database["OPTIONS"]["connect_timeout"] = 3
if env.DATABASE_POOL:
    # The web's threads share a pool; Celery's children must not (the pool does not survive a task).
    _database["OPTIONS"]["pool"] = {"min_size": 2, "max_size": 32, "timeout": 5}
DATABASES = {"default": _database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en-us"
#: The admin shows dates as the API has them.
FORMAT_MODULE_PATH = ["riskapi.formats"]
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
# WhiteNoise serves the files where the packages have them: nothing to collect, nothing to forget.
WHITENOISE_USE_FINDERS = True

SECURE_CONTENT_TYPE_NOSNIFF = True
SESSION_COOKIE_SECURE = env.HTTPS_ONLY
CSRF_COOKIE_SECURE = env.HTTPS_ONLY
SESSION_COOKIE_AGE = 8 * 3600
SECURE_HSTS_SECONDS = 31_536_000 if env.HTTPS_ONLY else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.HTTPS_ONLY
SECURE_HSTS_PRELOAD = env.HTTPS_ONLY
# Browsers are sent on to https; programs are not: theirs have sent their key in the clear already.
SECURE_SSL_REDIRECT = env.HTTPS_ONLY
SECURE_REDIRECT_EXEMPT = [r"^(?!admin(/|$))"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.HTTPS_ONLY else None

# One request body: 1 MB; uploads stream to disk and have their own limits in the import service.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["riskapi.api.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["riskapi.api.permissions.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["riskapi.api.renderers.JsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["riskapi.api.parsers.StrictJsonParser"],
    "DEFAULT_SCHEMA_CLASS": "riskapi.api.schema.ProblemAutoSchema",
    "EXCEPTION_HANDLER": "riskapi.api.exceptions.problem_handler",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "riskapi.api.negotiation.JsonFirstNegotiation",
    "COERCE_DECIMAL_TO_STRING": True,
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "RiskAPI",
    "DESCRIPTION": (
        "Semiconductor beta, hedge effectiveness and leveraged-ETF drag of portfolios, "
        "each number with its unit, standard error, sample and status.\n\n"
        "[From a key to three results](/v1/guide/getting-started) takes ten minutes;"
        " [the guide](/v1/guide) has a page for each topic, [methods](/v1/methods) say how each"
        " number is made, [refusals](/v1/errors) what to do about each."
    ),
    # In the order in which they are shown: what is asked for, what it is asked about, the rest.
    "TAGS": [
        {"name": name, "description": about}
        for name, about in {
            "analyses": "Ask for numbers.",
            "runs": "What became of it: results, inputs, replays.",
            "reports": "What every night brings.",
            "portfolios": "Books, their positions, policies and stored risk.",
            "positions": "Positions of several books at once.",
            "instruments": "What can be held, with the terms of funds and options.",
            "prices": "Closes, as traded and as total return.",
            "fx-rates": "Exchange rates.",
            "corporate-actions": "Splits and distributions.",
            "imports": "Whole files of all of these.",
            "webhook-endpoints": "Be told.",
            "events": "Or ask what happened.",
            "audit": "Who did what.",
            "me": "The key and its limits.",
            "oauth": "Tokens in place of keys.",
            "calendars": "Sessions of exchanges.",
            "methods": "How numbers are made.",
            "selfcheck": "How right this build is.",
            "errors": "What refusals mean.",
            "status": "How busy and how fresh.",
            "changelog": "What has changed.",
        }.items()
    ],
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/v1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "riskapi.api.schema.add_headers",
    ],
    "ENUM_NAME_OVERRIDES": {
        "InstrumentKind": "portfolios.models.Instrument.Kind",
        "CorporateActionKind": "portfolios.models.CorporateAction.Kind",
        "ImportStatus": "portfolios.models.Import.Status",
        "RunKind": "analytics.models.Run.Kind",
        "RunStatus": "analytics.models.Run.Status",
        "ResultStatus": "analytics.models.Result.Status",
        "ReportState": "analytics.models.Report.State",
        "PolicyState": ("pending_approval", "approved", "rejected", "default"),
        "BetaDetail": ("gamma_ladder", "moving_beta"),
        "BootstrapDetail": ("bootstrap",),
    },
}

CELERY_BROKER_URL = env.BROKER_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CONCURRENCY = 2
CELERY_WORKER_MAX_TASKS_PER_CHILD = 200
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 5
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 120,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "socket_connect_timeout": 1,
    "socket_timeout": 5,
    # Publishing connects once or fails; the worker's own reconnecting is not governed by this.
    "max_retries": 0,
}
# A tick that cannot be sent is dropped at once: the next one comes in a minute.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_TIMEZONE = "UTC"

#: What fills a new sandbox client.
SANDBOX_SEED = "riskapi.sample.sandbox.seed"

NIGHTLY_GRACE_MINUTES = env.NIGHTLY_GRACE_MINUTES

UNFOLD = {"SITE_TITLE": "RiskAPI", "SITE_HEADER": "RiskAPI", "SHOW_HISTORY": True}

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"format": "{asctime} {levelname} {name} {message}{correlation}", "style": "{"},
    },
    "filters": {
        "no_secrets": {"()": "riskapi.logs.RedactKeysFilter"},
        "correlation": {"()": "riskapi.logs.CorrelationFilter"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "plain",
            "filters": ["correlation", "no_secrets"],
        }
    },
    "root": {"handlers": ["stderr"], "level": env.LOG_LEVEL},
    # A refusal is an answer, not an event; what is ours to mend is logged by the problem handler.
    "loggers": {"django.request": {"level": "ERROR"}},
}
