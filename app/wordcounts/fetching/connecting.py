"""Resolve a host name and connect to a vetted address, within a deadline; nothing else of the feature connects."""

import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection

from app.deadline import Deadline
from app.wordcounts.failures import Failure, FetchFailed
from app.wordcounts.fetching.vetting import AllowedServers, PageUrl, VettedAddress, vet

MAX_ADDRESSES = 6  # to try; a name server that answers with a thousand must not turn this into a port scanner


def resolve(url: PageUrl, allowed_servers: AllowedServers, deadline: Deadline) -> list[VettedAddress]:
    """Look up the addresses of the URL's host, and vet them all: no other one comes out. Raises: FetchFailed."""
    ips = [url.ip] if url.ip else _look_up(url.host, url.port, deadline)
    return vet(ips, url.port, allowed_servers)


def _look_up(host: str, port: int, deadline: Deadline) -> list[str]:
    """Return the IP addresses of a name, in the resolver's order of preference.

    getaddrinfo takes no timeout, so it runs in a thread. A thread that hangs is abandoned.
    """
    found: Future[list[Any]] = Future()

    def ask() -> None:
        try:
            found.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Exception as error:  # raised below, in the thread that waits
            found.set_exception(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        ips = list(dict.fromkeys(str(address[0]) for *_, address in found.result(deadline.remaining)))
    except TimeoutError as error:
        raise FetchFailed(Failure.DEADLINE, is_transient=True) from error
    except Exception as error:
        is_transient = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
        raise FetchFailed(Failure.DNS, is_transient=is_transient) from error
    if not ips:
        raise FetchFailed(Failure.DNS)
    return ips


@contextlib.contextmanager
def connect(url: PageUrl, addresses: Sequence[VettedAddress], deadline: Deadline) -> Iterator[HTTPConnection]:
    """Connect to the first address that answers, with TLS for the URL's host if the scheme is https.

    urllib3 gets a socket that is already open and may not open another, so it neither resolves nor connects.
    Raises: OSError: no address answered; ssl.SSLError: no secure connection, or a certificate of another host.
    """
    connection_class = {"http": HTTPConnection, "https": HTTPSConnection}[url.scheme]
    sock = _first_that_answers(addresses[:MAX_ADDRESSES], deadline)
    try:
        sock.settimeout(deadline.remaining)
        if url.scheme == "https":
            context = ssl.create_default_context()  # trusts the system's authorities and checks the host name
            context.set_alpn_protocols(["http/1.1"])
            sock = context.wrap_socket(sock, server_hostname=url.host)
        connection = connection_class(url.host, url.port, timeout=deadline.remaining)
        connection.sock = sock
        connection.auto_open = 0  # http.client would otherwise connect by itself, by name, once the socket is closed
        with contextlib.closing(connection):
            yield connection
    finally:  # the descriptor itself: `sock.close()` waits while a half-read response of urllib3 holds the socket
        descriptor = sock.detach()
        if descriptor != -1:
            os.close(descriptor)


def _first_that_answers(addresses: Sequence[VettedAddress], deadline: Deadline) -> socket.socket:
    """Connect to the first address that answers. Raises: OSError: of the last one that was tried."""
    failure: OSError = OSError("no address")
    for tried, address in enumerate(addresses):
        sock = socket.socket(socket.AF_INET6 if ":" in address.ip else socket.AF_INET, socket.SOCK_STREAM)
        try:
            deadline.guard(sock)
            sock.settimeout(deadline.remaining / (len(addresses) - tried))  # one that is silent leaves time for others
            sock.connect((address.ip, address.port))
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure
