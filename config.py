"""Configuration: a class states policy, the environment states values.

The values are read when a class is instantiated, so importing this module never fails, a missing value stops the start
with its name (never with its value), and a test passes a plain dict. `APP_SETTINGS` names the class.
"""

from collections.abc import Mapping
from datetime import timedelta

from environment import (
    ConfigError,
    database_url,
    engine_options,
    log_level,
    object_storage,
    required,
    secret_key,
    servers,
    whole_number,
)

MIB = 1024 * 1024


class Config:
    """What every environment shares.

    Args:
        env: the environment variables; `.env.example` lists them all.

    Raises:
        ConfigError: a variable is missing or cannot be used; the message names it.
    """

    DEBUG = False
    TESTING = False
    EMBEDDED_POSTGRES = False
    EMBEDDED_S3 = False
    PROXY_HOPS = 0
    HTTPS = False

    SESSION_COOKIE_NAME = "semicircle"
    SESSION_COOKIE_HTTPONLY = True
    SESSION_COOKIE_SAMESITE = "Lax"
    PERMANENT_SESSION_LIFETIME = timedelta(days=30)
    WTF_CSRF_TIME_LIMIT = None  # a token lives as long as the session it belongs to

    MAX_CONTENT_LENGTH = 6 * MIB
    BABEL_DEFAULT_LOCALE = "en"

    # (IP address, port) of servers of which pages are fetched though they are not on the public internet.
    PAGE_SERVERS: frozenset[tuple[str, int]] = frozenset()

    def __init__(self, env: Mapping[str, str]) -> None:
        self.SECRET_KEY = secret_key(required(env, "SECRET_KEY"))
        self.SECRET_KEY_FALLBACKS = env.get("SECRET_KEY_FALLBACKS", "").split()
        self.LOG_LEVEL = log_level(env.get("LOG_LEVEL", "INFO"))

        self.WORKER_THREADS = whole_number(env, "WORKER_THREADS", 2)
        url = database_url("DATABASE_URL", required(env, "DATABASE_URL"))
        self.SQLALCHEMY_DATABASE_URI = url.render_as_string(hide_password=False)
        self.SQLALCHEMY_ENGINE_OPTIONS = engine_options(
            url, threads=max(whole_number(env, "WEB_THREADS", 5), self.WORKER_THREADS)
        )
        direct = env.get("MIGRATION_DATABASE_URL")
        direct_url = database_url("MIGRATION_DATABASE_URL", direct) if direct else url
        self.MIGRATION_DATABASE_URI = direct_url.render_as_string(hide_password=False)

        storage = object_storage(env)
        self.S3_BUCKET = storage.bucket
        self.S3_ENDPOINT_URL = storage.endpoint_url
        self.S3_REGION = storage.region
        self.S3_PREFIX = storage.prefix
        self.S3_PUBLIC_URL = storage.public_url
        self.S3_ACCESS_KEY_ID = storage.access_key_id
        self.S3_SECRET_ACCESS_KEY = storage.secret_access_key


class DevelopmentConfig(Config):
    """A developer's machine: everything has a default, and what is not set is served by the embedded servers."""

    DEBUG = True

    DEFAULTS: Mapping[str, str] = {
        "SECRET_KEY": "development-only-0123456789abcdef0123456789abcdef",
        "DATABASE_URL": "postgresql://semicircle:semicircle@127.0.0.1:54329/semicircle",
    }
    STORAGE_DEFAULTS: Mapping[str, str] = {
        "S3_BUCKET": "semicircle",
        "S3_ENDPOINT_URL": "http://127.0.0.1:8333",
        "AWS_ACCESS_KEY_ID": "semicircle-dev",
        "AWS_SECRET_ACCESS_KEY": "semicircle-dev-secret",
    }

    def __init__(self, env: Mapping[str, str]) -> None:
        self.EMBEDDED_POSTGRES = not env.get("DATABASE_URL")
        self.EMBEDDED_S3 = not any(env.get(name) for name in ("S3_BUCKET", "BUCKETEER_BUCKET_NAME", "CLOUDCUBE_URL"))
        given = {name: value for name, value in env.items() if value}
        storage = self.STORAGE_DEFAULTS if self.EMBEDDED_S3 else {}
        super().__init__({**self.DEFAULTS, **given, **storage})


class TestingConfig(Config):
    """The test suite: the same policy as everywhere, on servers that the suite started."""

    __test__ = False  # pytest takes every class named Test… for a test
    TESTING = True

    def __init__(self, env: Mapping[str, str]) -> None:
        super().__init__(env)
        self.PAGE_SERVERS = servers(env.get("TEST_PAGE_SERVERS", ""))


class ProductionConfig(Config):
    """Behind a platform's router, which ends TLS and appends the true peer to X-Forwarded-For."""

    PROXY_HOPS = 1
    HTTPS = True
    SESSION_COOKIE_NAME = "__Host-semicircle"
    SESSION_COOKIE_SECURE = True


class StagingConfig(ProductionConfig):
    """Production in everything but the values that the environment holds."""


CLASSES: Mapping[str, type[Config]] = {
    f"config.{cls.__name__}": cls for cls in (DevelopmentConfig, TestingConfig, StagingConfig, ProductionConfig)
}


def from_environment(env: Mapping[str, str]) -> Config:
    """The configuration that `APP_SETTINGS` names, with the values of `env`.

    Raises:
        ConfigError: `APP_SETTINGS` is missing or names no class, or the class misses a value.
    """
    name = required(env, "APP_SETTINGS")
    if name not in CLASSES:
        raise ConfigError(f"APP_SETTINGS is not one of {', '.join(CLASSES)}.")
    return CLASSES[name](env)
