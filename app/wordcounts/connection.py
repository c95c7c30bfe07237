"""One connection to an address that was vetted, over by its deadline whatever the other side does.

The timeout of a socket begins anew with each byte, so a server that sends one a second is never late for it. Here a
timer ends the connection from outside; and what the system resolves a name to is not asked a second time.
"""

import contextlib
import ipaddress
import os
import queue
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from urllib3.connection import HTTPConnection, HTTPSConnection

from app.wordcounts.addresses import WebAddress
from app.wordcounts.failures import Code, FetchFailed

MAX_ADDRESSES = 6  # that are tried; whoever answers with a thousand makes no scanner of us


class Watch:
    """Ends the connection that it guards when the time is up.

    Args:
        seconds: from now on, for all connections that are guarded one after the other.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self._timer.join()
        self._let_go()

    @property
    def left(self) -> float:
        """Seconds, always more than none, since 0 would make a socket non-blocking."""
        return max(self._end - time.monotonic(), 0.001)

    @property
    def expired(self) -> bool:
        """By the clock, not by the timer, which a timeout of the socket may outrun."""
        return time.monotonic() >= self._end

    def guard(self, sock: socket.socket) -> None:
        """Watch this socket instead of the one before.

        It is duplicated: TLS takes the socket over and HTTP closes it early, but the duplicate reaches the connection
        as long as it stands.
        """
        with self._lock:
            self._let_go()
            self._socket = sock.dup()
        if self.expired:
            self._expire()

    def _expire(self) -> None:
        with self._lock, contextlib.suppress(OSError):  # it was closed from the other side
            if self._socket:
                # Closed with a reset, once it is: a server that pours would keep the kernel busy after a mere farewell.
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self._socket.shutdown(socket.SHUT_RDWR)

    def _let_go(self) -> None:
        if self._socket:
            self._socket.close()
            self._socket = None


def resolve(host: str, port: int, watch: Watch) -> list[str]:
    """The IP addresses of a name, asked for once, in the order of preference.

    In a thread of its own, since getaddrinfo takes no timeout; one that hangs is left to itself.

    Raises:
        FetchFailed: DNS or DEADLINE.
    """
    answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except Exception as error:  # handed to the thread that waits
            answers.put(error)
        else:
            answers.put(list(dict.fromkeys(str(address[0]) for *_, address in found)))

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=watch.left)
    except queue.Empty as error:
        raise FetchFailed(Code.DEADLINE, may_pass=True) from error
    if isinstance(answer, Exception):
        may_pass = isinstance(answer, socket.gaierror) and answer.errno == socket.EAI_AGAIN
        raise FetchFailed(Code.DNS, may_pass=may_pass) from answer
    if not answer:
        raise FetchFailed(Code.DNS)
    return answer


@contextlib.contextmanager
def connected(address: WebAddress, ips: Sequence[str], watch: Watch) -> Iterator[HTTPConnection]:
    """A connection to the first of these addresses that answers, with TLS for the host's name where the URL says https.

    urllib3 is given a socket that is open already, so it neither resolves nor connects.

    Raises:
        OSError: none answered, or the certificate does not hold (ssl.SSLError).
    """
    kind = {"http": HTTPConnection, "https": HTTPSConnection}[address.scheme]
    sock = _open(ips[:MAX_ADDRESSES], address.port, watch)
    try:
        sock.settimeout(watch.left)
        if address.scheme == "https":
            sock = _trust().wrap_socket(sock, server_hostname=address.host)
        connection = kind(address.host, address.port, timeout=watch.left)
        connection.sock = sock
        with contextlib.closing(connection):
            yield connection
    finally:
        _hang_up(sock)


def _hang_up(sock: socket.socket) -> None:
    """Close it though an answer that urllib3 gave up half-way may still hold it, which would defer a mere close()."""
    descriptor = sock.detach()
    if descriptor != -1:
        os.close(descriptor)


def _open(ips: Sequence[str], port: int, watch: Watch) -> socket.socket:
    """Raises: OSError, the last one."""
    failure: OSError = OSError("no address")
    for tried, ip in enumerate(ips):
        family = socket.AF_INET6 if ipaddress.ip_address(ip).version == 6 else socket.AF_INET
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            failure = error
            continue
        try:
            watch.guard(sock)
            sock.settimeout(watch.left / (len(ips) - tried))  # an address that is silent leaves time for the others
            sock.connect((ip, port))
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


def _trust() -> ssl.SSLContext:
    """The system's authorities; the name is checked as well."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
