"""config.py: only the environment decides whether the code runs as development, staging or production."""

import ipaddress
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from app import create_app
from app.storage import Bucket
from config import (
    CLASSES,
    DEVELOPMENT_KEY,
    Config,
    DevelopmentConfig,
    MigrationConfig,
    ProductionConfig,
    StagingConfig,
    TestingConfig,
    checked,
    for_migrations,
    from_environment,
)
from environment.database import ENCODING, LIVENESS
from environment.values import PLATFORMS, SHORTEST_KEY, ConfigError, whole_number
from tools.dev import postgres, s3

KEY = secrets.token_hex(32)
ENVIRONMENT = {
    "APP_SETTINGS": "config.ProductionConfig",
    "SECRET_KEY": KEY,
    "DATABASE_URL": "postgres://user:pass@db.example.com:5432/name",
    "S3_BUCKET": "bucket",
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "secret",
}
IN_HOST = {"S3_ADDRESSING": "virtual"}
BUCKETEER = {
    "BUCKETEER_BUCKET_NAME": "bucketeer-1",
    "BUCKETEER_AWS_REGION": "eu-west-1",
    "BUCKETEER_AWS_ACCESS_KEY_ID": "bid",
    "BUCKETEER_AWS_SECRET_ACCESS_KEY": "hidden",
}
CLOUDCUBE = {
    "CLOUDCUBE_URL": "https://cloud-cube.s3.amazonaws.com/abc123",
    "CLOUDCUBE_ACCESS_KEY_ID": "cid",
    "CLOUDCUBE_SECRET_ACCESS_KEY": "hidden",
}


def config(**changes: str) -> Config:
    return from_environment({**ENVIRONMENT, **changes})


def without(*names: str) -> dict[str, str]:
    return {name: value for name, value in ENVIRONMENT.items() if name not in names}


def storage_of(env: Mapping[str, str]) -> tuple[Any, ...]:
    found = ProductionConfig(env)
    return found.S3_BUCKET, found.S3_REGION, found.S3_PREFIX, found.S3_PUBLIC_URL, found.S3_ACCESS_KEY_ID


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_every_postgres_scheme_gets_the_driver_and_keeps_the_query(scheme: str) -> None:
    found = config(DATABASE_URL=f"{scheme}://u:p%40ss@localhost/n?application_name=x")
    serves, migrates = make_url(found.SQLALCHEMY_DATABASE_URI), make_url(found.MIGRATION_DATABASE_URI)
    assert (serves.drivername, serves.password) == ("postgresql+psycopg", "p@ss")
    assert serves.query == {"application_name": "x", **LIVENESS, **ENCODING}
    assert migrates == serves.set(drivername="postgresql+psycopg2")


def test_a_remote_database_host_requires_tls() -> None:
    for url, sslmode in (
        ("postgres://u:p@db.example.com/n", "require"),
        ("postgres://u:p@db.example.com/n?sslmode=verify-full", "verify-full"),
        ("postgres://u:p@[::1]/n", None),
        ("postgres:///n?host=/var/run/postgresql", None),
        ("postgres:///n?host=db.example.com", "require"),
    ):
        assert make_url(config(DATABASE_URL=url).SQLALCHEMY_DATABASE_URI).query.get("sslmode") == sslmode, url


def shown_to_plain_servers() -> dict[str, str]:
    """Return the variables of the page, but for the key, which the reader makes."""
    text = (Path(__file__).parents[1] / "docs/plain-server.md").read_text()
    [shown] = [part for part in text.split("\n\n") if "    APP_SETTINGS=" in part]
    return dict(line.strip().split("=", 1) for line in shown.splitlines())


def test_a_number_may_be_its_limit_and_not_beyond() -> None:
    assert [whole_number({"PORT": value}, "PORT", 5000, highest=65535) for value in ("1", "65535")] == [1, 65535]
    for value in ("0", "65536"):
        with pytest.raises(ConfigError, match="whole number from 1 to 65535"):
            whole_number({"PORT": value}, "PORT", 5000, highest=65535)


@pytest.mark.parametrize("key", ["B2C5F0D1A47E4C39955A6B1F8E0D7C2364F1A9E8D0B7C6A5+more", "1234567890" * 4])
def test_a_published_key_and_one_that_repeats_itself_are_refused_also_as_a_fallback(key: str) -> None:
    for changes in ({"SECRET_KEY": key}, {"SECRET_KEY_FALLBACKS": f"{KEY} {key}"}):
        with pytest.raises(ConfigError, match=f"^{next(iter(changes))} holds a placeholder") as refusal:
            config(**changes)
        assert key not in str(refusal.value)
    assert [KEY, KEY[::-1]] == config(SECRET_KEY_FALLBACKS=f"{KEY} {KEY[::-1]}").SECRET_KEY_FALLBACKS


@pytest.mark.parametrize(
    ("env", "missing"),
    [
        ({}, "APP_SETTINGS SECRET_KEY DATABASE_URL S3_BUCKET AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY"),
        (without("APP_SETTINGS"), "APP_SETTINGS"),
        (without("DATABASE_URL", "S3_BUCKET") | {"SECRET_KEY": ""}, "SECRET_KEY DATABASE_URL S3_BUCKET"),
        (ENVIRONMENT | {"SMTP_URL": "smtp://localhost"}, "MAIL_FROM SITE_URL"),
        (
            without("S3_BUCKET") | {"CLOUDCUBE_URL": CLOUDCUBE["CLOUDCUBE_URL"]},
            "CLOUDCUBE_ACCESS_KEY_ID CLOUDCUBE_SECRET_ACCESS_KEY",
        ),
        (
            without("S3_BUCKET") | {"BUCKETEER_BUCKET_NAME": "bucketeer-1"},
            "BUCKETEER_AWS_REGION BUCKETEER_AWS_ACCESS_KEY_ID BUCKETEER_AWS_SECRET_ACCESS_KEY",
        ),
        (without("S3_BUCKET") | BUCKETEER | {"BUCKETEER_BUCKET_NAME": ""}, "BUCKETEER_BUCKET_NAME"),
    ],
)
def test_all_that_is_missing_is_said_at_once(env: dict[str, str], missing: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        from_environment(env)
    assert (refusal.value.missing, refusal.value.unusable) == (tuple(missing.split()), ())
    assert all(name in refusal.value.message for name in missing.split())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("PORT", "x"), ("FLASK_DEBUG", "1"), ("LOG_LEVEL", "loud"), ("WEB_THREADS", "x"), ("SITE_URL", "foo")),
        *(("SENTRY_DSN", "x"), ("SMTP_URL", "x"), ("FOLLOWER_DATABASE_URL", "x"), ("S3_PREFIX", "ä")),
        ("SECRET_KEY_FALLBACKS", "short"),
    ],
)
def test_what_is_missing_is_said_beside_what_is_unusable(name: str, value: str) -> None:
    unusable = {name: value}
    needed = ["SECRET_KEY", "DATABASE_URL", "S3_BUCKET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    needed += ["MAIL_FROM", "SITE_URL"] if name == "SMTP_URL" else []
    for settings in ("config.ProductionConfig", "config.StagingConfig", "config.TestingConfig"):
        with pytest.raises(ConfigError) as refusal:
            from_environment({"APP_SETTINGS": settings, **unusable})
        assert refusal.value.missing == tuple(needed)
    with pytest.raises(ConfigError) as unnamed:
        from_environment(unusable)
    assert unnamed.value.missing == ("APP_SETTINGS", *needed)
    with pytest.raises(ConfigError, match=name):
        config(**{"MAIL_FROM": "hello@example.com", "SITE_URL": "https://example.com", **unusable})


def test_unusable_values_of_several_kinds_are_said_at_once() -> None:
    with pytest.raises(ConfigError) as refusal:
        config(SECRET_KEY="short", PORT="x", DATABASE_URL="nonsense", S3_BUCKET="a", SITE_URL="foo", TRUSTED_HOSTS="/")
    told = [sentence.split()[0] for sentence in refusal.value.unusable]
    assert told == ["SECRET_KEY", "PORT", "DATABASE_URL", "S3_BUCKET", "SITE_URL", "TRUSTED_HOSTS"]


def test_development_has_a_default_key_and_refuses_a_weak_one() -> None:
    assert DevelopmentConfig({}).SECRET_KEY == DEVELOPMENT_KEY
    with pytest.raises(ConfigError, match="SECRET_KEY"):
        DevelopmentConfig({"SECRET_KEY": "x" * 64})


def test_development_without_its_packages_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(ConfigError, match=r"DevelopmentConfig, which needs psutil; .* requirements-dev\.txt$"):
        DevelopmentConfig({})


def test_a_key_of_exactly_the_shortest_length_is_accepted() -> None:
    assert config(SECRET_KEY=KEY[:SHORTEST_KEY]).SECRET_KEY
    with pytest.raises(ConfigError, match="less than 32"):
        config(SECRET_KEY=KEY[1:SHORTEST_KEY])


def test_the_pool_size_is_the_web_threads_and_every_wait_has_a_timeout() -> None:
    options = config(WEB_THREADS="7").SQLALCHEMY_ENGINE_OPTIONS
    assert (options["pool_size"], options["max_overflow"], options["pool_timeout"]) == (7, 0, 3)
    assert options["pool_pre_ping"]
    assert options["pool_recycle"] <= 300
    assert options["connect_args"]["connect_timeout"] == 3
    assert "options" not in options["connect_args"]  # a pooler refuses them: see app/database/connection.py
    assert config(WEB_THREADS="2", WORKER_THREADS="9").SQLALCHEMY_ENGINE_OPTIONS["pool_size"] == 9


COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_the_commit_that_runs_is_the_first_that_the_platform_tells() -> None:
    named = ("HEROKU_BUILD_COMMIT", "HEROKU_SLUG_COMMIT", "GIT_REV", "RENDER_GIT_COMMIT", "RAILWAY_GIT_COMMIT_SHA")
    for name in (*named, "CC_COMMIT_ID", "CONTAINER_VERSION"):
        assert COMMIT[:12] == config(**{name: COMMIT}).COMMIT, name
    assert config(HEROKU_BUILD_COMMIT="a" * 40, GIT_REV=COMMIT).COMMIT == "a" * 12
    assert config(HEROKU_BUILD_COMMIT="v12", CONTAINER_VERSION="b" * 40).COMMIT == "b" * 12
    for other in ("", "v1.2", "0123", "<script>alert(1)</script>", f"{COMMIT}x", COMMIT.upper()):
        assert config(GIT_REV=other).COMMIT is None


def test_pages_of_this_machine_are_fetched_in_testing_where_named_and_in_development_only() -> None:
    env = {**ENVIRONMENT, "TEST_PAGE_SERVERS": "127.0.0.1:8000"}
    assert not [cls for cls in (ProductionConfig, StagingConfig) if cls(env).PAGE_SERVERS]
    assert {ipaddress.ip_address(ip).is_loopback for ip, _port in DevelopmentConfig(env).PAGE_SERVERS} == {True}
    assert list(TestingConfig(env).PAGE_SERVERS) == [("127.0.0.1", 8000)]


def test_every_database_is_opened_in_utf8_and_not_waited_for_when_it_is_gone() -> None:
    for variable, setting in (
        ("DATABASE_CONNECTION_POOL_URL", "SQLALCHEMY_DATABASE_URI"),
        *((f"{name}_DATABASE_URL", f"{name}_DATABASE_URI") for name in ("MIGRATION", "FOLLOWER", "SCRATCH")),
    ):
        found = make_url(getattr(config(**{variable: "postgres://u:p@localhost/other"}), setting))
        assert (found.database, found.query) == ("other", {**LIVENESS, **ENCODING}), variable


def test_options_in_the_database_url_are_kept_and_may_replace_ours_but_for_the_encoding() -> None:
    url = "postgresql://u:p@localhost/n?options=-c%20search_path%3Dmine&keepalives_idle=60"
    given = make_url(config(DATABASE_URL=url).SQLALCHEMY_DATABASE_URI)
    assert given.query == {"options": "-c search_path=mine", **LIVENESS, "keepalives_idle": "60", **ENCODING}
    with pytest.raises(ConfigError, match="an option client_encoding"):
        config(DATABASE_URL="postgresql://u:p@localhost/n?client_encoding=latin1")


def test_a_pooler_is_for_pages_and_jobs_and_migrations_keep_to_the_direct_url() -> None:
    pooled = config(DATABASE_CONNECTION_POOL_URL="postgres://u:p@pooler.example.com/n")
    url = make_url(pooled.SQLALCHEMY_DATABASE_URI)
    assert (url.host, url.query["sslmode"]) == ("pooler.example.com", "require")
    assert pooled.MIGRATION_DATABASE_URI == config().MIGRATION_DATABASE_URI
    assert config(DATABASE_CONNECTION_POOL_URL="").SQLALCHEMY_DATABASE_URI == config().SQLALCHEMY_DATABASE_URI
    direct = make_url(config(MIGRATION_DATABASE_URL="postgres://u:p@direct.example.com/n").MIGRATION_DATABASE_URI)
    assert (direct.host, direct.query["sslmode"]) == ("direct.example.com", "require")


MIGRATING = {"APP_SETTINGS": "config.MigrationConfig", "DATABASE_URL": ENVIRONMENT["DATABASE_URL"]}


def test_a_process_that_only_migrates_needs_the_database_alone_and_has_no_page_no_worker_and_no_secret() -> None:
    found = from_environment(MIGRATING)
    assert found.MIGRATION_DATABASE_URI == ProductionConfig(ENVIRONMENT).MIGRATION_DATABASE_URI
    app = create_app(from_environment({**ENVIRONMENT, **MIGRATING}))
    assert [*app.url_map.iter_rules()] == []
    assert app.cli.commands.keys() == {"db", "release"}
    assert not app.config["SECRET_KEY"]
    assert not [name for name in app.config if name.startswith(("S3_", "SMTP_"))]


def test_a_web_that_is_started_as_one_that_only_migrates_refuses() -> None:
    with pytest.raises(SystemExit, match=r"^Error: .* serves no page"):
        checked(MIGRATING)


def test_staging_and_production_differ_only_in_the_environment() -> None:
    assert {name for name in dir(StagingConfig) if name.isupper()} == {n for n in dir(ProductionConfig) if n.isupper()}
    assert vars(StagingConfig(ENVIRONMENT)) == vars(ProductionConfig(ENVIRONMENT))
    assert StagingConfig.SESSION_COOKIE_NAME == "__Host-semicircle"
    assert StagingConfig.SESSION_COOKIE_SECURE


@pytest.mark.parametrize("name", [name for name in CLASSES if name != "config.DevelopmentConfig"])
def test_only_development_debugs_and_has_defaults(name: str) -> None:
    """Nor does Flask's own switch go past the class."""
    assert not CLASSES[name].DEBUG
    with pytest.raises(ConfigError):
        CLASSES[name]({})
    with pytest.raises(ConfigError, match="FLASK_DEBUG is set"):
        CLASSES[name]({**ENVIRONMENT, "FLASK_DEBUG": "on"})
    assert not [off for off in ("", "0", "false", "no") if CLASSES[name]({**ENVIRONMENT, "FLASK_DEBUG": off}).DEBUG]


@pytest.mark.parametrize("name", PLATFORMS)
def test_settings_of_a_developers_machine_refuse_each_platform(name: str) -> None:
    for cls in (DevelopmentConfig, TestingConfig):
        said = f"{cls.__name__}.* but {name} is set, .* set APP_SETTINGS to config.Staging"
        with pytest.raises(ConfigError, match=said):
            cls({**ENVIRONMENT, name: "web.1"})
        cls({**ENVIRONMENT, name: ""})
    for welcome in (ProductionConfig, StagingConfig, MigrationConfig):
        welcome({**ENVIRONMENT, name: "web.1"})


def test_heroku_ci_runs_the_tests_on_a_dyno_and_heroku_local_runs_on_none() -> None:
    TestingConfig({**ENVIRONMENT, "DYNO": "run.1", "CI": "true", "HEROKU_TEST_RUN_ID": "01234567"})
    DevelopmentConfig({"PORT": "5000", "FOREMAN_WORKER_NAME": "web.1"})
    with pytest.raises(ConfigError, match="but DYNO is set"):
        TestingConfig({**ENVIRONMENT, "DYNO": "web.1", "CI": "true", "HEROKU_TEST_RUN_ID": ""})
    with pytest.raises(ConfigError, match="but DYNO is set"):  # as `flask db` does
        for_migrations({**ENVIRONMENT, "APP_SETTINGS": "config.TestingConfig", "DYNO": "release.1"})


def test_secret_links_never_go_over_http_to_another_machine() -> None:
    for url in ("HTTP://notes.example.com:443/", "http://127.0.0.1.example.com", "http://[::2]"):
        with pytest.raises(ConfigError, match=r"^SITE_URL has to begin with https://"):
            config(SITE_URL=url)
        assert url.lower().rstrip("/") == DevelopmentConfig({"SITE_URL": url}).SITE_URL
    for url in ("http://LOCALHOST", "http://127.0.0.1:8000", "http://[::1]:1"):
        assert url == config(SITE_URL=url).SITE_URL


def with_ports(folder: Path, content: str) -> DevelopmentConfig:
    """Return the configuration of development with this ports file, in a temporary folder."""

    class Checkout(DevelopmentConfig):
        PORTS_FILE = folder / "ports.json"

    Checkout.PORTS_FILE.write_text(content)
    return Checkout({})


def test_development_needs_no_variables_and_uses_embedded_servers(tmp_path: Path) -> None:
    """On the ports that `make dev` chose."""
    found = with_ports(tmp_path, '{"web": 5001, "postgres": 12345, "s3": 12350}')
    assert (found.EMBEDDED_POSTGRES, found.EMBEDDED_S3) == (True, True)
    assert found.SQLALCHEMY_DATABASE_URI.replace("+psycopg", "").partition("?")[0] == postgres.url(12345)
    assert (s3.endpoint(12350), f"{s3.endpoint(12350)}/semicircle") == (found.S3_ENDPOINT_URL, found.S3_PUBLIC_URL)
    assert (found.S3_ACCESS_KEY_ID, found.S3_SECRET_ACCESS_KEY) == (s3.ACCESS_KEY, s3.SECRET_KEY)


def test_development_without_valid_ports_connects_to_no_server_but_to_those_that_are_set(tmp_path: Path) -> None:
    for content in ("", "[]", '{"postgres": "12345"}', '{"postgres": 65536}', '{"postgres": true}'):
        found = with_ports(tmp_path, content)
        assert make_url(found.SQLALCHEMY_DATABASE_URI).port == DevelopmentConfig.NOBODY, content
        assert f"http://127.0.0.1:{DevelopmentConfig.NOBODY}" == found.S3_ENDPOINT_URL
    found = DevelopmentConfig({**without("APP_SETTINGS"), "S3_ENDPOINT_URL": "https://s3.example.com"})
    assert (found.EMBEDDED_POSTGRES, found.EMBEDDED_S3) == (False, False)
    assert make_url(found.SQLALCHEMY_DATABASE_URI).host == "db.example.com"
    assert found.S3_PUBLIC_URL == "https://s3.example.com/bucket"


def test_storage_variables_of_our_own_take_precedence_over_addons() -> None:
    bare = without("S3_BUCKET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    own = ("bucket", "us-east-1", "", "https://bucket.s3.us-east-1.amazonaws.com", "id")
    bucketeer = ("bucketeer-1", "eu-west-1", "public/", "https://bucketeer-1.s3.eu-west-1.amazonaws.com", "bid")
    cloudcube = ("cloud-cube", "us-east-1", "abc123/public/", "https://cloud-cube.s3.amazonaws.com", "cid")
    assert storage_of({**ENVIRONMENT, **BUCKETEER, **CLOUDCUBE}) == own
    assert storage_of({**bare, **BUCKETEER, **CLOUDCUBE}) == bucketeer
    assert storage_of({**bare, **CLOUDCUBE}) == cloudcube


def test_a_prefix_ends_with_one_slash_and_a_public_url_with_none() -> None:
    found = config(S3_PREFIX="/photos/", S3_PUBLIC_URL="https://cdn.example.com/")
    assert (found.S3_PREFIX, found.S3_PUBLIC_URL) == ("photos/", "https://cdn.example.com")


@pytest.mark.parametrize(
    ("settings", "address"),
    [
        ({}, ("virtual", "https://bucket.s3.eu-west-1.amazonaws.com")),
        ({"S3_ADDRESSING": "path"}, ("path", "https://s3.eu-west-1.amazonaws.com/bucket")),
        ({"S3_BUCKET": "a.bucket"}, ("virtual", "https://s3.eu-west-1.amazonaws.com/a.bucket")),
        ({"S3_ENDPOINT_URL": "https://a.test/s3"}, ("path", "https://a.test/s3/bucket")),
        ({"S3_ENDPOINT_URL": "https://a.test/s3", **IN_HOST}, ("virtual", "https://bucket.a.test/s3")),
        ({"S3_ENDPOINT_URL": "http://127.0.0.1:8000", **IN_HOST}, ("virtual", "http://127.0.0.1:8000/bucket")),
        ({"S3_ENDPOINT_URL": "https://a.test", "S3_BUCKET": "A_B", **IN_HOST}, ("virtual", "https://a.test/A_B")),
    ],
)
def test_a_photo_is_loaded_where_a_request_names_the_bucket(settings: dict[str, str], address: tuple[str, str]) -> None:
    found = config(S3_REGION="eu-west-1", **settings)
    assert address == (found.S3_ADDRESSING, found.S3_PUBLIC_URL)
    requested = Bucket(vars(found)).client.generate_presigned_url("get_object", {"Bucket": found.S3_BUCKET, "Key": "k"})
    assert requested.startswith(f"{found.S3_PUBLIC_URL}/k?")


def test_an_application_is_created_without_a_database_or_a_network() -> None:
    app = create_app(config(DATABASE_URL="postgres://u:p@192.0.2.1/n", S3_ENDPOINT_URL="https://192.0.2.1"))
    assert app.test_client().get("/healthz").status_code == 200
