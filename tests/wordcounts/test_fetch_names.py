"""Host names: resolved once a hop, connected to by IP address, verified by TLS certificate."""

import socket
import ssl
from typing import Any

import pytest

from app.wordcounts.failures import Failure, FetchFailed
from app.wordcounts.fetching import fetch
from tests.wordcounts.conftest import Resolver
from tests.wordcounts.page_server import PageServer, answering, failure, page, redirect, unresponsive


def test_it_resolves_a_name_once_a_hop_and_sends_the_name(resolve_by: Resolver) -> None:
    asked = resolve_by(lambda host: ["127.0.0.1"])
    with PageServer({"/": redirect("/there"), "/there": page(b"a")}) as server:
        found = fetch(server.url(host="한국.kr"), allowed_servers=server.allowed)
        assert found.url == server.url("/there", host="xn--3e0b707e.kr")
        assert all(f"Host: xn--3e0b707e.kr:{server.port}" in head for head in server.requests)
    assert asked == ["xn--3e0b707e.kr"] * 2


def test_it_tries_the_next_address_when_one_does_not_answer(resolve_by: Resolver) -> None:
    with answering(page(b"a")) as server:
        resolve_by(lambda host: ["::1", "127.0.0.2", "127.0.0.1", "127.0.0.1"])
        allowed = frozenset((ip, server.port) for ip in ("::1", "127.0.0.1", "127.0.0.2"))
        assert fetch(server.url(host="page.test"), allowed_servers=allowed).text == "a"


def test_an_address_that_does_not_answer_leaves_time_for_the_next_one(resolve_by: Resolver) -> None:
    resolve_by(lambda host: ["127.0.0.2", "127.0.0.1"])
    with answering(page(b"a")) as server, unresponsive("127.0.0.2", server.port):
        allowed = server.allowed | {("127.0.0.2", server.port)}
        assert fetch(server.url(host="page.test"), allowed_servers=allowed, deadline_seconds=1.0).text == "a"


def test_a_refused_connection_is_transient() -> None:
    with answering(page(b"a")) as server:
        url, allowed = server.url(), server.allowed
    with pytest.raises(FetchFailed) as refusal:
        fetch(url, allowed_servers=allowed)
    assert (refusal.value.code, refusal.value.is_transient) == (Failure.NETWORK, True)


@pytest.mark.parametrize(
    ("error", "is_transient"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), False),
        (socket.gaierror(socket.EAI_FAIL, "Non-recoverable failure"), False),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), True),
        (UnicodeError("label too long"), False),
        (None, False),
    ],
)
def test_a_name_that_does_not_resolve(resolve_by: Resolver, error: Exception | None, is_transient: bool) -> None:
    def answers(host: str) -> list[str]:
        if error:
            raise error
        return []

    resolve_by(answers)
    with pytest.raises(FetchFailed) as refusal:
        fetch("http://page.test/")
    assert (refusal.value.code, refusal.value.is_transient) == (Failure.DNS, is_transient)


def test_tls_is_for_the_name_though_the_connection_is_to_an_address(
    resolve_by: Resolver, page_test_tls: ssl.SSLContext, trusted: None
) -> None:
    resolve_by(lambda host: ["127.0.0.1"])
    with PageServer({"/": page(b"safe")}, tls=page_test_tls) as server:
        assert fetch(server.url(host="page.test"), allowed_servers=server.allowed).text == "safe"
        assert server.names == ["page.test"]
        assert f"Host: page.test:{server.port}\r\n" in server.requests[0]


@pytest.mark.parametrize("host", ["other.test", "127.0.0.1", "sub.page.test"])
def test_a_certificate_for_another_name_is_refused(
    resolve_by: Resolver, page_test_tls: ssl.SSLContext, trusted: None, host: str
) -> None:
    resolve_by(lambda host: ["127.0.0.1"])
    with PageServer({"/": page(b"safe")}, tls=page_test_tls) as server:
        refusal = failure(server, server.url(host=host))
        assert (refusal.code, refusal.is_transient) == (Failure.TLS, False)
        assert server.requests == []


def test_a_certificate_of_an_unknown_authority_is_refused(resolve_by: Resolver, page_test_tls: ssl.SSLContext) -> None:
    resolve_by(lambda host: ["127.0.0.1"])
    with PageServer({"/": page(b"safe")}, tls=page_test_tls) as server:
        assert failure(server, server.url(host="page.test")).code is Failure.TLS


@pytest.mark.parametrize(
    ("at_connect", "code", "is_transient"),
    [
        (lambda connection: connection.sendall(page(b"a")), Failure.TLS, False),
        (lambda connection: connection.shutdown(socket.SHUT_RDWR), Failure.NETWORK, True),
    ],
)
def test_a_server_that_speaks_no_tls_or_hangs_up_is_refused(at_connect: Any, code: Failure, is_transient: bool) -> None:
    with PageServer({}, at_connect=at_connect) as server:
        refusal = failure(server, server.url().replace("http:", "https:"))
        assert (refusal.code, refusal.is_transient) == (code, is_transient)


def test_it_follows_a_redirect_from_https_to_http_as_browsers_do(
    resolve_by: Resolver, page_test_tls: ssl.SSLContext, trusted: None
) -> None:
    resolve_by(lambda host: ["127.0.0.1"])
    with answering(page(b"plain")) as plain, PageServer({"/": redirect(plain.url())}, tls=page_test_tls) as secure:
        found = fetch(secure.url(host="page.test"), allowed_servers=plain.allowed | secure.allowed)
        assert (found.url, found.text) == (plain.url(), "plain")
