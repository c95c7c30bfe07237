"""Fixtures: a name server that answers as a test says, blocked connections, TLS certificates, and pages to count."""

import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from flask import Flask

from app.accounts.models import User
from app.wordcounts import service
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
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate authority (ca.pem), its certificate for page.test (page.pem), and their keys."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("authority")
    key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    ca = "-subj /CN=authority -keyout ca.key -out ca.pem -addext keyUsage=critical,keyCertSign"
    page = "-subj /CN=page.test -keyout page.key -out page.pem -CA ca.pem -CAkey ca.key"
    names = "-addext subjectAltName=DNS:page.test -addext basicConstraints=critical,CA:FALSE"
    for arguments in (f"{key} {ca}", f"{key} {page} {names}"):
        subprocess.run(["openssl", "req", "-x509", *arguments.split()], cwd=folder, check=True, capture_output=True)  # noqa: S607
    return folder


@pytest.fixture
def page_test_tls(authority: Path) -> ssl.SSLContext:
    """TLS for a server with a valid certificate for page.test."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "page.pem", authority / "page.key")
    return context


@pytest.fixture
def trusted(authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the system trust the certificate authority."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority / "ca.pem"))


@pytest.fixture
def pages(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[PageServer]:
    with PageServer(PAGES) as server:
        monkeypatch.setitem(app.config, "PAGE_SERVERS", server.allowed)
        yield server


@pytest.fixture
def ask(alice: User, pages: PageServer) -> Ask:
    """Queue the count of a page for alice: ask("/path")."""
    return lambda path: service.ask(alice.id, pages.url(path))
