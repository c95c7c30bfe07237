"""Fixtures: a name server that answers as a test says, blocked connections, TLS certificates, and pages to count."""

import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from cryptography.x509 import DNSName
from flask import Flask

from app.accounts.models import User
from app.wordcounts import service
from tests.mail.smtp_server import self_signed_certificate
from tests.wordcounts.page_server import PageServer
from tests.wordcounts.results import PAGES, Ask

Answers = Callable[[str], Sequence[str]]  # the addresses of a name; may raise an error instead
Resolver = Callable[[Answers], list[str]]


@pytest.fixture
def resolve_by(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    """Replace the name server: resolve_by(answers) returns a list to which each name is added when it is looked up."""

    def resolve_by(answers: Answers) -> list[str]:
        asked: list[str] = []

        def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
            asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in answers(host)]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return asked

    return resolve_by


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return the addresses that anything tried to connect to. No connection succeeds."""
    tried: list[object] = []

    def connect(_: socket.socket, address: object) -> None:
        tried.append(address)
        raise ConnectionRefusedError

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, connect)
    return tried


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a certificate for page.test, with its key."""
    return self_signed_certificate(tmp_path_factory.mktemp("tls") / "page.pem", DNSName("page.test"))


@pytest.fixture
def page_test_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusted_tls(page_test_tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return page_test_tls


@pytest.fixture
def pages(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[PageServer]:
    with PageServer(PAGES) as server:
        monkeypatch.setitem(app.config, "PAGE_SERVERS", server.allowed)
        yield server


@pytest.fixture
def ask(alice: User, pages: PageServer) -> Ask:
    """Queue the count of a page for alice: ask("/path")."""
    return lambda path: service.ask(alice.id, pages.url(path))
