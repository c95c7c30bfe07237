"""Configuration: a class states policy, the environment states values.

The values are read when a class is instantiated, so importing this module never fails, a missing value stops the start
with its name (never with its value), and a test passes a plain dict. `APP_SETTINGS` names the class.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import click
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

MIB = 1024 * 1024
LOCAL_HOSTS = {"", "localhost", "127.0.0.1", "::1"}
POSTGRES_SCHEMES = {"postgres", "postgresql", "postgresql+psycopg2"}
PLACEHOLDERS = ("change", "placeholder", "secret_key", "your-", "xxxx", "example")


class ConfigError(click.UsageError):
    """A value is missing or unusable. A click error, so that the `flask` command prints it without a traceback."""


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

    def __init__(self, env: Mapping[str, str]) -> None:
        self.SECRET_KEY = secret_key(required(env, "SECRET_KEY"))
        self.SECRET_KEY_FALLBACKS = env.get("SECRET_KEY_FALLBACKS", "").split()
        self.LOG_LEVEL = log_level(env.get("LOG_LEVEL", "INFO"))

        url = database_url("DATABASE_URL", required(env, "DATABASE_URL"))
        self.SQLALCHEMY_DATABASE_URI = url.render_as_string(hide_password=False)
        self.SQLALCHEMY_ENGINE_OPTIONS = engine_options(url, threads=whole_number(env, "WEB_THREADS", 5))
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


def required(env: Mapping[str, str], name: str) -> str:
    value = env.get(name)
    if not value:
        raise ConfigError(f"{name} is not set; .env.example says what it is for.")
    return value


def whole_number(env: Mapping[str, str], name: str, default: int) -> int:
    value = env.get(name, str(default))
    if not value.isascii() or not value.isdigit() or int(value) < 1:
        raise ConfigError(f"{name} has to be a whole number from 1 up.")
    return int(value)


def log_level(value: str) -> str:
    level = value.upper()
    if level not in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}:
        raise ConfigError("LOG_LEVEL has to be DEBUG, INFO, WARNING, ERROR or CRITICAL.")
    return level


def secret_key(value: str) -> str:
    if len(value) < 32:
        raise ConfigError("SECRET_KEY is shorter than 32 characters; make one with: openssl rand -hex 32")
    if any(word in value.lower() for word in PLACEHOLDERS) or len(set(value)) < 8:
        raise ConfigError("SECRET_KEY is a placeholder; make one with: openssl rand -hex 32")
    return value


def database_url(name: str, value: str) -> URL:
    """A URL that names the psycopg2 driver, and asks for TLS when the host is not this machine.

    Heroku hands out `postgres://`, which SQLAlchemy refuses, and SQLAlchemy 2.1 reads `postgresql://` as psycopg 3.
    """
    try:
        url = make_url(value)
    except ArgumentError:
        raise ConfigError(f"{name} cannot be read as a URL.") from None  # the cause would print the value
    if url.drivername not in POSTGRES_SCHEMES:
        raise ConfigError(f"{name} has to begin with postgres:// or postgresql://; no other database is supported.")
    url = url.set(drivername="postgresql+psycopg2")
    host = url.host or url.query.get("host", "")
    is_local = host in LOCAL_HOSTS or str(host).startswith("/")
    return url if is_local or "sslmode" in url.query else url.update_query_dict({"sslmode": "require"})


def engine_options(url: URL, threads: int) -> dict[str, Any]:
    """Pool = threads, so a thread never waits for a connection that another may hold; nothing waits without an end."""
    given = url.query.get("options", "")
    timeouts = "-c statement_timeout=20s -c idle_in_transaction_session_timeout=20s"
    return {
        "pool_size": threads,
        "max_overflow": 0,
        "pool_timeout": 3,
        "pool_pre_ping": True,
        "pool_recycle": 300,
        "hide_parameters": True,  # an error in the log must not carry what a person typed
        "connect_args": {
            "connect_timeout": 5,
            "application_name": "semicircle-web",
            "options": f"{given} {timeouts}".strip(),
        },
    }


@dataclass(frozen=True)
class ObjectStorage:
    """Where photos live. `prefix` starts every key; `public_url` + "/" + key is what a browser loads."""

    bucket: str
    region: str
    endpoint_url: str | None
    prefix: str
    public_url: str
    access_key_id: str
    secret_access_key: str


def object_storage(env: Mapping[str, str]) -> ObjectStorage:
    """The bucket of the first family of variables that is set: S3_*, else Bucketeer's, else Cloudcube's.

    In the add-ons' buckets the world can read keys under `public/` only; all keys of a cube begin with its name.
    """
    if env.get("S3_BUCKET"):
        return s3_storage(env)
    if env.get("BUCKETEER_BUCKET_NAME"):
        bucket, region = required(env, "BUCKETEER_BUCKET_NAME"), required(env, "BUCKETEER_AWS_REGION")
        keys = required(env, "BUCKETEER_AWS_ACCESS_KEY_ID"), required(env, "BUCKETEER_AWS_SECRET_ACCESS_KEY")
        return ObjectStorage(bucket, region, None, "public/", f"https://{bucket}.s3.{region}.amazonaws.com", *keys)
    if env.get("CLOUDCUBE_URL"):
        cube_url = urlsplit(required(env, "CLOUDCUBE_URL"))
        bucket, prefix = str(cube_url.hostname).split(".")[0], cube_url.path.strip("/") + "/public/"
        keys = required(env, "CLOUDCUBE_ACCESS_KEY_ID"), required(env, "CLOUDCUBE_SECRET_ACCESS_KEY")
        return ObjectStorage(bucket, "us-east-1", None, prefix, f"https://{cube_url.hostname}", *keys)
    raise ConfigError("S3_BUCKET is not set, nor are an add-on's variables; .env.example says what they are for.")


def s3_storage(env: Mapping[str, str]) -> ObjectStorage:
    bucket = required(env, "S3_BUCKET")
    region = env.get("S3_REGION") or "us-east-1"
    endpoint = env.get("S3_ENDPOINT_URL") or None
    default_public_url = f"{endpoint}/{bucket}" if endpoint else f"https://{bucket}.s3.{region}.amazonaws.com"
    prefix = env.get("S3_PREFIX", "").strip("/")
    return ObjectStorage(
        bucket=bucket,
        region=region,
        endpoint_url=endpoint,
        prefix=f"{prefix}/" if prefix else "",
        public_url=(env.get("S3_PUBLIC_URL") or default_public_url).rstrip("/"),
        access_key_id=required(env, "AWS_ACCESS_KEY_ID"),
        secret_access_key=required(env, "AWS_SECRET_ACCESS_KEY"),
    )
