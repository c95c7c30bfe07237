"""A Host header that cannot be one is 400; with TRUSTED_HOSTS every other is, too (host header injection)."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from config import TestingConfig
from tests.databases import Environment
from tests.visitor import Visitor
from tests.web.proxies import BehindAProxy

BAD_HOSTS = [
    "a" * 64, f"{'a' * 64}.example.com", f"notes.{'b' * 70}.com", "a..b", ".example.com", "exa mple.com", "a/b", "a\\b",
    "user@example.com", "example.com:0", "example.com:99999", "example.com:x", "[::1", "::1", "a?b", "a#b", "<b>",
    "\xe9", "%", "", "a" * 5000, "_dmarc.example.com", "example.com,evil.example",
]  # fmt: skip
PATHS = ["/", "/sign-in", "/notes", "/nothing", "/healthz", "/readyz", "/manifest.webmanifest"]


def production(environment: Environment, **values: str) -> FlaskClient:
    return create_app(BehindAProxy({**environment, **values})).test_client()


@pytest.mark.parametrize("host", BAD_HOSTS, ids=lambda host: host[:20] or "empty")
def test_a_malformed_host_is_a_400_page(
    app: Flask, client: Visitor, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)  # as in production
    for path in PATHS:
        for method in ("GET", "POST"):
            answer = client.open(path, method=method, headers={"Host": host, "Accept-Language": "ko"})
            assert answer.status_code == 400, (method, path)
            assert '<html lang="ko">' in answer.text
            assert host not in answer.text or len(host) < 2


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:5000", "[::1]:5000", "a" * 63 + ".example.com", "xn--bj0bv5f.kr"]
)
def test_a_host_of_any_name_is_served(client: Visitor, host: str) -> None:
    assert client.get("/sign-in", headers={"Host": host}).status_code == 200


def test_with_trusted_hosts_every_other_is_400(migrated_environment: Environment) -> None:
    hosts = {"TRUSTED_HOSTS": "notes.example.com .example.org"}
    client = create_app(TestingConfig({**migrated_environment, **hosts})).test_client()
    for host in ("notes.example.com", "notes.example.com:443", "example.org", "a.example.org"):
        assert client.get("/sign-in", headers={"Host": host}).status_code == 200, host
    for host in (
        "evil.example",
        "xnotes.example.com",
        "notes.example.com.evil.example",
        "evilexample.org",
        "127.0.0.1",
    ):
        answer = client.get("/sign-in", headers={"Host": host})
        assert answer.status_code == 400, host
        assert host not in answer.text


@pytest.mark.parametrize(
    "host", ["healthcheck.railway.app", "172.19.9.2:8080", "[fdaa:0:1::2]:8080", "127.0.0.1", "web"]
)
def test_health_checks_have_a_name_of_their_own(migrated_environment: Environment, host: str) -> None:
    client = production(migrated_environment, TRUSTED_HOSTS="notes.example.com")
    for path in ("/healthz", "/readyz"):
        assert client.get(path, headers={"Host": host}).status_code == 200, path
        answer = client.get(path, headers={"Host": host, "X-Forwarded-Proto": "http"})
        assert answer.status_code == 200, path
    for path in ("/", "/sign-in", "/healthz/", "/healthzz", "/static/../healthz", "/nothing"):
        assert client.get(path, headers={"Host": host}).status_code == 400, path


@pytest.mark.parametrize("host", BAD_HOSTS, ids=lambda host: host[:20] or "empty")
def test_a_malformed_host_is_400_for_health_checks_too(server_environment: Environment, host: str) -> None:
    client = production(server_environment, TRUSTED_HOSTS="notes.example.com")
    assert client.get("/healthz", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["evil.example", "a" * 64, "a..b", "evil.example/path"])
def test_the_redirect_to_https_leads_to_no_foreign_host(server_environment: Environment, host: str) -> None:
    client = production(server_environment, TRUSTED_HOSTS="notes.example.com")
    headers = {"Host": host, "X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example"}
    answer = client.get("/notes", headers=headers)
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_the_redirect_to_https_leads_to_the_same_address(server_environment: Environment) -> None:
    for given in ({"TRUSTED_HOSTS": "notes.example.com"}, {}):
        client = production(server_environment, **given)
        headers = {"Host": "notes.example.com", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example"}
        answer = client.get("/notes?q=%2F", headers=headers)
        assert (answer.status_code, answer.location) == (308, "https://notes.example.com/notes?q=/")
        assert answer.headers["Cache-Control"] == "no-store"  # so no cache hands it to others


def test_without_trusted_hosts_a_malformed_host_is_not_redirected_to(server_environment: Environment) -> None:
    client = production(server_environment)
    for host in BAD_HOSTS:
        answer = client.get("/notes", headers={"Host": host, "X-Forwarded-Proto": "http"})
        assert answer.status_code == 400, host
        assert "Location" not in answer.headers, host


@pytest.mark.parametrize("trusted", ["Notes.Example.com", ".example.com", "[2001:DB8::1] notes.example.com"])
@pytest.mark.parametrize("host", ["notes.example.com", "NOTES.example.com:8000", "notes.example.com."])
def test_the_case_of_a_host_its_port_and_its_last_dot_do_not_count(
    migrated_environment: Environment, trusted: str, host: str
) -> None:
    client = production(migrated_environment, TRUSTED_HOSTS=trusted)
    assert client.get("/sign-in", headers={"Host": host}).status_code == 200
    assert client.get("/sign-in", headers={"Host": f"evil{host}.test"}).status_code == 400


def test_an_ipv6_address_can_be_the_host(migrated_environment: Environment) -> None:
    client = production(migrated_environment, TRUSTED_HOSTS="[2001:db8::1]")
    assert client.get("/sign-in", headers={"Host": "[2001:db8::1]:8000"}).status_code == 200
    assert client.get("/sign-in", headers={"Host": "[2001:db8::2]"}).status_code == 400
