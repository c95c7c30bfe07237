"""Configuration: a class states policy, the environment states values.

Values are read when a class is instantiated. So importing this module never fails, a missing value stops the start with
its name (never with its value), and a test passes a dict. `APP_SETTINGS` names the class.
"""

import json
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from environment import values
from environment.database import (
    database_url,
    engine_options,
    follower_options,
    other_database_url,
    served_by_psycopg,
)
from environment.mail import sender, site_url, smtp_server
from environment.storage import object_storage
from environment.values import HIGHEST_PORT, ConfigError, read, required, whole_number

DEVELOPMENT_MODULE = "psutil"  # what tools/dev/ imports of requirements-dev.txt
DEVELOPMENT_KEY = "development-only-0123456789abcdef0123456789abcdef"  # refused everywhere else
NO_MAIL = (
    "SMTP_URL is not set: a forgotten password cannot be replaced, no address can be confirmed or changed, and sign-up"
    " tells who has an account."
)


class Config:
    """Hold what every environment shares. `.env.example` lists the variables.

    Raises: ConfigError: one is missing or cannot be used; the message names it.
    """

    DEBUG = False
    TESTING = False
    ONLY_MIGRATES = False
    SERVES_STRANGERS = True
    EMBEDDED_POSTGRES = False
    EMBEDDED_S3 = False
    DEMO_ACCOUNT = True  # `flask seed` makes one without being told twice
    MAIL_FOLDER: Path | None = None  # development writes mails there instead of sending them
    HTTPS = False  # behind a proxy that ends TLS

    SESSION_COOKIE_NAME = "semicircle"
    SESSION_COOKIE_HTTPONLY = True
    SESSION_COOKIE_SAMESITE = "Lax"
    PERMANENT_SESSION_LIFETIME = timedelta(days=30)
    SESSION_REFRESH_EACH_REQUEST = False  # it is sent again with each visit that is noted, see browser_session.py
    WTF_CSRF_SSL_STRICT = False  # asks for a Referer; app/web/form_tokens.py takes the Origin too
    WTF_CSRF_TIME_LIMIT = None  # a form may stay open for days; its token ends with the session, see sessions.py

    BABEL_DEFAULT_LOCALE = "en"

    # (IP address, port; 0: any) of servers from which pages are fetched though they are not on the public internet.
    PAGE_SERVERS: frozenset[tuple[str, int]] = frozenset()

    def __init__(self, env: Mapping[str, str]) -> None:
        self.refuse_strangers(env)
        values.require_time_zones()
        parts = (self._read_secrets, self._read_processes, self._read_database, self._read_storage, self._read_mail)
        values.read_all(env, *parts, self._read_visitors)

    @classmethod
    def refuse_strangers(cls, env: Mapping[str, str]) -> None:
        """Refuse settings for a developer's machine on a platform. Raises: ConfigError."""
        if not cls.SERVES_STRANGERS:
            values.refuse_platforms(env, cls.__name__)

    @property
    def sends_mail(self) -> bool:
        return self.SMTP_SERVER is not None or self.MAIL_FOLDER is not None

    def secret_key(self, env: Mapping[str, str]) -> str:
        return values.secret_key("SECRET_KEY", required(env, "SECRET_KEY"))

    def _read_secrets(self, env: Mapping[str, str]) -> None:
        self.SECRET_KEY = self.secret_key(env)
        self.SECRET_KEY_FALLBACKS = values.secret_keys(env, "SECRET_KEY_FALLBACKS")

    def _read_processes(self, env: Mapping[str, str]) -> None:
        if not self.DEBUG:
            values.refuse_debug(env)
        self.LOG_LEVEL = values.log_level(env)
        self.LOG_SLOW_MS = whole_number(env, "LOG_SLOW_MS", 500, 60_000)
        self.WEB_HOST = values.listening_host(env, "WEB_HOST", "0.0.0.0")  # noqa: S104 - a platform's router comes from outside
        self.PORT = whole_number(env, "PORT", 0, HIGHEST_PORT) or None
        self.WEB_CONCURRENCY = whole_number(env, "WEB_CONCURRENCY", 2)
        self.COMMIT = values.commit(env)

    def _read_database(self, env: Mapping[str, str]) -> None:
        url = database_url("DATABASE_URL", required(env, "DATABASE_URL"))
        self.WEB_THREADS = whole_number(env, "WEB_THREADS", 3)  # each has a connection
        self.WORKER_THREADS = whole_number(env, "WORKER_THREADS", 2)
        self.SQLALCHEMY_DATABASE_URI = served_by_psycopg(other_database_url(env, "DATABASE_CONNECTION_POOL_URL") or url)
        self.SQLALCHEMY_ENGINE_OPTIONS = engine_options(max(self.WEB_THREADS, self.WORKER_THREADS))
        self.DATABASE_POOLER_PREPARES = bool(whole_number(env, "DATABASE_POOLER_PREPARES", 0, highest=1))
        self.MIGRATION_DATABASE_URI = other_database_url(env, "MIGRATION_DATABASE_URL") or url
        self.SCRATCH_DATABASE_URI = other_database_url(env, "SCRATCH_DATABASE_URL")
        follower = other_database_url(env, "FOLLOWER_DATABASE_URL")
        self.FOLLOWER_DATABASE_URI = served_by_psycopg(follower) if follower else None
        self.FOLLOWER_ENGINE_OPTIONS = follower_options(self.WEB_THREADS)

    def _read_storage(self, env: Mapping[str, str]) -> None:
        storage = object_storage(env)
        self.S3_BUCKET = storage.bucket
        self.S3_ENDPOINT_URL = storage.endpoint_url
        self.S3_ADDRESSING = storage.addressing
        self.S3_REGION = storage.region
        self.S3_PREFIX = storage.prefix
        self.S3_PUBLIC_URL = storage.public_url
        self.S3_ACCESS_KEY_ID = storage.access_key_id
        self.S3_SECRET_ACCESS_KEY = storage.secret_access_key

    def _read_mail(self, env: Mapping[str, str]) -> None:
        if env.get("SMTP_URL"):
            values.require(env, "MAIL_FROM", "SITE_URL")
        self.SMTP_SERVER = smtp_server(env)
        self.MAIL_FROM = sender(env)
        self.SITE_URL = site_url(env, needs_https=self.HTTPS)

    def _read_visitors(self, env: Mapping[str, str]) -> None:
        self.SEED_PASSWORD = read(env, "SEED_PASSWORD")
        self.SENTRY_DSN = values.sentry_dsn(env)
        self.SITE_HOSTS = values.trusted_hosts(env, "TRUSTED_HOSTS")  # empty: any
        self.CLIENT_ADDRESS = values.client_address(env, behind_proxy=self.HTTPS)


class DevelopmentConfig(Config):
    """A developer's machine: every value has a default, and the embedded servers stand in for what is not set.

    `make dev` starts those servers on free ports and notes the ports in PORTS_FILE. Every other command reads them
    there, so it finds the same database and the same bucket.
    """

    DEBUG = True
    SERVES_STRANGERS = False
    PORTS_FILE = Path(__file__).parent / "instance" / "ports.json"
    PAGE_SERVERS = frozenset({("127.0.0.1", 0), ("::1", 0)})  # pages of this machine can be counted
    NOBODY = 1  # the port before the first `make dev`: nothing listens there, and it is not another checkout's

    def __init__(self, env: Mapping[str, str]) -> None:
        values.require_installed(DEVELOPMENT_MODULE, type(self).__name__)
        given = {name: value for name, value in env.items() if value}
        self.PORTS = remembered_ports(self.PORTS_FILE)
        self.EMBEDDED_POSTGRES = "DATABASE_URL" not in given
        self.EMBEDDED_S3 = not {"S3_BUCKET", "BUCKETEER_BUCKET_NAME", "CLOUDCUBE_URL"} & given.keys()
        if self.EMBEDDED_POSTGRES:
            port = self.PORTS.get("postgres", self.NOBODY)
            given["DATABASE_URL"] = f"postgresql://semicircle:semicircle@127.0.0.1:{port}/semicircle"
        if self.EMBEDDED_S3:
            given |= {
                "S3_BUCKET": "semicircle",
                "S3_ENDPOINT_URL": f"http://127.0.0.1:{self.PORTS.get('s3', self.NOBODY)}",
                "AWS_ACCESS_KEY_ID": "semicircle-dev",
                "AWS_SECRET_ACCESS_KEY": "semicircle-dev-secret",
            }
        if "SMTP_URL" not in given:
            self.MAIL_FOLDER = Path(__file__).parent / "instance" / "mail"
            web = given.get("PORT") or self.PORTS.get("web", self.NOBODY)
            # A name, since passkeys belong to one: browsers create none at 127.0.0.1.
            given = {"MAIL_FROM": "semicircle@localhost.localdomain", "SITE_URL": f"http://localhost:{web}"} | given
        super().__init__(given)

    def secret_key(self, env: Mapping[str, str]) -> str:
        return super().secret_key(env) if "SECRET_KEY" in env else DEVELOPMENT_KEY


def remembered_ports(file: Path) -> dict[str, int]:
    """Read name: port, as `make dev` wrote them. Nothing when it did not run yet, or the file was damaged."""
    try:
        ports = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    is_usable = isinstance(ports, dict) and all(
        type(port) is int and 0 < port <= HIGHEST_PORT for port in ports.values()
    )
    return ports if is_usable else {}


class TestingConfig(Config):
    """The test suite: the same policy as everywhere, on servers that the suite started."""

    __test__ = False  # pytest takes every class named Test… for a test
    TESTING = True
    SERVES_STRANGERS = False

    def __init__(self, env: Mapping[str, str]) -> None:
        super().__init__(env)
        self.PAGE_SERVERS = values.page_servers(env, "TEST_PAGE_SERVERS")


class MigrationConfig(Config):
    """A process that migrates and does nothing else: it needs the database's URL alone.

    `flask db` is one, whatever serves the pages, and a job of a pipeline. It serves no page and runs no job. So it gets
    no secret of the site (least privilege).
    """

    ONLY_MIGRATES = True

    def __init__(self, env: Mapping[str, str]) -> None:
        values.read_all(env, self._read_processes, self._read_database)


class ProductionConfig(Config):
    """Behind a platform's router, which ends TLS and says who asks."""

    DEMO_ACCOUNT = False
    HTTPS = True
    SESSION_COOKIE_NAME = "__Host-semicircle"
    SESSION_COOKIE_SECURE = True


class StagingConfig(ProductionConfig):
    """Production in everything but the values of the environment, and that a demo account is welcome."""

    DEMO_ACCOUNT = True


CLASSES: Mapping[str, type[Config]] = {
    f"config.{cls.__name__}": cls
    for cls in (DevelopmentConfig, TestingConfig, MigrationConfig, StagingConfig, ProductionConfig)
}


def from_environment(env: Mapping[str, str]) -> Config:
    """Return the configuration that `APP_SETTINGS` names. Raises: ConfigError."""
    name = read(env, "APP_SETTINGS")
    if not name:
        raise ConfigError(missing=("APP_SETTINGS", *missing_in_production(env)))
    return named_class(name)(env)


def missing_in_production(env: Mapping[str, str]) -> tuple[str, ...]:
    """Return which values a class that serves strangers would miss; what is unusable is told once it is named."""
    try:
        ProductionConfig(env)
    except ConfigError as error:
        return error.missing
    return ()


def for_migrations(env: Mapping[str, str]) -> Config:
    """Return the configuration of `flask db`: the class of `APP_SETTINGS` may want a bucket, migrations want none.

    Development keeps its class, which knows where the embedded database is. Raises: ConfigError.
    """
    cls = named_class(read(env, "APP_SETTINGS") or "config.MigrationConfig")
    cls.refuse_strangers(env)
    return cls(env) if issubclass(cls, DevelopmentConfig) else MigrationConfig(env)


def named_class(name: str) -> type[Config]:
    if name not in CLASSES:
        raise ConfigError(f"APP_SETTINGS is not one of {', '.join(CLASSES)}.")
    return CLASSES[name]


def checked(env: Mapping[str, str]) -> Config:
    """Read it for a start without the `flask` command: an unusable value ends the process with its one sentence."""
    try:
        if env.get("APP_SETTINGS") == "config.MigrationConfig":
            serves = "APP_SETTINGS names config.MigrationConfig, which serves no page; name config.ProductionConfig."
            raise ConfigError(serves)
        return from_environment(env)
    except ConfigError as error:
        sys.exit(f"Error: {error.message}")
