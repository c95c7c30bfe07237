"""The client's address, as the proxy in front says it: on each platform, and whatever the client sends itself."""

from itertools import product

from flask import Flask, request
from flask.testing import FlaskClient

from app.web import proxy
from config import TestingConfig
from environment.values import client_address
from tests.test_config import ENVIRONMENT
from tests.web.proxies import PLATFORMS, SPOOFS, BehindAProxy, Headers

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


def test_what_is_set_wins_over_what_the_platform_has() -> None:
    for variables, header in (
        ({"CLIENT_ADDRESS": ""}, "X-Forwarded-For"),
        ({"RENDER": "true", "CLIENT_ADDRESS": "True-Client-IP"}, "True-Client-IP"),
    ):
        assert client_address(variables, behind_proxy=True) == (header, 1)


def test_what_the_proxy_says_last_is_the_scheme() -> None:
    answer = site().get("/", headers={"X-Forwarded-Proto": "https, http"})
    assert (answer.status_code, answer.location) == (308, "https://localhost/")
