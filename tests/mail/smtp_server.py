"""A real SMTP server on a free loopback port, and the configuration that names it."""

import datetime
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask

from environment.mail import SmtpServer
from tools.dev import ports

HOST = "127.0.0.1"
LOOPBACK = x509.IPAddress(ipaddress.ip_address(HOST))
USER, PASSWORD = "semicircle", "a password of the mail server"


class Mailbox:
    """Keep what the server was handed. It answers RCPT with `at_recipient` and the end of DATA with `at_data`."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.received: list[bytes] = []  # the same, as they came over the wire
        self.recipients: list[str] = []
        self.at_recipient = self.at_data = "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.at_recipient

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.at_data.startswith("250"):
            assert isinstance(envelope.content, bytes)
            message = message_from_bytes(envelope.content, policy=default)
            assert isinstance(message, EmailMessage)
            self.messages.append(message)
            self.received.append(envelope.content)
            self.recipients += [str(address) for address in envelope.rcpt_tos]
        return self.at_data


def text_of(message: EmailMessage, kind: str = "plain") -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def let_in(server: object, session: object, envelope: object, mechanism: str, given: Any) -> AuthResult:
    assert isinstance(given, LoginPassword)
    return AuthResult(success=given == LoginPassword(USER.encode(), PASSWORD.encode()), handled=False)


@contextmanager
def smtp_server(
    mailbox: Mailbox, tls: str = "none", certificate: Path | None = None, **given: Any
) -> Iterator[SmtpServer]:
    """Run a server. The file of a certificate holds its key too, and is for "starttls" and "implicit"."""
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    [port] = ports.find_free(1)
    options: dict[str, Any] = {"authenticator": let_in, "auth_require_tls": False, "enable_SMTPUTF8": True}
    if tls == "starttls":
        options["tls_context"] = context

    implicit = context if tls == "implicit" else None
    # By default it asks the DNS for the name of this machine, at every connection.
    controller = Controller(mailbox, HOST, port, server_hostname="test", ssl_context=implicit, **options | given)
    controller.start()
    try:
        yield SmtpServer(HOST, port, tls, "", "")
    finally:
        controller.stop()


@contextmanager
def answering(serve: Callable[[socket.socket], object]) -> Iterator[SmtpServer]:
    """Run a server that serves one client in this way."""

    def run() -> None:
        with suppress(OSError), listener.accept()[0] as client:
            serve(client)

    with socket.create_server((HOST, 0)) as listener, ThreadPoolExecutor(1) as threads:
        listener.settimeout(10)  # where a test fails before it asks
        threads.submit(run)
        yield SmtpServer(HOST, listener.getsockname()[1], "none", "", "")


def script(*replies: bytes, heard: list[bytes] | None = None) -> Callable[[socket.socket], None]:
    """Greet with the first reply, answer each command with the next one, whatever it is, and note it in `heard`."""

    def play(client: socket.socket) -> None:
        with client.makefile("rb") as sent:
            for reply in replies:
                client.sendall(reply + b"\r\n")
                while (line := sent.readline()) and reply.startswith(b"354") and line != b".\r\n":
                    pass  # the letter
                if heard is not None:
                    heard.append(line.strip())

    return play


def use(app: Flask, monkeypatch: pytest.MonkeyPatch, server: SmtpServer) -> None:
    """Configure the application as SMTP_URL, MAIL_FROM and SITE_URL would."""
    monkeypatch.setitem(app.config, "SMTP_SERVER", server)
    monkeypatch.setitem(app.config, "MAIL_FROM", "hello@semicircle.example")
    monkeypatch.setitem(app.config, "SITE_URL", "https://semicircle.example")


def self_signed_certificate(file: Path, host: x509.GeneralName = LOOPBACK) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, str(host.value))])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([host]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + certificate.public_bytes(pem))
    return file
