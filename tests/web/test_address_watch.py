"""The operator is told when all readers look alike, and only then."""

import logging
from collections.abc import Callable, Mapping
from itertools import count

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from app import create_app, tracing
from app.accounts.models import User
from app.web import address_watch, proxy
from app.web.address_watch import ENOUGH, MISSING, MOST, AddressWatch
from tests.conftest import browser_of
from tests.databases import Environment
from tests.test_config import ENVIRONMENT
from tests.visitor import Visitor
from tests.web.test_proxy import PLATFORMS, BehindAProxy, Headers, appended

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


def test_a_right_setting_is_not_suspected_also_beside_readers_who_send_addresses_of_their_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
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


def test_the_same_private_address_or_none_for_all_is_a_sign_and_private_ones_that_differ_are_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
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
