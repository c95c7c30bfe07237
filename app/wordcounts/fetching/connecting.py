"""Connect to a vetted address. The only module of the feature that opens a connection to a server."""

import contextlib
import ipaddress
import os
import socket
import ssl
from collections.abc import Iterator, Sequence

from urllib3.connection import HTTPConnection, HTTPSConnection

from app.wordcounts.fetching.deadline import Deadline
from app.wordcounts.fetching.urls import PageUrl
from app.wordcounts.fetching.vetting import VettedAddress

MAX_ADDRESSES = 6  # to try; a name server that answers with a thousand must not turn this into a port scanner


@contextlib.contextmanager
def connect(url: PageUrl, addresses: Sequence[VettedAddress], deadline: Deadline) -> Iterator[HTTPConnection]:
    """Connect to the first address that answers, with TLS for the URL's host if the scheme is https.

    urllib3 gets a socket that is already open and may not open another, so it neither resolves nor connects.

    Raises:
        OSError: no address answered.
        ssl.SSLError: there is no secure connection, or the certificate is not valid for the host.
    """
    connection_class = {"http": HTTPConnection, "https": HTTPSConnection}[url.scheme]
    sock = _first_that_answers(addresses[:MAX_ADDRESSES], deadline)
    try:
        sock.settimeout(deadline.remaining)
        if url.scheme == "https":
            sock = _tls_context().wrap_socket(sock, server_hostname=url.host)
        connection = connection_class(url.host, url.port, timeout=deadline.remaining)
        connection.sock = sock
        connection.auto_open = 0  # http.client would otherwise connect by itself, by name, once the socket is closed
        with contextlib.closing(connection):
            yield connection
    finally:
        _close(sock)


def _first_that_answers(addresses: Sequence[VettedAddress], deadline: Deadline) -> socket.socket:
    """
    Raises:
        OSError: of the last address that was tried.
    """
    failure: OSError = OSError("no address")
    for tried, address in enumerate(addresses):
        # An address that does not answer leaves time for the others.
        seconds = deadline.remaining / (len(addresses) - tried)
        try:
            return _open(address, seconds, deadline)
        except OSError as error:
            failure = error
    raise failure


def _open(address: VettedAddress, seconds: float, deadline: Deadline) -> socket.socket:
    family = socket.AF_INET6 if ipaddress.ip_address(address.ip).version == 6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        deadline.guard(sock)
        sock.settimeout(seconds)
        sock.connect((address.ip, address.port))
    except OSError:
        sock.close()
        raise
    return sock


def _tls_context() -> ssl.SSLContext:
    """Trusts the system's certificate authorities and checks the host name."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _close(sock: socket.socket) -> None:
    """Close the descriptor itself: `sock.close()` waits while a half-read response of urllib3 holds the socket."""
    descriptor = sock.detach()
    if descriptor != -1:
        os.close(descriptor)
