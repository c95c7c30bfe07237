"""The proxy in front: the client's address as it says it, whatever the client sends itself; the Host, and HTTPS.

The operator is told when all readers look alike, and only then.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from itertools import count, product
from typing import NamedTuple

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from app import create_app, tracing
from app.accounts.models import User
from app.web import address_watch, proxy
from app.web.address_watch import ENOUGH, MISSING, MOST, AddressWatch
from config import ProductionConfig, TestingConfig
from tests.conftest import browser_of
from tests.databases import Environment, migrated_database
from tests.test_config import ENVIRONMENT
from tests.visitor import Visitor

Headers = Mapping[str, str]


class BehindAProxy(TestingConfig, ProductionConfig):
    """Production's policy, on the servers of the tests."""

    SERVES_STRANGERS = True  # the variables of a platform may be set


class Platform(NamedTuple):
    variables: dict[str, str]  # that it sets, or its recipe has one set
    forwarded: Callable[[str, Headers], dict[str, str]]  # from the client's address, and the headers that it sends


def appended(sent: Headers, *addresses: str) -> str:
    """Return X-Forwarded-For as each proxy lengthens it."""
    return ", ".join([*filter(None, [sent.get("X-Forwarded-For")]), *addresses])


def edge(*of: object) -> int:
    """Choose one of many servers of a network, as another one takes each request."""
    return len(repr(of)) % 100 + ord(str(of[0])[-1])


def nginx(client: str, sent: Headers) -> dict[str, str]:
    return {**sent, "X-Forwarded-For": appended(sent, client), "X-Forwarded-Proto": "https"}


def replacing(client: str, sent: Headers) -> dict[str, str]:
    return {**sent, "X-Forwarded-For": client, "X-Forwarded-Proto": "https", "X-Forwarded-Port": "443"}


def sozu(client: str, sent: Headers) -> dict[str, str]:
    """Leave X-Forwarded-Proto and X-Forwarded-Port as the client has sent them."""
    return {"X-Forwarded-Proto": "https", **sent, "X-Forwarded-For": appended(sent, client)}


def fly(client: str, sent: Headers) -> dict[str, str]:
    addresses = appended(sent, client, "66.241.125.7")  # the last is the application's own
    return {**sent, "X-Forwarded-For": addresses, "Fly-Client-IP": client, "X-Forwarded-Proto": "https"}


def railway(client: str, sent: Headers) -> dict[str, str]:
    addresses = f"{client}, 152.233.33.{edge(client, sent)}"
    return {**sent, "X-Forwarded-For": addresses, "X-Real-IP": client, "X-Forwarded-Proto": "https"}


def cloudflare(client: str, sent: Headers) -> dict[str, str]:
    return {**nginx(client, sent), "CF-Connecting-IP": client}


def render(client: str, sent: Headers) -> dict[str, str]:
    there = cloudflare(client, sent)
    return {**there, "True-Client-IP": client, "X-Forwarded-For": appended(there, "172.71.195.123", "10.226.90.65")}


def behind_cloudflare(proxy: Callable[[str, Headers], dict[str, str]]) -> Callable[[str, Headers], dict[str, str]]:
    return lambda client, sent: proxy(f"172.71.195.{edge(client)}", cloudflare(client, sent))


PLATFORMS = {
    "Render, with another header": Platform({"RENDER": "true", "CLIENT_ADDRESS": "True-Client-IP"}, render),
    "Heroku": Platform({"DYNO": "web.1"}, lambda client, sent: {**nginx(client, sent), "X-Forwarded-Port": "443"}),
    "Dokku": Platform({"DYNO": "web.1", "DOKKU_APP_TYPE": "herokuish"}, replacing),
    "Clever Cloud": Platform({"CC_DEPLOYMENT_ID": "deployment_1"}, sozu),
    "Fly.io": Platform({"FLY_APP_NAME": "notes", "FLY_MACHINE_ID": "1"}, fly),
    "Render": Platform({"RENDER": "true"}, render),
    "Railway": Platform({"RAILWAY_PROJECT_ID": "1", "RAILWAY_ENVIRONMENT": "production"}, railway),
    "Fly.io behind Cloudflare": Platform(
        {"FLY_APP_NAME": "notes", "CLIENT_ADDRESS": "X-Forwarded-For:3"}, behind_cloudflare(fly)
    ),
    "Railway behind Cloudflare": Platform(
        {"RAILWAY_PROJECT_ID": "1", "CLIENT_ADDRESS": "CF-Connecting-IP"}, behind_cloudflare(railway)
    ),
}

# Headers that a client may send itself.
SPOOFS: dict[str, Headers] = {
    "nothing": {},
    "one": {"X-Forwarded-For": "6.6.6.6"},
    "a private one": {"X-Forwarded-For": "10.0.0.1"},
    "no address": {"X-Forwarded-For": "' OR 1=1--, unknown, _hidden"},
    "empty entries": {"X-Forwarded-For": ",, ,"},
    "ports": {"X-Forwarded-For": "[2001:db8::6]:443, 6.6.6.6:80, [2001:db8::6"},
    "headers of others": {"X-Real-IP": "6.6.6.6", "Fly-Client-IP": "6.6.6.6", "CF-Connecting-IP": "6.6.6.6"},
    "headers that are not read": {
        "Forwarded": 'for=6.6.6.6;proto=http;host="evil.example"', "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Port": "6666", "X-Forwarded-Prefix": "/evil", "X-Script-Name": "/evil",
        "X-Forwarded-Protocol": "ssl", "X-Forwarded-Ssl": "off", "X-Forwarded-Scheme": "http",
    },
    "no scheme": {"X-Forwarded-Proto": "javascript"},
}  # fmt: skip


CLIENTS = ["81.97.145.24", "2a02:8071:5:6::7", "203.0.113.7"]
PEER = "10.0.0.1"


def site(variables: Headers | None = None, settings: type[TestingConfig] = BehindAProxy) -> FlaskClient:
    """Serve a page that says whom a limit by address counts, and its own address."""
    app = Flask(__name__)
    app.config.from_object(settings({**ENVIRONMENT, **(variables or {})}))
    proxy.init_app(app)
    app.add_url_rule("/", view_func=lambda: f"{proxy.client_network()} {request.script_root} {request.host}")
    return app.test_client()


def seen(site: FlaskClient, headers: Headers, peer: str = PEER) -> str:
    there = {"Host": "notes.example.com", **headers}
    return site.get("/", headers=there, environ_base={"REMOTE_ADDR": peer}).text


def of(address: str) -> str:
    network = {"2a02:8071:5:6::7": "2a02:8071:5:6::/64"}.get(address, address)
    return f"{network}  notes.example.com"


def test_on_each_platform_the_client_counts_whatever_it_sends() -> None:
    for name, (variables, forwarded) in PLATFORMS.items():
        there = site(variables)
        for client, (spoof, sent) in product(CLIENTS, SPOOFS.items()):
            assert seen(there, forwarded(client, sent)) == of(client), (name, spoof)


def test_without_a_proxy_the_peer_counts_whatever_it_sends() -> None:
    there = site(settings=TestingConfig)
    for client, (spoof, sent) in product(CLIENTS, SPOOFS.items()):
        assert seen(there, sent, client) == of(client), spoof


def test_who_went_past_a_proxy_is_the_peer_and_not_whom_he_names() -> None:
    """Such as a health check, which comes from inside the platform."""
    past: list[tuple[str, Headers]] = [
        ("X-Forwarded-For", {}),
        ("X-Forwarded-For:2", {"X-Forwarded-For": "6.6.6.6"}),
        ("X-Real-IP", {"X-Forwarded-For": "6.6.6.6", "Fly-Client-IP": "6.6.6.6"}),
        ("X-Real-IP", {"X-Real-IP": ""}),
    ]
    assert [case for case in past if seen(site({"CLIENT_ADDRESS": case[0]}), case[1]) != of(PEER)] == []


def test_an_address_is_read_as_proxies_write_it() -> None:
    there = site()
    for written, network in (
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("203.0.113.7:54321", "203.0.113.7"),
        ("[2001:db8:1:2::1]:54321", "2001:db8:1:2::/64"),
        ("[fe80::1%eth0]", "fe80::/64"),
        *((garbage, "None") for garbage in ("evil", "203.0.113.7:80:80", "[]", "1" * 5000)),  # counted as one
    ):
        assert seen(there, {"X-Forwarded-For": written}).split()[0] == network, written
        assert seen(there, {}, peer=written).split()[0] == network, written


def test_what_the_proxy_says_last_is_the_scheme() -> None:
    answer = site().get("/", headers={"X-Forwarded-Proto": "https, http"})
    assert (answer.status_code, answer.location) == (308, "https://localhost/")


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


def test_the_redirect_to_https_leads_to_the_same_address_and_no_foreign_host(
    any_host: FlaskClient, one_host: FlaskClient
) -> None:
    for client in (any_host, one_host):
        answer = client.get("/notes?q=%2F", headers={"Host": "notes.example.com", **EVIL})
        assert (answer.status_code, answer.location) == (308, "https://notes.example.com/notes?q=/")
        assert answer.headers["Cache-Control"] == "no-store"  # so no cache hands it to others
    for client, hosts in ((one_host, ["evil.example", "evil.example/path"]), (any_host, BAD_HOSTS)):
        for host in hosts:
            answer = client.get("/notes", headers={"Host": host, **EVIL})
            assert (answer.status_code, "Location" in answer.headers) == (400, False), host


READERS = ["81.97.145.24", "2a02:8071:5:6::7", "193.99.144.80", "5.9.164.112"]
SPOOFED = [{"X-Forwarded-For": f"6.6.6.{number}"} for number in range(len(READERS))]


class Site:
    """Serve behind a proxy."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        app = Flask(__name__)
        app.config.from_object(BehindAProxy({**ENVIRONMENT, **variables}))
        proxy.init_app(app)
        address_watch.init_app(app)
        app.add_url_rule("/", view_func=self._page)
        self.watch = app.extensions["address_watch"]
        self._client: FlaskClient = app.test_client()
        self._accounts = count(1)

    def _page(self) -> str:
        tracing.begin(tracing.Span(tracing.WEB, None, account=request.args.get("account", type=int)))
        return ""

    def visit(self, headers: Headers, account: int | None = None) -> None:
        """Visit as an account of its own, as the one that is named, or signed out (0)."""
        query = {"account": next(self._accounts) if account is None else account or None}
        self._client.get("/", query_string=query, headers=headers, environ_base={"REMOTE_ADDR": "10.0.0.1"})


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == address_watch.__name__]


WRONG = {
    "the last address is a proxy": ("Render", {"CLIENT_ADDRESS": "X-Forwarded-For"}),
    "a CDN in front is not said": ("Fly.io behind Cloudflare", {"CLIENT_ADDRESS": ""}),
    "more proxies than there are": ("Heroku", {"CLIENT_ADDRESS": "X-Forwarded-For:2"}),
}


@pytest.mark.parametrize(("platform", "variables"), WRONG.values(), ids=WRONG)
def test_a_wrong_setting_is_found_and_said_once_and_one_reader_is_no_sign(
    caplog: pytest.LogCaptureFixture, platform: str, variables: dict[str, str]
) -> None:
    there = PLATFORMS[platform]
    site = Site({**there.variables, **variables})
    for _ in range(MOST):
        site.visit(there.forwarded(READERS[0], {}), account=1000)
        site.visit(there.forwarded(READERS[1], {}), account=0)
    for reader in READERS[1:ENOUGH]:
        assert site.watch.found is None
        site.visit(there.forwarded(reader, {}))
    for reader in READERS * 3:
        site.visit(there.forwarded(reader, {}))
    [line] = said(caplog)
    assert site.watch.found
    assert "docs/platforms.md" in line
    assert not any(reader in line for reader in READERS)


def test_a_right_setting_is_not_suspected_though_readers_send_addresses(caplog: pytest.LogCaptureFixture) -> None:
    for name, there in PLATFORMS.items():
        site = Site(there.variables)
        site.visit(there.forwarded(READERS[0], {}))
        for sent in SPOOFED:
            site.visit(there.forwarded(READERS[1], sent))
        assert (site.watch.found, site.watch.is_over, said(caplog)) == (None, True, []), name


def test_many_readers_behind_one_public_address_are_no_sign() -> None:
    """As of an office, with or without a proxy of its own inside."""
    for sent in ("81.97.145.24", "10.0.0.5, 81.97.145.24"):
        site = Site({})
        for _ in range(MOST):
            site.visit({"X-Forwarded-For": sent, "X-Forwarded-Proto": "https"})
        assert (site.watch.found, site.watch.is_over) == (None, True), sent


def test_one_private_address_or_none_for_all_is_a_sign_and_several_are_none(caplog: pytest.LogCaptureFixture) -> None:
    """As of a container whose proxy sees the machine's bridge; those of an intranet differ."""
    site = Site({})
    for number in range(MOST):
        site.visit({"X-Forwarded-For": f"10.1.{number % 2}.7", "X-Forwarded-Proto": "https"})
    assert site.watch.found is None
    for address in ("172.17.0.1", "fd00::1", "unknown"):
        site = Site({})
        for _ in range(ENOUGH):
            site.visit({"X-Forwarded-For": address, "X-Forwarded-Proto": "https"})
        assert site.watch.found, address
        assert address not in "".join(said(caplog))


def test_accounts_behind_a_public_proxy_of_their_own_are_told_apart_by_the_first_that_is_not() -> None:
    site = Site({})
    for number, reader in enumerate(READERS[: ENOUGH - 1]):
        site.visit({"X-Forwarded-For": appended({}, reader, f"66.102.0.{number}"), "X-Forwarded-Proto": "https"})
    site.visit({"X-Forwarded-For": READERS[-1], "X-Forwarded-Proto": "https"})
    for number, reader in enumerate(READERS):
        site.visit({"X-Forwarded-For": appended({}, reader, f"66.102.0.{number}"), "X-Forwarded-Proto": "https"})
    assert site.watch.found is None


def test_requests_of_one_account_at_once_are_one_sign_and_one_reader_with_an_address_ends_the_watch() -> None:
    """They come past the first look, before the watch has noted any."""
    for accounts, seen in (([1] * ENOUGH, {1}), ([1, *range(2, 2 + ENOUGH)], {1})):
        watch = AddressWatch()
        watch.note(accounts[0], None if accounts[-1] > 1 else (MISSING, None))
        for account in accounts[1:]:
            watch.note(account, (MISSING, None))
        assert (watch.found, watch.accounts) == (None, seen)


def test_readyz_says_so_without_an_address(
    app: Flask,
    server_environment: Environment,
    sign_up: Callable[[str], User],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = create_app(BehindAProxy({**server_environment, "CLIENT_ADDRESS": "X-Forwarded-For"}))
    there.test_client_class = Visitor
    there.extensions["boot_gate"].is_open = True  # it works in the transaction of `app`
    forwarded = PLATFORMS["Fly.io"].forwarded
    for name, reader in zip(("alice", "bob", "carol"), READERS, strict=False):
        assert "clients" not in there.test_client().get("/readyz").get_json()
        headers = {**forwarded(reader, {}), "Host": "localhost"}
        assert browser_of(there, sign_up(name)).get("/notes", headers=headers).status_code == 200
    answer = there.test_client().get("/readyz")
    assert answer.get_json()["clients"] == "alike"
    assert not any(reader in answer.text + caplog.text for reader in READERS)
    assert [record.levelno for record in caplog.records if record.name == address_watch.__name__] == [logging.WARNING]
