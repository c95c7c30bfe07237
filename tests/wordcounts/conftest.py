"""Names that resolve as a test says, and certificates."""

import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

Answers = Callable[[str], Sequence[str]]  # the addresses of a name, or an error that it raises
Resolver = Callable[[Answers], list[str]]


@pytest.fixture
def resolve_by(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    """resolve_by(answers): no name server is asked any more. Returns the names that were asked for, as they come."""

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
    """What anything tried to connect to; nothing gets through."""
    tried: list[object] = []

    def connect(_: socket.socket, address: object) -> None:
        tried.append(address)
        raise ConnectionRefusedError

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, connect)
    return tried


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, ca.pem, and a certificate of it for page.test, page.pem, both with their keys."""
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
    """For a server that can prove to be page.test."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "page.pem", authority / "page.key")
    return context


@pytest.fixture
def trusted(authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The authority is one of the system's."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority / "ca.pem"))
