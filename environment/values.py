"""Reading environment variables. A missing or unusable value stops the start with its name, never with the value."""

import importlib
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, reset_tzpath

import click

LOCAL_HOSTS = {"", "localhost", "127.0.0.1", "::1"}
HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")  # a name, an IPv4 address or an IPv6 address
# Labels of at most 63 characters (RFC 1035, 2.3.4), or an IPv6 address in brackets, as in a Host header.
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
TRUSTED_HOST = re.compile(rf"\.?{LABEL}(?:\.{LABEL})*|\[[0-9A-Fa-f:.]+\]")
HIGHEST_PORT = 65535
SENTRY_DSN = re.compile(
    r"(?P<scheme>https?)://[A-Za-z0-9]+@(?P<host>[A-Za-z0-9._-]+)(?::[1-9][0-9]{0,4})?(?:/[A-Za-z0-9._-]+)*/[0-9]+"
)
COMMIT = re.compile(r"[0-9a-f]{12,64}")
# Which variable holds the commit on Heroku (twice) and a plain server, Dokku, Render, Railway, Clever Cloud, Scalingo.
COMMITS = (
    *("HEROKU_BUILD_COMMIT", "HEROKU_SLUG_COMMIT", "GIT_REV", "RENDER_GIT_COMMIT", "RAILWAY_GIT_COMMIT_SHA"),
    *("CC_COMMIT_ID", "CONTAINER_VERSION"),
)

# Each platform of docs/platforms.md sets this in every process by itself, by its documentation or its source.
PLATFORMS = {
    "DYNO": "Heroku or Dokku",
    "DOKKU_APP_TYPE": "Dokku",
    "HEROKU_SLUG_COMMIT": "Heroku or a plain server",
    "CONTAINER": "Scalingo",
    "RENDER": "Render",
    "RAILWAY_ENVIRONMENT": "Railway",
    "RAILWAY_ENVIRONMENT_NAME": "Railway",
    "RAILWAY_PROJECT_ID": "Railway",
    "FLY_APP_NAME": "Fly.io",
    "FLY_MACHINE_ID": "Fly.io",
    "CC_DEPLOYMENT_ID": "Clever Cloud",
}
# Where a platform says who asks, if not at the end of X-Forwarded-For: that ends with an address of the application on
# Fly.io, of an edge on Railway, and with one or two of Render's and Cloudflare's.
CLIENT_ADDRESSES = {"Fly.io": "X-Forwarded-For:2", "Railway": "X-Real-IP", "Render": "CF-Connecting-IP"}
# A hyphen in the name: Forwarded (RFC 7239) holds parameters, and a mere number names no header.
CLIENT_ADDRESS = re.compile(r"(?P<header>[A-Za-z0-9]+(?:-[A-Za-z0-9]+)+)(?::(?P<place>[1-9]))?")
HEROKU_CI = "HEROKU_TEST_RUN_ID"  # tests run there on a dyno that nobody reaches

SHORTEST_KEY = 32  # characters; `openssl rand -hex 32` makes 64
# A key that can be read in this repository signs nothing. DEVELOPMENT_KEY of config.py holds the word "development".
PLACEHOLDERS = ("change", "placeholder", "secret_key", "your-", "xxxx", "example", "development")
# Keys that once stood in .env.example and in a test; the history still shows them.
PUBLISHED_KEYS = ("b2c5f0d1a47e4c39955a6b1f8e0d7c2364f1a9e8d0b7c6a5", "5d1f0c7a9b3e48d2a6c4e0f18b7d9352")
MAKE_A_KEY = "make one with: openssl rand -hex 32"


class ConfigError(click.UsageError):
    """Values are missing or unusable. A click error, so that the `flask` command prints it without a traceback.

    It holds the names of what is missing, and a sentence for each value that is unusable.
    """

    def __init__(self, *unusable: str, missing: Sequence[str] = ()) -> None:
        self.missing, self.unusable = tuple(missing), unusable
        super().__init__(" ".join([*([not_set(*missing)] if missing else []), *unusable]))


def not_set(first: str, *others: str) -> str:
    nor = f", nor {'are' if others[1:] else 'is'} {', '.join(others)}" if others else ""
    return f"{first} is not set{nor}; .env.example says what {'they are' if others else 'it is'} for."


def read(env: Mapping[str, str], name: str) -> str:
    """Return the value, or "" when it is not set.

    Refuse one with a control character such as a line break, or a space at an end: it was copied wrongly, and would
    fail later and far from here.
    """
    value = env.get(name, "")
    if value != value.strip() or not value.isprintable():
        raise ConfigError(f"{name} holds a line break, or a space at one end; set it without.")
    return value


def required(env: Mapping[str, str], name: str) -> str:
    require(env, name)
    return read(env, name)


def require(env: Mapping[str, str], *names: str) -> None:
    """Refuse an environment in which one of these is not set. Raises: ConfigError, with all of those."""
    missing = [name for name in names if not env.get(name)]
    if missing:
        raise ConfigError(missing=missing)


def read_all(env: Mapping[str, str], *parts: Callable[[Mapping[str, str]], None]) -> None:
    """Read the parts of a configuration. Raises: ConfigError, with what is missing or unusable in any of them.

    So a person mends them in one go. A part requires its values before it reads one.
    """
    missing: list[str] = []
    unusable: list[str] = []
    for part in parts:
        try:
            part(env)
        except ConfigError as error:
            missing += error.missing
            unusable += error.unusable
    if missing or unusable:
        raise ConfigError(*unusable, missing=missing)


def whole_number(env: Mapping[str, str], name: str, default: int, highest: int = 99) -> int:
    """Read a number of processes, threads or a port. The limit keeps a typing error from starting a million threads."""
    if name not in env:
        return default
    value = read(env, name)
    if not re.fullmatch(r"[1-9][0-9]{0,4}", value) or int(value) > highest:
        raise ConfigError(f"{name} has to be a whole number from 1 to {highest}.")
    return int(value)


def listening_host(env: Mapping[str, str], name: str, default: str) -> str:
    """Read an address that a server listens on. Of IPv6 in brackets, as in a URL: a port follows it."""
    if name not in env:
        return default
    value = read(env, name)
    bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        address = None
    if address is None or "%" in bare or (address.version == 6) != (bare != value):
        raise ConfigError(f"{name} has to be an IP address of this machine, such as 0.0.0.0, 127.0.0.1 or [::].")
    return value


def log_level(env: Mapping[str, str]) -> str:
    level = read(env, "LOG_LEVEL").upper() if "LOG_LEVEL" in env else "INFO"
    if level not in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}:
        raise ConfigError("LOG_LEVEL has to be DEBUG, INFO, WARNING, ERROR or CRITICAL.")
    return level


def refuse_debug(env: Mapping[str, str]) -> None:
    """Refuse Flask's own switch of the debug mode. It would go past the class, in each process that `flask` starts."""
    if read(env, "FLASK_DEBUG").lower() not in {"", "0", "false", "no"}:
        raise ConfigError("FLASK_DEBUG is set, and shows strangers the code; unset it, since only development debugs.")


def refuse_platforms(env: Mapping[str, str], settings: str) -> None:
    """Refuse a class of settings of a developer's machine where strangers come: cookies and debugger are open there."""
    on_heroku_ci = read(env, HEROKU_CI)
    found = [name for name in PLATFORMS if read(env, name)]
    if found and not on_heroku_ci:
        raise ConfigError(
            f"APP_SETTINGS names config.{settings}, which serves no strangers, but {found[0]} is set, as on"
            f" {PLATFORMS[found[0]]}; set APP_SETTINGS to config.StagingConfig or config.ProductionConfig."
        )


def require_time_zones() -> None:
    """Refuse a machine without time zones: the pages would fail, while the health checks are green.

    They are read from the package alone: what a machine has may be old, damaged, or changed.
    """
    try:
        importlib.import_module("tzdata")
        reset_tzpath(())
        ZoneInfo("Asia/Seoul")
    except (ImportError, ZoneInfoNotFoundError, ValueError):  # the last one is of a file that is damaged
        raise ConfigError(
            "There is no usable time zone data; install it with: python -m pip install -r requirements.txt"
        ) from None


def require_installed(module: str, settings: str) -> None:
    """Refuse a class of settings that needs a package which is not installed, as on a dyno."""
    try:
        importlib.import_module(module)
    except ImportError:
        raise ConfigError(
            f"APP_SETTINGS names config.{settings}, which needs {module}; install it with:"
            " python -m pip install -r requirements-dev.txt"
        ) from None


def sentry_dsn(env: Mapping[str, str]) -> str:
    """Return where errors are reported to; "" where they are not."""
    dsn = read(env, "SENTRY_DSN")
    found = SENTRY_DSN.fullmatch(dsn)
    if dsn and (not found or (found["scheme"] == "http" and found["host"] not in LOCAL_HOSTS)):
        raise ConfigError("SENTRY_DSN has to look like https://KEY@sentry.example.com/PROJECT, as Sentry shows it.")
    return dsn


def commit(env: Mapping[str, str]) -> str | None:
    """Return the commit that runs, as the platform tells it, in twelve characters; None: it tells none.

    Not refused when it is something else, such as the version of a build that was uploaded: nothing depends on it.
    """
    for name in COMMITS:
        value = read(env, name)
        if COMMIT.fullmatch(value):
            return value[:12]
    return None


def secret_key(name: str, value: str) -> str:
    """Refuse a key that somebody else may know or guess; `name` is the variable that holds it."""
    if len(value) < SHORTEST_KEY:
        raise ConfigError(f"{name} holds a key of less than {SHORTEST_KEY} characters; {MAKE_A_KEY}")
    lower = value.lower()
    # A shorter text again and again, such as 1234567890123…, to the end or cut off before.
    repeats = any(lower.startswith(lower[length:]) for length in range(1, len(lower) // 2 + 1))
    if repeats or len(set(lower)) < 8 or any(word in lower for word in (*PLACEHOLDERS, *PUBLISHED_KEYS)):
        raise ConfigError(f"{name} holds a placeholder or a published key; {MAKE_A_KEY}")
    return value


def secret_keys(env: Mapping[str, str], name: str) -> list[str]:
    """Read keys that are separated by spaces. Each has to be as strong as the first: its cookies are accepted."""
    return [secret_key(name, value) for value in read(env, name).split()]


def client_address(env: Mapping[str, str], behind_proxy: bool) -> tuple[str, int] | None:
    """Return which header says who asks, and which of its addresses does, counted from the end; None: the peer asks.

    Without the variable it is what the platform documents, and elsewhere the last address of X-Forwarded-For: the only
    one that a proxy in front has certainly written itself.
    """
    given = read(env, "CLIENT_ADDRESS")
    if not given and not behind_proxy:
        return None
    here = (PLATFORMS[name] for name in PLATFORMS if read(env, name))
    own = next((CLIENT_ADDRESSES[platform] for platform in here if platform in CLIENT_ADDRESSES), None)
    found = CLIENT_ADDRESS.fullmatch(given or own or "X-Forwarded-For")
    if not found:
        raise ConfigError(
            "CLIENT_ADDRESS has to be the name of a header, such as X-Real-IP; with :2 behind it, if the last but one"
            " of its addresses counts, and so on to :9."
        )
    return found["header"], int(found["place"] or 1)


def trusted_hosts(env: Mapping[str, str], name: str) -> list[str]:
    """Read host names that are separated by spaces; one that begins with a dot stands for its subdomains too.

    In lower case, since the case of a host does not count (RFC 9110, section 4.2.3).
    """
    names = read(env, name).lower().split()
    if not all(TRUSTED_HOST.fullmatch(host) for host in names):
        raise ConfigError(f"{name} has to be host names such as notes.example.com, without scheme or port, and spaces.")
    return names


def page_servers(env: Mapping[str, str], name: str) -> frozenset[tuple[str, int]]:
    """Read (IP address, port) of each "address:port"; separated by spaces."""
    servers = set()
    for server in read(env, name).split():
        address, _, port = server.rpartition(":")
        try:
            ip = str(ipaddress.ip_address(address.strip("[]")))
        except ValueError:
            said = f"{name} has to be IP addresses with ports, such as 127.0.0.1:8001, and spaces."
            raise ConfigError(said) from None
        servers.add((ip, whole_number({name: port}, name, 0, HIGHEST_PORT)))
    return frozenset(servers)
