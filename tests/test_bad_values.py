"""An invalid value of a variable stops the start with one sentence that names the variable and hides the value."""

import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask.cli import FlaskGroup

from app import create_app
from environment.values import COMMITS, HEROKU_CI, PLATFORMS
from tests.databases import Environment
from tests.test_config import BUCKETEER, CLOUDCUBE

ROOT = Path(__file__).parents[1]
FLASK = FlaskGroup(create_app=create_app, load_dotenv=False, set_debug_flag=False)
NOWHERE = {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing"}

GOOD = {
    "APP_SETTINGS": "config.ProductionConfig",
    "SECRET_KEY": secrets.token_hex(32),
    "DATABASE_URL": "postgres://user:hidden@db.semicircle.dev:5432/name",
}
OWN_BUCKET = {"S3_BUCKET": "bucket", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "hidden"}
SMTP_URL = "smtps://user:hidden@smtp.semicircle.dev"
MAIL = {"SMTP_URL": SMTP_URL, "MAIL_FROM": "hello@semicircle.dev", "SITE_URL": "https://semicircle.dev"}
TESTS = {"APP_SETTINGS": "config.TestingConfig", "TEST_PAGE_SERVERS": "127.0.0.1:8001"}
READ_IN_TESTS = {"TEST_PAGE_SERVERS", HEROKU_CI, *PLATFORMS}

NUMBERS = ["0", "two", "", "1.5", "٣", "100"]
DATABASE_URLS = [
    *("nonsense", "sqlite:///secret.db", "mysql://u:hidden@h/n", "postgresql+psycopg://u:hidden@h/n"),
    *("postgres://u:hid@den@h/n", "postgres://u:hid@de/n@h/n", "postgres://u:hidden%00@h/n"),
    *(f"postgres://u:hidden@{place}" for place in ("h", "h/", "two hosts/n", "h%2Fx/n", "h/n%00")),
    *(f"postgres://u:hidden@h:{port}/n" for port in ("bad", "0", "70000")),
    *(f"postgres://u:hidden@h/n?{name}=hidden" for name in ("sslmode", "hidden", "port", "service", "hostaddr")),
    *(f"postgres://u:hidden@h/n?{name}=hidden" for name in ("target_session_attrs", "connect_timeout", "keepalives")),
    *("postgres://u:hidden@h/n?host=a&host=b", "postgres://u:hidden@h/n?application_name=hidden%00"),
]
URLS = [
    *("not-a-url", "s3.semicircle.dev", "ftp://s3.semicircle.dev", "https:///path", "https://[::1"),
    *("https://user:hidden@s3.semicircle.dev", "https://s3.semicircle.dev:bad", "https://s3.semicircle.dev:70000"),
    *("https://s3.semicircle.dev/?query=hidden", "https://s3.semicircle.dev; script-src *"),
]
BUCKETS = ["ab", "my bucket", "bucket/folder", "arn:aws:s3:::bucket", "b" * 64]
REGIONS = ["eu west", "eu_west", "https://eu-west-1"]
BAD = {
    "APP_SETTINGS": ["config.NoSuchConfig", "NoSuchConfig", "config.Config", "os.environ", ""],
    "SECRET_KEY": ["", "short", "a" * 40, "change-me-" * 4, "development-only-0123456789abcdef0123456789abcdef"],
    "SECRET_KEY_FALLBACKS": ["short", "a" * 40, "b2c5f0d1a47e4c39955a6b1f8e0d7c2364f1a9e8d0b7c6a5"],
    "DATABASE_URL": ["", *DATABASE_URLS],
    "MIGRATION_DATABASE_URL": DATABASE_URLS[:1],
    "FLASK_DEBUG": ["1", "true", "yes"],
    "DATABASE_CONNECTION_POOL_URL": DATABASE_URLS[:1],
    "LOG_LEVEL": ["loud", "", "10"],
    "PORT": ["0", "65536", "two"],
    "WEB_HOST": ["", "localhost", "::", "[::", "0.0.0.0:80", "256.1.1.1", "[fe80::1%eth0]", "unix:/tmp/s", "fd://3"],
    "CLIENT_ADDRESS": [
        *("2", "Forwarded", ":2", "X-Forwarded-For:", "X-Forwarded-For:0", "X-Forwarded-For:10", "X-Forwarded-For:two"),
        *("X-Forwarded-For, X-Real-IP", "X-Forwarded-For[2]", "X_REAL_IP", "X-Real-IP:1:2"),
    ],
    "WEB_CONCURRENCY": NUMBERS,
    "WEB_THREADS": NUMBERS[:1],
    "WORKER_THREADS": NUMBERS[:1],
    "S3_BUCKET": ["", *BUCKETS],
    "S3_REGION": REGIONS,
    "S3_ENDPOINT_URL": URLS,
    "S3_ADDRESSING": ["paths", "PATH", "auto", "virtual path"],
    "S3_PUBLIC_URL": [URLS[0], "https://s3.semicircle.dev/" + "x" * 200],
    "S3_PREFIX": ["a b", "a//b", "../a", "a/./b", "ä", "a?b"],
    **{f"{owner}AWS_{key}": [""] for owner in ("", "BUCKETEER_") for key in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")},
    "BUCKETEER_BUCKET_NAME": BUCKETS[:1],
    "BUCKETEER_AWS_REGION": ["", *REGIONS[:1]],
    "CLOUDCUBE_URL": ["garbage", "https://cloud-cube/abc", "https://cloud-cube.s3.amazonaws.com", "https://a.b/c/d"],
    "CLOUDCUBE_ACCESS_KEY_ID": [""],
    "CLOUDCUBE_SECRET_ACCESS_KEY": [""],
    "SMTP_URL": [
        *("nonsense", "smtp.semicircle.dev", "https://smtp.semicircle.dev", "smtps:///path", "smtps://[::1"),
        *("smtps://user@smtp.semicircle.dev", "smtps://:hidden@smtp.semicircle.dev"),
        *("smtps://user:hid@den@smtp.semicircle.dev", "smtps://user:hid/den@smtp.semicircle.dev"),
        *("smtps://user:hidden%E9@smtp.semicircle.dev", "smtps://user:hidden@two hosts"),  # the first one is not UTF-8
        *(f"smtps://user:hidden@smtp.semicircle.dev{rest}" for rest in (":0", ":bad", ":70000", "?hidden=1")),
        *("smtp://user:hidden@smtp.semicircle.dev", "smtp://192.0.2.7"),
    ],
    "MAIL_FROM": [
        *("", "nobody", "nobody@", "nobody@localhost", "Nobody <nobody@semicircle.dev>"),
        *("a@semicircle.dev,b@semicircle.dev", "달@semicircle.dev"),
    ],
    "SITE_URL": [
        *("", "ftp://semicircle.dev", "https://semicircle.dev/path", "https://semicircle.dev?hidden=1"),
        *("http://hidden.dev", "semicircle.dev", "https:semicircle.dev", "http://localhost@semicircle.dev"),
        "https://[::1",
    ],
    **{name: [] for name in (*PLATFORMS, HEROKU_CI)},  # every value is valid
    **{name: [] for name in COMMITS},  # what is no commit is not shown
    "TEST_PAGE_SERVERS": ["localhost:8001", "192.0.2.7", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:x", "127.0.0.1:70000"],
}
COPIED_WRONGLY = ["hidden-value\n", " hidden-value", "hidden\x07value", " "]


def flask(*command: str, env: Mapping[str, str]) -> Result:
    """Run it with this environment only."""
    unset: dict[str, str | None] = dict.fromkeys(os.environ)
    return CliRunner().invoke(FLASK, command, env={**unset, **env})


def environment(name: str, value: str) -> dict[str, str]:
    """Return an environment that is valid except for this value."""
    bucket = next((family for family in (BUCKETEER, CLOUDCUBE) if name in family), OWN_BUCKET)
    return {**GOOD, **bucket, **MAIL, **(TESTS if name in READ_IN_TESTS else {}), name: value}


def assert_is_one_sentence(said: str, name: str, value: str) -> None:
    [line] = said.splitlines()
    assert line.startswith("Error: ")
    assert name in line
    assert "hidden" not in line
    if len(value) > 5:  # shorter values, such as "0" and "two", may occur in any sentence
        assert value.strip() not in line


def assert_is_refused(name: str, value: str) -> None:
    result = flask("worker", env=environment(name, value))
    assert (result.exit_code != 0, result.stdout) == (True, ""), value
    assert_is_one_sentence(result.stderr, name, value)


@pytest.mark.parametrize("name", BAD)
def test_an_invalid_value_stops_the_start_with_one_sentence(name: str) -> None:
    """Each variable refuses what was copied wrongly. flask itself reads FLASK_DEBUG, and makes 1 or 0 of it."""
    for value in [*BAD[name], *(COPIED_WRONGLY[:1] if name != "FLASK_DEBUG" else [])]:
        assert_is_refused(name, value)


def test_what_was_copied_wrongly_is_refused() -> None:
    for value in COPIED_WRONGLY:
        assert_is_refused("AWS_SECRET_ACCESS_KEY", value)


@pytest.mark.parametrize(
    "bucket", [OWN_BUCKET, BUCKETEER, CLOUDCUBE, TESTS | OWN_BUCKET, MAIL | OWN_BUCKET | {"WEB_HOST": "[::]"}]
)
def test_valid_values_are_accepted(bucket: dict[str, str]) -> None:
    result = flask("worker", "--help", env={**GOOD, **bucket})
    assert result.exit_code == 0, result.stderr


@pytest.mark.servers
@pytest.mark.parametrize("program", ["start.py gunicorn", "-m gunicorn"])
def test_a_process_reports_an_invalid_value_in_one_sentence(program: str) -> None:
    command, env = [sys.executable, *program.split()], environment("LOG_LEVEL", "loud")
    run = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
    assert (run.returncode != 0, run.stdout) == (True, "")
    assert_is_one_sentence(run.stderr, "LOG_LEVEL", "loud")


# `flask db` needs the database and nothing else of the environment; the release phase all that the web needs.


@pytest.mark.parametrize("name", ["", "config.MigrationConfig", "config.TestingConfig", "config.ProductionConfig"])
def test_flask_db_wants_the_database_and_no_secret_and_no_bucket(name: str) -> None:
    heads = flask("db", "heads", env={**NOWHERE, "APP_SETTINGS": name})
    assert (heads.exit_code, heads.stderr) == (0, ""), heads.output
    refused = flask("db", "upgrade", env={"APP_SETTINGS": name})
    assert refused.exit_code != 0
    assert "Error: DATABASE_URL is not set" in refused.stderr


def test_development_still_finds_its_own_database_and_a_class_that_does_not_exist_is_refused() -> None:
    assert flask("db", "heads", env={"APP_SETTINGS": "config.DevelopmentConfig"}).exit_code == 0
    refused = flask("db", "heads", env={**NOWHERE, "APP_SETTINGS": "config.Production"})
    assert refused.exit_code != 0
    assert "APP_SETTINGS is not one of" in refused.stderr


def test_every_other_command_wants_what_its_class_asks_for_and_is_told_what_it_needs_first() -> None:
    for command in (("release", "status"), ("run",), ("other",)):
        refused = flask(*command, env={**NOWHERE, "APP_SETTINGS": "config.ProductionConfig"})
        assert (refused.exit_code != 0, "Error: SECRET_KEY is not set" in refused.stderr) == (True, True), command
    assert "Error: APP_SETTINGS is not set" in flask("worker", env={}).stderr
    assert "Error: DATABASE_URL is not set" in flask("db", "upgrade", env={}).stderr
    assert "Error: APP_SETTINGS is not set" in flask("--help", env={}).stderr


def run(command: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run it as a platform does: in a shell that has this environment only."""
    given = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "FLASK_SKIP_DOTENV": "1", **env}
    return subprocess.run(command, shell=True, cwd=ROOT, env=given, capture_output=True, text=True, timeout=120)


@pytest.mark.servers
def test_the_release_is_red_if_the_web_could_not_start_and_flask_db_is_not(environment: Environment) -> None:
    lines = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    url = {"DATABASE_URL": environment["DATABASE_URL"]}
    red = run(lines["release"], {**url, "APP_SETTINGS": "config.ProductionConfig"})
    assert red.returncode != 0
    assert red.stderr == (
        "Error: SECRET_KEY is not set, nor are S3_BUCKET, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY;"
        " .env.example says what they are for.\n"
    )
    done = run("flask db upgrade", url)
    assert done.returncode == 0, done.stderr
    assert "-> 0001" in done.stdout + done.stderr, "the red release had migrated already"
