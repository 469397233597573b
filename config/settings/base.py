"""Settings that every environment shares. The overlays beside this file are short and only override."""

import logging
import sys
from datetime import timedelta
from pathlib import Path

from config import embedded, env, logs

BASE_DIR = Path(__file__).resolve().parent.parent.parent

DEBUG = False
SECRET_KEY = env.text("SECRET_KEY")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "django_celery_results",
    "config",
    "accounts",
    "jobs",
    "publishing",
    "knowledge",
]

MIDDLEWARE = [
    "config.requests.IdentifyRequests",
    "jobs.metrics.requests.CountRequests",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.RememberOrigin",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "jobs.outbox.SendAfterAnswer",
    "config.security.ContentSecurityPolicy",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
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
            ],
        },
    },
]

# Servers: the two URLs, or the embedded PostgreSQL and Valkey of this checkout.
_EMBEDDED = embedded.urls(BASE_DIR)
DATABASE_URL = env.text("DATABASE_URL") or _EMBEDDED.database_url
BROKER_URL = env.text("BROKER_URL") or _EMBEDDED.broker_url

DATABASES = {
    "default": env.database(DATABASE_URL)
    | {"CONN_MAX_AGE": env.integer("DATABASE_CONN_MAX_AGE", 300), "CONN_HEALTH_CHECKS": True}
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "accounts.passwords.TellOfChange"},
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
AUTHENTICATION_BACKENDS = ["accounts.sign_in.SignInBackend"]

LANGUAGE_CODE = "en-gb"
TIME_ZONE = env.text("TIME_ZONE", "UTC")
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT: Path | None = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]

# Celery carries messages only; what must not be lost is in the run ledger (jobs.models).
CELERY_BROKER_URL = BROKER_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# Whoever sends a message waits for no broker: the run is in the ledger, and the scheduler sends it again.
CELERY_BROKER_TRANSPORT_OPTIONS = {"max_retries": 0, "socket_connect_timeout": 3, "socket_timeout": 10}
CELERY_RESULT_BACKEND = "jobs.results:LedgerBackend"
CELERY_RESULT_EXTENDED = True
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "default"
# Events take a third of a worker's main process (docs/decisions/0004). Flower switches them on where it watches.
CELERY_WORKER_SEND_TASK_EVENTS = env.flag("WORKER_EVENTS", default=False)
CELERY_TASK_SEND_SENT_EVENT = CELERY_WORKER_SEND_TASK_EVENTS
# Workers keep their database connections: jobs.connections decides when one has to go.
CELERY_DB_REUSE_MAX = sys.maxsize
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
# What only workers need: the command by which they tell about themselves.
CELERY_IMPORTS = ["jobs.remote.commands"]
CELERY_WORKER_POOL_RESTARTS = True
CELERY_BEAT_SCHEDULER = "jobs.scheduler:SlotScheduler"
CELERY_TIMEZONE = "UTC"
CELERY_ENABLE_UTC = True
DJANGO_CELERY_BEAT_TZ_AWARE = True

# jobs: how the control plane keeps time. All in seconds.
JOBS_QUEUES = [
    "default",
    "publishing",
    "generation",
    "sources",
    "knowledge",
    "processing",
    "forecast",
    "resilience",
    "notifications",
    "reports",
    "maintenance",
]
JOBS_LEASE_SECONDS = env.seconds("JOBS_LEASE_SECONDS", 30)
JOBS_HEARTBEAT_SECONDS = env.seconds("JOBS_HEARTBEAT_SECONDS", 3)
JOBS_TICK_SECONDS = env.seconds("JOBS_TICK_SECONDS", 1)
JOBS_CANCEL_GRACE_SECONDS = env.seconds("JOBS_CANCEL_GRACE_SECONDS", 10)
JOBS_REPUBLISH_SECONDS = env.seconds("JOBS_REPUBLISH_SECONDS", 60)
# How often somebody looks at what is wrong (jobs.alerts.watch), and how often each queue is tried out; 0: never.
JOBS_WATCH_SECONDS = env.integer("JOBS_WATCH_SECONDS", 5)
JOBS_CANARY_SECONDS = env.integer("JOBS_CANARY_SECONDS", 300)
# What `prune_runs` keeps, in days.
JOBS_KEEP_RUNS_DAYS = env.integer("JOBS_KEEP_RUNS_DAYS", 90)
# What the job `accounts.forget_audit` keeps, in days.
AUDIT_KEEP_DAYS = env.integer("AUDIT_KEEP_DAYS", 400)

# What Prometheus shows for /metrics, as a bearer token; empty: only people and programs with jobs.view_system.
METRICS_TOKEN = env.text("METRICS_TOKEN")
# Seconds between two times that a web process hands over its count of requests.
METRICS_FLUSH_SECONDS = env.seconds("METRICS_FLUSH_SECONDS", 5)

# Where traces go (OTLP over HTTP), such as http://collector:4318; empty: none are made, and nothing is imported for
# them. OpenTelemetry's other variables work too, such as OTEL_SERVICE_NAME and OTEL_EXPORTER_OTLP_HEADERS.
OTEL_EXPORTER_OTLP_ENDPOINT = env.text("OTEL_EXPORTER_OTLP_ENDPOINT")
if OTEL_EXPORTER_OTLP_ENDPOINT:
    MIDDLEWARE.insert(0, "jobs.spans.TraceRequests")

# One line a record, or one JSON object a record for log collectors. What a job's body logs goes to its run too.
LOG_FORMAT = env.choice("LOG_FORMAT", "console", logs.FORMATS)
LOGGING = logs.configuration(LOG_FORMAT, env.text("LOG_LEVEL", "INFO"))
logging.captureWarnings(LOG_FORMAT == "json")

# The admin's theme. Its sidebar is a registry that apps add to: jobs.admin.navigation.
UNFOLD = {
    "SITE_TITLE": "Almanac",
    "SITE_HEADER": "Almanac",
    "SITE_SUBHEADER": "Scheduled agents and jobs",
    "SITE_SYMBOL": "calendar_clock",
    "SITE_URL": None,
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "STYLES": ["jobs.admin.theme.stylesheet"],
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "jobs.admin.theme.icon"}],
    "ACCOUNT": {"navigation": "accounts.admin.menu.links"},
    "DASHBOARD_CALLBACK": "jobs.admin.dashboard.fill",
    "SIDEBAR": {
        "show_search": True,
        "show_all_applications": False,
        "navigation": "jobs.admin.navigation.sidebar",
    },
}

# REST API (config.api, <app>/api)
REST_FRAMEWORK: dict[str, object] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.TokenAuthentication",
        "accounts.authentication.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["jobs.api.permissions.ActionPermission"],
    "DEFAULT_PARSER_CLASSES": ["jobs.api.parsing.SmallJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "jobs.api.pagination.NewestFirst",
    "DEFAULT_THROTTLE_CLASSES": ["jobs.api.throttling.RequestRate"],
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "config.api.answer_to_error",
    "NON_FIELD_ERRORS_KEY": "request",
    # How many proxies of ours stand in front: that many entries of X-Forwarded-For are believed.
    "NUM_PROXIES": env.integer("PROXIES", 0),
    "PAGE_SIZE": 50,
}
# Requests a minute and process, for one address without and one user with authentication; 0: no limit.
API_ANONYMOUS_RATE = env.integer("API_ANONYMOUS_RATE", 300)
API_USER_RATE = env.integer("API_USER_RATE", 6000)
# And for one API key.
API_KEY_RATE = env.integer("API_KEY_RATE", 3000)
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=30),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=7),
    "CHECK_REVOKE_TOKEN": True,
    "UPDATE_LAST_LOGIN": False,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Almanac",
    "DESCRIPTION": "Run jobs, follow their runs, and plan them. Every error answers `{code, message, fields?}`.",
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "RunStatus": "jobs.models.JobRun.Status",
        "RunTrigger": "jobs.models.JobRun.Trigger",
        "MakeUp": "jobs.passed.MakeUp",
        "ScheduleCatchUp": "jobs.models.SchedulePolicy.CatchUp",
        "HealthStatus": "jobs.health.Status",
        "DeliveryState": "jobs.models.Delivery.State",
        "NotificationChange": "jobs.models.NotificationRule.CHANGES",
        "AlertSeverity": "jobs.models.Alert.Severity",
        "AlertState": "jobs.models.Alert.State",
        "AlertResolution": "jobs.models.Alert.Resolution",
        "AlertEventWhat": "jobs.models.AlertEvent.What",
        "ItemState": "publishing.models.FeedItem.State",
        "SourceState": "publishing.models.Source.State",
        "PostStatus": "publishing.models.Post.Status",
        "AgentWorkflow": "publishing.models.Agent.Workflow",
        "GenerationState": "publishing.models.Generation.State",
        "PublicationState": "publishing.models.Publication.State",
        "PublicationOutcome": "publishing.models.PublicationAttempt.Outcome",
        "KnowledgeUpdateEnd": "knowledge.api.updates.ENDS",
        "MaintenanceMode": "jobs.models.MaintenanceWindow.Mode",
        "PassageMode": "knowledge.chunking.Mode",
        "QuestionState": "knowledge.api.answer_output.STATES",
        "ResearchRunState": "knowledge.research_history.STATES",
        "SearchMode": "knowledge.search.engine.Mode",
        "UploadStatus": "knowledge.api.document_output.UPLOAD_STATUS",
        "SearchWish": "knowledge.search.wishes.MODES",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.api_schema.complete",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# Keys that stored secrets (of channels) are encrypted with: the first encrypts, all decrypt. See jobs.secrets.
SECRETS_KEYS = env.words("SECRETS_KEYS")

# Where people reach this site, for links in messages and on the blog. EMAIL_HOST empty: no email can be sent.
SITE_URL = env.text("SITE_URL").rstrip("/")
# What the built-in blog (publishing.site) calls itself.
SITE_NAME = env.text("SITE_NAME", "Almanac")
SITE_DESCRIPTION = env.text("SITE_DESCRIPTION", "News and notes, gathered from many sources.")
EMAIL_HOST = env.text("EMAIL_HOST")
EMAIL_PORT = env.integer("EMAIL_PORT", 25)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS")
EMAIL_USE_SSL = env.flag("EMAIL_USE_SSL")
EMAIL_TIMEOUT = env.seconds("EMAIL_TIMEOUT", 10)
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "almanac@localhost")

# Notifications: a delivery whose process fell silent for so long is made again.
NOTIFICATIONS_LEASE_SECONDS = env.seconds("NOTIFICATIONS_LEASE_SECONDS", 120)
# The live process (config.asgi): where browsers find it, seen from the page. `LIVE_URL`: its full address, or /api/v1/events/ where a
# proxy leads there; `LIVE_PORT`: its port on the site's own host name. Without both, pages ask again and again instead.
LIVE_URL = env.text("LIVE_URL")
LIVE_PORT = env.integer("LIVE_PORT", 0)
# Origins whose pages may read events with their visitors' cookies, beside the site's own.
LIVE_ORIGINS = env.words("LIVE_ORIGINS")
# The web process's port, where `LIVE_PORT` is used: pages from there may read events.
PORT = env.integer("PORT", 0)
# How many streams one live process serves; more are told to come back.
LIVE_CLIENTS = env.integer("LIVE_CLIENTS", 1000)

# Outgoing requests: `host:port` entries that may be private addresses.
OUTBOUND_ALLOWED_HOSTS = env.words("OUTBOUND_ALLOWED_HOSTS")

# Where this installation serves its own sample feeds, such as http://127.0.0.1:8000; empty: it does not.
SAMPLE_WORLD_URL = env.text("SAMPLE_WORLD_URL")
if SAMPLE_WORLD_URL:
    OUTBOUND_ALLOWED_HOSTS.append(env.host_and_port("SAMPLE_WORLD_URL"))

# publishing: how many hosts one round of polling asks at the same time.
PUBLISHING_POLL_THREADS = env.integer("PUBLISHING_POLL_THREADS", 32)
# How far apart requests to one host start.
PUBLISHING_HOST_SPACING_SECONDS = env.seconds("PUBLISHING_HOST_SPACING_SECONDS", 1)
# How many characters of all sources together a language model is given for one post.
PUBLISHING_SOURCES_CHARS = env.integer("PUBLISHING_SOURCES_CHARS", 60_000)
# How long a worker has to send a post or to look for one; then it is taken for dead. One request takes a quarter at most.
PUBLISHING_LEASE_SECONDS = env.seconds("PUBLISHING_LEASE_SECONDS", 180)
# What a server gets to finish a request whose answer was lost, before we look whether the post is there.
PUBLISHING_SETTLING_SECONDS = env.seconds("PUBLISHING_SETTLING_SECONDS", 45)
# The wait before a post is sent again that could not be sent; it doubles each time, up to 45 times of it.
PUBLISHING_RETRY_SECONDS = env.seconds("PUBLISHING_RETRY_SECONDS", 20)
# Where the publisher of files may write; empty: nowhere.
PUBLISHED_FILES_DIR = env.text("PUBLISHED_FILES_DIR")

# knowledge: where papers come from (docs/connectors.md). PubMed wants to know who asks: an address of email, and for more than
# three requests a second a key of an NCBI account.
NCBI_EMAIL = env.text("NCBI_EMAIL").strip()
NCBI_TOOL = env.text("NCBI_TOOL", "almanac").strip()
NCBI_API_KEY = env.text("NCBI_API_KEY").strip()
# Where the services are; others than these are mirrors, or stand-ins for tests.
PUBMED_URL = env.text("PUBMED_URL", "https://eutils.ncbi.nlm.nih.gov/entrez/eutils").rstrip("/")
ARXIV_URL = env.text("ARXIV_URL", "https://export.arxiv.org/api").rstrip("/")
EUROPEPMC_URL = env.text("EUROPEPMC_URL", "https://www.ebi.ac.uk/europepmc/webservices/rest").rstrip("/")
# Seconds from one request to the next over all processes together. PubMed's is 0.37, or 0.11 with a key.
PUBMED_SPACING_SECONDS = env.seconds("PUBMED_SPACING_SECONDS", 0.11 if NCBI_API_KEY else 0.37)
ARXIV_SPACING_SECONDS = env.seconds("ARXIV_SPACING_SECONDS", 3)
EUROPEPMC_SPACING_SECONDS = env.seconds("EUROPEPMC_SPACING_SECONDS", 0.25)
# And from one request to a host of feeds to the next.
FEEDS_SPACING_SECONDS = env.seconds("FEEDS_SPACING_SECONDS", 1)
# The wait before a request that failed is sent again; it triples each time.
KNOWLEDGE_RETRY_SECONDS = env.seconds("KNOWLEDGE_RETRY_SECONDS", 2)
# The file of topics, sources and settings that knowledge begins with (docs/topics.md); empty: the one that comes with it.
KNOWLEDGE_CONFIG = env.text("KNOWLEDGE_CONFIG").strip()

# The largest file that may be uploaded as a document, and at most so many at a time; and what reading one may take: seconds of
# processor time, megabytes of memory, pages.
DOCUMENT_MAX_MB = env.integer("DOCUMENT_MAX_MB", 20)
DOCUMENT_MAX_FILES = env.integer("DOCUMENT_MAX_FILES", 20)
DOCUMENT_READING_SECONDS = env.seconds("DOCUMENT_READING_SECONDS", 300)
DOCUMENT_READING_MB = env.integer("DOCUMENT_READING_MB", 1024)
DOCUMENT_MAX_PAGES = env.integer("DOCUMENT_MAX_PAGES", 3000)

# Which language model is asked, over OpenAI's protocol (docs/chat.md): the address in front of "/chat/completions", such
# as https://api.openai.com/v1, and the model's name there. Empty: none. Private addresses go into OUTBOUND_ALLOWED_HOSTS.
CHAT_BASE_URL = env.text("CHAT_BASE_URL").strip()
CHAT_API_KEY = env.text("CHAT_API_KEY").strip()
CHAT_MODEL = env.text("CHAT_MODEL").strip()
# How long it may say nothing, and how long an answer may take in all.
CHAT_IDLE_SECONDS = env.seconds("CHAT_IDLE_SECONDS", 120)
CHAT_TOTAL_SECONDS = env.seconds("CHAT_TOTAL_SECONDS", 900)
# How many tokens an answer may have; 0: as many as the server likes.
CHAT_MAX_TOKENS = env.integer("CHAT_MAX_TOKENS", 16_384)
# US dollars for a million tokens, as model=in/out or model=in/out/cached; a star at a name's end fits any rest.
CHAT_PRICES = env.prices("CHAT_PRICES")

# knowledge: which embedder makes the vectors that the search compares (docs/search.md), and how many threads one on this machine
# uses; 0: one for each core.
EMBEDDER = env.text("EMBEDDER", "minilm")
EMBEDDING_THREADS = env.integer("EMBEDDING_THREADS", 0)
# Updates let a worker of the queue "processing" make the vectors of new papers; when none takes the work for so long, they do it.
KNOWLEDGE_PROCESSING_PATIENCE_SECONDS = env.seconds("KNOWLEDGE_PROCESSING_PATIENCE_SECONDS", 15)
# For the embedder "openai": the address in front of "/embeddings", such as https://api.openai.com/v1, the model's name there, and how
# many numbers its vectors have. Private addresses go into OUTBOUND_ALLOWED_HOSTS.
EMBEDDING_BASE_URL = env.text("EMBEDDING_BASE_URL").strip()
EMBEDDING_API_KEY = env.text("EMBEDDING_API_KEY").strip()
EMBEDDING_MODEL = env.text("EMBEDDING_MODEL").strip()
EMBEDDING_DIMENSION = env.integer("EMBEDDING_DIMENSION", 0)
