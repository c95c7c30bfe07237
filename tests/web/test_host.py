"""A Host header that cannot be one is 400; with TRUSTED_HOSTS every other is, too (host header injection)."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from tests.databases import Environment, migrated_database
from tests.visitor import Visitor
from tests.web.proxies import BehindAProxy

BAD_HOSTS = [
    "a" * 64, f"notes.{'b' * 70}.com", "a..b", ".example.com", "exa mple.com", "a/b", "a\\b", "user@example.com",
    "example.com:0", "example.com:99999", "example.com:x", "[::1", "::1", "a?b", "a#b", "<b>", "\xe9", "%", "",
    "a" * 5000, "_dmarc.example.com", "example.com,evil.example",
]  # fmt: skip
PATHS = ["/notes", "/nothing", "/healthz"]
EVIL = {"X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example"}


@pytest.fixture(scope="module")
def environment(server_environment: Environment) -> Iterator[Environment]:
    with migrated_database(server_environment) as environment:
        yield environment


@pytest.fixture(scope="module")
def any_host(environment: Environment) -> FlaskClient:
    """Return a site in production without TRUSTED_HOSTS."""
    return create_app(BehindAProxy(environment)).test_client()


@pytest.fixture(scope="module")
def one_host(environment: Environment) -> FlaskClient:
    hosts = "Notes.Example.com .example.org [2001:DB8::1]"
    return create_app(BehindAProxy({**environment, "TRUSTED_HOSTS": hosts})).test_client()


def status(client: FlaskClient, host: str, path: str = "/sign-in") -> int:
    return client.get(path, headers={"Host": host}).status_code


def test_a_malformed_host_is_a_400_page(app: Flask, client: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)  # as in production
    for host in BAD_HOSTS:
        for path in PATHS:
            answer = client.get(path, headers={"Host": host, "Accept-Language": "ko"})
            assert answer.status_code == 400, (host, path)
            assert '<html lang="ko">' in answer.text
            assert host not in answer.text or len(host) < 2
        assert client.post("/sign-in", headers={"Host": host}).status_code == 400, host


def test_a_host_of_any_name_is_served(client: Visitor) -> None:
    for host in ("localhost", "127.0.0.1:5000", "[::1]:5000", "a" * 63 + ".example.com", "xn--bj0bv5f.kr"):
        assert client.get("/sign-in", headers={"Host": host}).status_code == 200, host


def test_with_trusted_hosts_every_other_is_400(one_host: FlaskClient) -> None:
    """The case of a host, its port and its last dot do not count."""
    trusted = ("notes.example.com", "NOTES.example.com:443", "notes.example.com.", "example.org", "a.example.org")
    for host in (*trusted, "[2001:db8::1]:8000"):
        assert status(one_host, host) == 200, host
    others = ("evil.example", "xnotes.example.com", "notes.example.com.evil.example", "evilexample.org", "127.0.0.1")
    for host in (*others, "[2001:db8::2]", *BAD_HOSTS):
        assert status(one_host, host) == 400, host


def test_health_checks_have_a_name_of_their_own(one_host: FlaskClient) -> None:
    for host in ("healthcheck.railway.app", "172.19.9.2:8080", "[fdaa:0:1::2]:8080", "web"):
        for path in ("/healthz", "/readyz"):
            assert status(one_host, host, path) == 200, path
            assert one_host.get(path, headers={"Host": host, "X-Forwarded-Proto": "http"}).status_code == 200, path
        for path in ("/", "/healthz/", "/healthzz", "/static/../healthz", "/nothing"):
            assert status(one_host, host, path) == 400, path
    assert [host for host in BAD_HOSTS if status(one_host, host, "/healthz") != 400] == []


def test_the_redirect_to_https_leads_to_the_same_address(any_host: FlaskClient, one_host: FlaskClient) -> None:
    for client in (any_host, one_host):
        answer = client.get("/notes?q=%2F", headers={"Host": "notes.example.com", **EVIL})
        assert (answer.status_code, answer.location) == (308, "https://notes.example.com/notes?q=/")
        assert answer.headers["Cache-Control"] == "no-store"  # so no cache hands it to others


def test_the_redirect_to_https_leads_to_no_foreign_host(any_host: FlaskClient, one_host: FlaskClient) -> None:
    for client, hosts in ((one_host, ["evil.example", "evil.example/path"]), (any_host, BAD_HOSTS)):
        for host in hosts:
            answer = client.get("/notes", headers={"Host": host, **EVIL})
            assert (answer.status_code, "Location" in answer.headers) == (400, False), host
