"""Reading the environment: what is missing or unusable stops the start with the variable's name, never its value."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import click
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

LOCAL_HOSTS = {"", "localhost", "127.0.0.1", "::1"}
POSTGRES_SCHEMES = {"postgres", "postgresql", "postgresql+psycopg2"}
PLACEHOLDERS = ("change", "placeholder", "secret_key", "your-", "xxxx", "example")


class ConfigError(click.UsageError):
    """A value is missing or unusable. A click error, so that the `flask` command prints it without a traceback."""


def required(env: Mapping[str, str], name: str) -> str:
    value = env.get(name)
    if not value:
        raise ConfigError(f"{name} is not set; .env.example says what it is for.")
    return value


def whole_number(env: Mapping[str, str], name: str, default: int) -> int:
    """How many processes or threads: a typing error must not ask the machine for a million of them."""
    value = env.get(name, str(default))
    if not re.fullmatch(r"[1-9][0-9]?", value):
        raise ConfigError(f"{name} has to be a whole number from 1 to 99.")
    return int(value)


def servers(value: str) -> frozenset[tuple[str, int]]:
    """(IP address, port) of each "address:port", separated by spaces."""
    pairs = (server.rpartition(":") for server in value.split())
    return frozenset((address, int(port)) for address, _, port in pairs)


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
